"""A large clinic answers the requests of an incremental sync fast, however often it is asked for another time."""

from datetime import timedelta
from time import process_time

import pytest

from routiq_gql.emulator import Clinic, generated_clinic
from routiq_gql.emulator.answers import answer_list
from tests.emulator.conftest import NOW

_VISITS = "individual_appointments"
_STARS = ("archived_at:*", "deleted_at:*", "cancelled_at:*")
_MIRRORED = ("archived_at:!?", "deleted_at:!?", "cancelled_at:*")
MOST_SECONDS = 0.06
"""The limit of a request to a clinic of 50,000 patients and 200,000 appointments, in processor time."""


@pytest.fixture(scope="module")
def clinic() -> Clinic:
    return generated_clinic(50_000, NOW, appointments=200_000, classes=4000, attendees_per_class=6)


def best_seconds(clinic: Clinic, resource: str, queries: list[tuple[str, ...]], **parameters: str) -> float:
    """The shortest time of several requests, as other work on the machine only adds to it."""
    times = []
    for filters in queries:
        began = process_time()
        answer = answer_list(clinic, resource, [*parameters.items(), *(("q[]", f) for f in filters)], "http://x/v1")
        times.append(process_time() - began)
        assert answer.status == 200
        assert answer.body[resource]
    return min(times)


def test_each_new_time_of_change_is_searched_fast(clinic: Clinic) -> None:
    """Rows changed since a time that was never asked for take one scan of the list."""
    marks = [f"updated_at:>={NOW - timedelta(days=1, seconds=number):%Y-%m-%dT%H:%M:%SZ}" for number in range(8)]
    assert best_seconds(clinic, _VISITS, [(*_STARS, mark) for mark in marks], sort="id") < MOST_SECONDS
    later = [f"updated_at:>={NOW - timedelta(days=2, seconds=number):%Y-%m-%dT%H:%M:%SZ}" for number in range(8)]
    assert best_seconds(clinic, _VISITS, [(*_STARS, mark) for mark in later]) < MOST_SECONDS


def test_totals_and_ranges_of_ids_take_no_scan(clinic: Clinic) -> None:
    """A count within a range of ids is two searches in a sorted list, also after a change."""
    ids = clinic.individual_appointments.ids()
    ranges = [(*_MIRRORED, f"id:>{ids[n]}", f"id:<={ids[n + 100_000]}") for n in range(0, 80_000, 10_000)]
    assert best_seconds(clinic, _VISITS, ranges, per_page="1", sort="id") < MOST_SECONDS / 10
    assert best_seconds(clinic, _VISITS, ranges, per_page="1") < MOST_SECONDS
    clinic.move(_VISITS, str(ids[5]), NOW, at=NOW)
    assert best_seconds(clinic, _VISITS, [_MIRRORED, _MIRRORED], per_page="1") < MOST_SECONDS / 10


def test_lists_of_ids_patients_and_classes_are_found_fast(clinic: Clinic) -> None:
    """Rows by their ids, by patients or by classes are found without a search of the whole clinic for each."""

    def listed(column: str, ids: list[int]) -> list[tuple[str, ...]]:
        return [(*_STARS, f"{column}:={','.join(map(str, ids[n : n + 100]))}") for n in range(0, 800, 100)]

    assert best_seconds(clinic, _VISITS, listed("id", clinic.individual_appointments.ids())) < MOST_SECONDS
    assert best_seconds(clinic, _VISITS, listed("patient_id", clinic.patients.ids())) < MOST_SECONDS
    assert best_seconds(clinic, "attendees", listed("booking_id", clinic.group_appointments.ids())) < MOST_SECONDS
