"""How the terminal puts a receipt into words: agreement only where the receipt says so, and each difference."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from routiq_gql.cli.receipts import changes_text, receipt_lines, receipt_summary, result_summary
from routiq_gql.cli.times import local_time, with_offset
from routiq_gql.sync.change_counts import ChangeCounts
from routiq_gql.sync.model import SyncMode
from routiq_gql.sync.receipt import Receipt
from tests.cli.test_progress import SNAPSHOT
from tests.receipts import AGREES, CHECKED_AT

NOW = CHECKED_AT
LOCAL = with_offset(NOW.astimezone(), "%H:%M")


def _with(**lists: dict[str, Any]) -> Receipt:
    """A receipt that agrees, with changed lists, by their names."""
    return replace(AGREES, lists=tuple(replace(one, **lists.get(one.list, {})) for one in AGREES.lists))


def test_a_receipt_that_agrees_is_one_line():
    """The line has the time of the comparison, the requests, and the rows that changed."""
    assert receipt_lines(AGREES, NOW) == [f"Agrees with Cliniko, checked {LOCAL}; 14 requests; +2, ~5, −1"]


def test_a_receipt_of_another_day_has_its_date():
    """A time without a date is always of today."""
    (line,) = receipt_lines(AGREES, NOW + timedelta(days=2))
    assert f"checked {local_time(NOW)};" in line


def test_a_sync_that_changed_nothing_says_so():
    """Zeros are left out, and a sync without any change says “no changes”."""
    nothing = {"added": 0, "updated": 0, "removed": 0}
    calm = _with(patients=nothing, individual_appointments=nothing)
    assert receipt_lines(calm, NOW)[0].endswith("; 14 requests; no changes")
    assert receipt_lines(_with(patients=nothing), NOW)[0].endswith("; +1, ~3")


@pytest.mark.parametrize(
    ("lists", "line"),
    [
        ({"patients": {"in_mirror": 640, "agrees": False}}, "  Patients: 641 in Cliniko, 640 stored"),
        ({"individual_appointments": {"agrees": False}}, "kept changing during the comparison"),
        ({"patients": {"in_cliniko": None, "agrees": False}}, "  Patients: Cliniko did not count them"),
        (
            {"attendees": {"in_cliniko": 31, "agrees": False, "compared": 60}},
            "  Attendees: 31 in Cliniko, 30 stored (compared in 60 of 147 classes)",
        ),
    ],
)
def test_a_difference_is_named_and_never_called_agreement(lists: dict[str, Any], line: str):
    """A receipt that does not agree names each list that differs, with both numbers, and no line says “agrees”."""
    lines = receipt_lines(_with(**lists), NOW)
    assert lines[0].startswith(f"Does not agree with Cliniko yet, checked {LOCAL}; 14 requests")
    assert lines[1].endswith(line)
    assert not any(line.startswith("Agrees") for line in lines)


REFUSED: dict[str, Any] = {"in_cliniko": None, "agrees": None}
"""A list that Cliniko did not count."""
REFUSED_ATTENDEES = {**REFUSED, "in_mirror": 0, "compared": 0, "of": 0, "oldest_check": None}


@pytest.mark.parametrize(
    ("lists", "sentence", "names"),
    [
        ({"patients": REFUSED}, "Cliniko did not count patients", "patients"),
        ({"attendees": REFUSED_ATTENDEES}, "Cliniko did not list attendees by class", "attendees"),
        (
            {"patients": REFUSED, "individual_appointments": REFUSED},
            "Cliniko did not count patients and individual appointments",
            "patients, individual appointments",
        ),
        (
            {"patients": REFUSED, "attendees": REFUSED_ATTENDEES},
            "Cliniko did not count patients, and did not list attendees by class",
            "patients, attendees",
        ),
    ],
)
def test_a_list_that_cliniko_refused_is_named_and_the_rest_is_no_agreement(
    lists: dict[str, Any], sentence: str, names: str
):
    """If Cliniko does not count a list, the line says which, and neither “agrees” nor that the list differs."""
    receipt = _with(**lists)
    (line,) = receipt_lines(receipt, NOW)
    assert line == f"Compared in part with Cliniko, checked {LOCAL}: {sentence}; 14 requests; {changes_text(receipt)}"
    summary = receipt_summary(replace(SNAPSHOT, receipt=receipt))
    assert summary == f"compared in part (not compared: {names}), {changes_text(receipt)}"


def test_a_refused_list_beside_a_difference_is_named():
    """If one list differs and Cliniko refused to compare others, the reader learns of both."""
    receipt = _with(
        patients={"in_mirror": 640, "agrees": False}, individual_appointments=REFUSED, attendees=REFUSED_ATTENDEES
    )
    lines = receipt_lines(receipt, NOW)
    assert lines[0].startswith(f"Does not agree with Cliniko yet, checked {LOCAL}; 14 requests")
    assert lines[1:] == [
        "  Patients: 641 in Cliniko, 640 stored",
        "  Individual appointments: not compared, as Cliniko did not count them",
        "  Attendees: not compared, as Cliniko did not list them by class",
    ]
    summary = receipt_summary(replace(SNAPSHOT, receipt=receipt))
    assert summary.startswith("differs: patients (not compared: individual appointments, attendees), ")


def test_no_comparison_is_no_agreement():
    """A sync that compared no list does not claim to agree."""
    appointments = {"individual_appointments": REFUSED}
    receipt = _with(patients=REFUSED, **appointments, attendees=REFUSED_ATTENDEES, practitioners=REFUSED)
    assert receipt_lines(receipt, NOW)[0].startswith(
        f"Not compared with Cliniko, checked {LOCAL}: Cliniko did not count patients and individual appointments, and "
    )
    assert receipt_summary(replace(SNAPSHOT, receipt=receipt)) == "not compared, +2, ~5, −1"


def test_a_table_says_which_patients_changed():
    """The result of a sync ends with what it changed for patients, unless that is nothing or not known."""
    completed = replace(SNAPSHOT, receipt=AGREES, mode=SyncMode.INCREMENTAL)
    assert result_summary(completed) == "incremental, agrees, +2, ~5, −1"
    changed = replace(completed, changes=ChangeCounts(3, 1, 0, 0, 2, 1))
    assert result_summary(changed) == "incremental, agrees, +2, ~5, −1; +2 active, −1; 1 patient added"
    calm = replace(completed, changes=ChangeCounts(0, 0, 0, 0, 0, 0))
    assert result_summary(calm) == result_summary(completed)


def test_a_list_that_the_key_may_not_read_is_mentioned():
    """Names of practitioners are optional: without them the rest agrees, and a line says that they are left out."""
    receipt = _with(practitioners=REFUSED)
    assert receipt_lines(receipt, NOW) == [
        f"Agrees with Cliniko, checked {LOCAL}; 14 requests; +2, ~5, −1",
        "  Practitioners: not compared, as the key may not read them",
    ]
    assert receipt_summary(replace(SNAPSHOT, receipt=receipt)) == "agrees, +2, ~5, −1"


def test_classes_left_for_later_and_unreadable_rows_are_mentioned():
    """A reader learns what the agreement does not cover."""
    partly = _with(attendees={"compared": 60, "agrees": None}, patients={"unreadable": 1})
    assert receipt_lines(partly, NOW)[1:] == [
        "  Attendees: compared in 60 of 147 classes",
        "  1 row of Cliniko can't be read; the log names the first ones",
    ]


def test_a_table_has_the_receipt_in_short():
    """A row of a table says whether it agrees, or which lists differ, and the changes."""
    assert receipt_summary(SNAPSHOT) == ""
    assert receipt_summary(replace(SNAPSHOT, receipt=AGREES)) == "agrees, +2, ~5, −1"
    differs = _with(patients={"agrees": False}, attendees={"agrees": False})
    assert receipt_summary(replace(SNAPSHOT, receipt=differs)) == "differs: patients, attendees, +2, ~5, −1"
