"""A clinic whose people work: all kinds of changes happen, they move ``updated_at``, and nothing grows for ever."""

from collections import Counter
from datetime import timedelta

import pytest

from routiq_gql.emulator import Clinic, ClinicLife, awkward_clinic, demo_clinic, generated_clinic
from routiq_gql.emulator.filters import seconds_of
from routiq_gql.emulator.living import MOST_ATTENDING, MOST_BOOKED, MOST_JOINED, SECONDS_BETWEEN
from routiq_gql.emulator.table import Row
from tests.emulator.conftest import NOW
from tests.emulator.test_clinics import Count

STEPS_OF_AN_HOUR = 360
KINDS = {
    "books", "cancels", "moves", "joins", "is merged",
    "attends", "is absent", "was marked", "has a new phone", "leaves",
}  # fmt: skip


def _living(seed: int) -> tuple[Clinic, ClinicLife]:
    clinic = demo_clinic(NOW)
    clinic.clock.stop_at(NOW)
    return clinic, ClinicLife(clinic, seed)


def _rows(clinic: Clinic) -> dict[tuple[str, int | None], Row]:
    return {(name, row["id"]): row for name, table in clinic.tables.items() for row in table.rows()}


@pytest.mark.timeout(300)  # 40 s on a busy machine
def test_an_hour_of_a_clinic_have_every_kind_of_change() -> None:
    """Patients become active and inactive again and again, and about as many are active as at first."""
    clinic, life = _living(3)
    kinds, active, became = Counter[str](), Count(clinic, NOW), Counter[str]()
    for _ in range(STEPS_OF_AN_HOUR):
        kinds[life.step()] += 1
        clinic.clock.advance(timedelta(seconds=10))
        now = Count(clinic, NOW)
        before, after = active.recent | active.upcoming, now.recent | now.upcoming
        became.update(active=len(after - before), inactive=len(before - after))
        active = now
        assert 75 <= len(after) <= 105
    assert set(kinds) == KINDS
    assert became["active"] > 30
    assert became["inactive"] > 30


def test_every_change_moves_updated_at() -> None:
    """A look asks Cliniko for changes, so each changed row has the time of its change."""
    clinic, life = _living(5)
    before = _rows(clinic)
    for _ in range(80):
        clinic.clock.advance(timedelta(seconds=10))
        life.step()
        after = _rows(clinic)
        changed = [row for key, row in after.items() if before.get(key) != row]
        assert changed
        assert {row["updated_at"] for row in changed} == {seconds_of(clinic.clock.now())}
        assert before.keys() <= after.keys(), "no row disappears without a trace"
        before = after


def test_a_clinic_that_lives_for_days_grows_no_further() -> None:
    """After thousands of changes the clinic has as many rows as its limits allow, and changes still happen."""
    clinic, life = _living(7)
    sizes = {name: len(table) for name, table in clinic.tables.items()}
    for _ in range(3000):
        life.step()
    assert len(clinic.patients) == sizes["patients"] + MOST_JOINED
    assert len(clinic.individual_appointments) == sizes["individual_appointments"] + MOST_BOOKED
    assert len(clinic.attendees) == sizes["attendees"] + MOST_ATTENDING
    late = Counter(life.step() for _ in range(300))
    assert {"books", "cancels", "moves", "attends"} <= set(late)


def test_a_seed_repeats_its_changes() -> None:
    """The same seed makes the same rows on the same day, and the same waits; another seed makes others."""
    (first, one), (second, two), (other, three) = _living(11), _living(11), _living(12)
    steps = [[life.step() for _ in range(60)] for life in (one, two, three)]
    waits = [[life.seconds_to_next() for _ in range(60)] for life in (one, two, three)]
    assert steps[0] == steps[1] != steps[2]
    assert waits[0] == waits[1] != waits[2]
    assert all(SECONDS_BETWEEN[0] <= wait <= SECONDS_BETWEEN[1] for wait in waits[0])
    assert _rows(first) == _rows(second) != _rows(other)


def test_any_clinic_can_live_and_survives_removed_rows() -> None:
    """Small, strange and empty clinics live too, and rows that another client removes meanwhile are no fault."""
    for clinic in (awkward_clinic(NOW), generated_clinic(30, NOW, 1), Clinic("Nobody here")):
        life = ClinicLife(clinic, 1)
        for number in range(400):
            life.step()
            if number % 10 == 0:
                for name in ("patients", "individual_appointments", "attendees"):
                    for row_id in clinic.tables[name].ids()[-2:-1]:
                        clinic.remove(name, str(row_id))
    assert ClinicLife(Clinic("Nobody here")).step() == "joins"
