"""How the terminal puts a receipt into words: agreement only where the receipt says so, and each difference."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from routiq_gql.cli.receipts import receipt_lines, receipt_summary
from routiq_gql.sync.receipt import Receipt
from tests.cli.test_progress import SNAPSHOT
from tests.receipts import AGREES, CHECKED_AT

NOW = CHECKED_AT
LOCAL = f"{NOW.astimezone():%H:%M}"


def _with(receipt: Receipt = AGREES, *, agrees: bool, **lists: dict[str, Any]) -> Receipt:
    """The receipt with changed lists, by their names."""
    changed = tuple(replace(one, **lists.get(one.list, {})) for one in receipt.lists)
    return replace(receipt, agrees=agrees, lists=changed)


def test_a_receipt_that_agrees_is_one_line():
    """The line has the time of the comparison, the requests, and the rows that changed."""
    assert receipt_lines(AGREES, NOW) == [f"Agrees with Cliniko, checked {LOCAL}; 14 requests; +2, ~5, −1"]


def test_a_receipt_of_another_day_has_its_date():
    """A time without a date is always of today."""
    (line,) = receipt_lines(AGREES, NOW + timedelta(days=2))
    assert f"checked {NOW.astimezone():%Y-%m-%d %H:%M};" in line


def test_a_sync_that_changed_nothing_says_so():
    """Zeros are left out, and a sync without any change says “no changes”."""
    nothing = {"added": 0, "updated": 0, "removed": 0}
    calm = _with(agrees=True, patients=nothing, individual_appointments=nothing)
    assert receipt_lines(calm, NOW)[0].endswith("; 14 requests; no changes")
    assert receipt_lines(_with(agrees=True, patients=nothing), NOW)[0].endswith("; +1, ~3")


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
    lines = receipt_lines(_with(agrees=False, **lists), NOW)
    assert lines[0].startswith(f"Does not agree with Cliniko yet, checked {LOCAL}; 14 requests")
    assert lines[1].endswith(line)
    assert not any(line.startswith("Agrees") for line in lines)


def test_no_comparison_is_no_agreement():
    """A sync that compared no list does not claim to agree."""
    uncompared = {"agrees": None}
    receipt = _with(agrees=True, patients=uncompared, individual_appointments=uncompared, attendees=uncompared)
    assert receipt_lines(receipt, NOW)[0].startswith("Not compared with Cliniko")
    assert receipt_summary(replace(SNAPSHOT, receipt=receipt)) == "not compared, +2, ~5, −1"


def test_classes_left_for_later_and_unreadable_rows_are_mentioned():
    """A reader learns what the agreement does not cover."""
    partly = _with(agrees=True, attendees={"compared": 60, "agrees": None}, patients={"unreadable": 1})
    assert receipt_lines(partly, NOW)[1:] == [
        "  Attendees: compared in 60 of 147 classes",
        "  1 row of Cliniko can't be read; the log names the first ones",
    ]


def test_a_table_has_the_receipt_in_short():
    """A row of a table says whether it agrees, or which lists differ, and the changes."""
    assert receipt_summary(SNAPSHOT) == ""
    assert receipt_summary(replace(SNAPSHOT, receipt=AGREES)) == "agrees, +2, ~5, −1"
    differs = _with(agrees=False, patients={"agrees": False}, attendees={"agrees": False})
    assert receipt_summary(replace(SNAPSHOT, receipt=differs)) == "differs: patients, attendees, +2, ~5, −1"
