"""The ready-made clinics hold exactly the documented figures, counted here row by row."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from routiq_gql.emulator import CANCELLATION_REASONS, Clinic, awkward_clinic, demo_clinic, generated_clinic, horizon_of
from routiq_gql.emulator.people import HOSTILE_NAMES, PLANTED_MARKERS
from routiq_gql.emulator.table import Row
from tests.emulator.conftest import NOW

_WINDOW = timedelta(days=30).total_seconds()


class Count:
    """The results that a sync at ``now`` must find in a clinic."""

    def __init__(self, clinic: Clinic, now: datetime) -> None:
        seconds = now.timestamp()
        shown = {name: [row for row in table.rows() if is_shown(row)] for name, table in clinic.tables.items()}
        both = [*shown["individual_appointments"], *shown["group_appointments"]]
        self.appointments = sum((r["starts_at"] or 0) >= horizon_of(now).timestamp() for r in both)
        visits = [r for r in shown["individual_appointments"] if abs((r["starts_at"] or 0) - seconds) <= _WINDOW]
        classes = {r["id"]: r for r in shown["group_appointments"] if abs((r["starts_at"] or 0) - seconds) <= _WINDOW}
        listed = {r["id"] for r in shown["patients"]}
        self.patients = len(listed)
        self.in_window = len(visits) + len(classes)
        attended: list[tuple[int | None, Row]] = [(r["patient_id"], r) for r in visits]
        for row in shown["attendees"]:
            if row["booking_id"] in classes:
                attended.append((row["patient_id"], classes[row["booking_id"]]))
        starts = [(str(who), row["starts_at"] or 0) for who, row in attended if who in listed]
        self.recent = {who for who, start in starts if start <= seconds}
        self.upcoming = {who for who, start in starts if start > seconds}

    def check(self, clinic: Clinic) -> None:
        """Compare with the figures of the builder."""
        expected = clinic.expected
        assert expected is not None
        assert (expected.patients_found, expected.appointments_found) == (self.patients, self.appointments)
        assert expected.appointments_in_window == self.in_window
        assert (expected.recent, expected.upcoming) == (self.recent, self.upcoming)
        assert expected.active == self.recent | self.upcoming


def is_shown(row: Row) -> bool:
    return not any(row.get(name) for name in ("cancelled_at", "archived_at", "deleted_at"))


@pytest.mark.parametrize("clock", ["00:00:00", "09:41:00", "14:30:22", "23:59:59"])
@pytest.mark.parametrize("day", ["2024-12-22", "2024-02-29", "2026-07-01"])
def test_the_demo_clinic_has_the_documented_figures_all_day(day: str, clock: str) -> None:
    """641 patients, 1,247 appointments, 89 active: 66 recent and 23 upcoming, at every hour of the day."""
    now = datetime.fromisoformat(f"{day}T{clock}+00:00")
    clinic = demo_clinic(now)
    count = Count(clinic, now)
    assert (count.patients, count.appointments) == (641, 1247)
    assert (len(count.recent), len(count.upcoming), len(count.recent | count.upcoming)) == (66, 23, 89)
    count.check(clinic)


def test_the_demo_clinic_stays_the_same_during_the_day() -> None:
    """All rows are the same at any hour of a day; ids and people also stay the same on other days."""
    morning, night = (demo_clinic(datetime(2024, 12, 22, hour, tzinfo=UTC)) for hour in (0, 23))
    tomorrow = demo_clinic(datetime(2024, 12, 23, 5, tzinfo=UTC))
    for name, table in morning.tables.items():
        assert list(table.rows()) == list(night.tables[name].rows())
        assert table.ids() == tomorrow.tables[name].ids()
    assert morning.expected == tomorrow.expected


def test_a_demo_of_the_next_day_shows_its_rows_as_changed() -> None:
    """Rows move at midnight, so a sync that asks for changes since yesterday finds every row that moved."""
    today, tomorrow = (demo_clinic(datetime(2024, 12, day, 5, tzinfo=UTC)) for day in (22, 23))
    midnight = datetime(2024, 12, 23, tzinfo=UTC).timestamp()
    for name, table in tomorrow.tables.items():
        moved = [row for row in table.rows() if row != today.tables[name].get(row["id"] or 0)]
        assert moved
        assert {row["updated_at"] for row in moved} == {midnight}


def test_the_demo_clinic_has_appointments_all_over_the_horizon() -> None:
    """Every month of the last two years has appointments, and so have the months before and ahead."""
    clinic = demo_clinic(NOW)
    visits = [row for row in clinic.individual_appointments.rows() if is_shown(row)]
    months = Counter(int(((row["starts_at"] or 0) - NOW.timestamp()) // (30 * 86_400)) for row in visits)
    assert min(months[month] for month in range(-24, 3)) >= 10
    assert sum(count for month, count in months.items() if month < -25) > 250
    count = Count(clinic, NOW)
    assert count.in_window < count.appointments / 4


def test_no_demo_appointment_is_within_a_day_of_an_edge() -> None:
    """The figures of a demo that runs for hours stay the same: no appointment passes an edge of a window or horizon."""
    day = datetime(2024, 12, 22, tzinfo=UTC)
    clinic = demo_clinic(day)
    tables = (clinic.individual_appointments, clinic.group_appointments)
    starts = [row["starts_at"] or 0 for table in tables for row in table.rows()]
    for edge in (-730, -30, 0, 30):
        first = (day + timedelta(days=edge - 1)).timestamp()
        last = (day + timedelta(days=edge + 2)).timestamp()
        assert not [start for start in starts if first < start < last]


def test_the_demo_clinic_also_has_rows_that_do_not_count() -> None:
    """The clinic also has hidden rows, appointments outside the windows, no-shows and cancelled attendees."""
    clinic = demo_clinic(NOW)
    patients, visits = list(clinic.patients.rows()), list(clinic.individual_appointments.rows())
    assert sum(bool(row["deleted_at"]) for row in patients) == 12
    assert sum(bool(row["archived_at"]) for row in patients) > 60
    assert sum(bool(row["merged_at"]) for row in patients) == 4
    assert sum(bool(row["cancelled_at"]) for row in visits) == 90
    assert sum(bool(row["archived_at"]) for row in visits) == 40
    assert sum(bool(row["did_not_arrive"]) for row in visits) > 30
    assert sum((row["starts_at"] or 0) < horizon_of(NOW).timestamp() for row in visits) == 300
    assert sum(bool(row["cancelled_at"]) for row in clinic.attendees.rows()) > 150
    assert len(clinic.appointment_types) == 9
    booked = Counter(row["booking_id"] for row in clinic.attendees.rows())
    assert len(booked) < len(clinic.group_appointments)


def test_the_demo_clinic_has_hostile_names_and_large_ids() -> None:
    """Names include markup, quotes and other scripts; ids are too large for a float."""
    clinic = demo_clinic(NOW)
    names = {clinic.person(row_id).last_name for row_id in clinic.patients.ids()}
    assert len(names & {last for _, last in HOSTILE_NAMES}) >= 6
    assert min(clinic.patients.ids()) > 2**53


@pytest.mark.parametrize(("patients", "seed"), [(0, 1), (1, 2), (70, 3), (2000, 1), (2000, 4)])
def test_a_generated_clinic_reports_its_figures(patients: int, seed: int) -> None:
    """The builder's figures match its rows."""
    for hour in (0, 23):
        now = datetime(2024, 12, 22, hour, 59, tzinfo=UTC)
        clinic = generated_clinic(patients, now, seed)
        count = Count(clinic, now)
        assert count.patients == patients
        count.check(clinic)


def test_a_generated_clinic_has_as_many_rows_as_ordered() -> None:
    """Numbers of rows can be given; further appointments spread over 24 months and make no patient active."""
    plain = generated_clinic(500, NOW)
    clinic = generated_clinic(500, NOW, appointments=3000, classes=200, attendees_per_class=5)
    count = Count(clinic, NOW)
    count.check(clinic)
    assert count.appointments == 3000
    assert sum(is_shown(row) for row in clinic.group_appointments.rows()) == 200
    assert len(clinic.attendees) >= 1000
    assert plain.expected is not None
    assert count.in_window == plain.expected.appointments_in_window
    assert len(count.recent | count.upcoming) == len(plain.expected.active)
    months = Counter(
        int(((row["starts_at"] or 0) - NOW.timestamp()) // (30 * 86_400))
        for row in clinic.individual_appointments.rows()
    )
    assert min(months[month] for month in range(-24, 6)) >= 10


@pytest.mark.parametrize("others", [{"appointments": 10}, {"classes": 1}])
def test_a_generated_clinic_has_no_fewer_rows_than_activity_needs(others: dict[str, int]) -> None:
    """An order of fewer appointments or classes than the patients' activity needs is refused."""
    with pytest.raises(ValueError, match="at least"):
        generated_clinic(500, NOW, **others)


def test_appointments_refer_to_practitioners_of_the_clinic() -> None:
    """Every appointment and class of a ready-made clinic has a practitioner who exists; some practitioners left."""
    for clinic in (demo_clinic(NOW), generated_clinic(300, NOW), awkward_clinic(NOW)):
        known = set(clinic.practitioners.ids())
        for table in (clinic.individual_appointments, clinic.group_appointments):
            assert {row["practitioner_id"] for row in table.rows()} <= known
        assert {row["active"] for row in clinic.practitioners.rows()} == {0, 1}


def test_cancelled_appointments_have_a_reason() -> None:
    """A cancelled individual appointment has one of Cliniko's reasons, and any other has none."""
    clinic = demo_clinic(NOW)
    rows = list(clinic.individual_appointments.rows())
    assert all((row["cancelled_at"] is None) == (row["cancellation_reason"] is None) for row in rows)
    assert {row["cancellation_reason"] for row in rows} - {None} == set(CANCELLATION_REASONS)


def test_a_generated_clinic_depends_on_its_seed_alone() -> None:
    """The same seed gives the same rows, another seed gives other rows."""
    first, again, other = (generated_clinic(300, NOW, seed) for seed in (5, 5, 6))
    assert list(first.individual_appointments.rows()) == list(again.individual_appointments.rows())
    assert first.patients.ids() == again.patients.ids()
    assert not set(first.patients.ids()) & set(other.patients.ids())
    assert first.expected == again.expected
    assert first.expected is not None
    assert 0 < len(first.expected.recent & first.expected.upcoming) < len(first.expected.active) < 100


def test_a_generated_clinic_has_its_limits() -> None:
    """A clinic larger than any tested size is refused."""
    with pytest.raises(ValueError, match="200,000"):
        generated_clinic(200_001, NOW)
    with pytest.raises(ValueError, match="time zone"):
        generated_clinic(1, datetime(2024, 12, 22))  # noqa: DTZ001


def test_the_awkward_clinic_equals_its_table() -> None:
    """The awkward clinic equals the table in its docstring, which is repeated here."""
    clinic = awkward_clinic(NOW)
    count = Count(clinic, NOW)
    large = "5148109760343643"
    assert count.recent == {"9", "1000", *(large + end for end in ("78", "83", "87", "92", "94"))}
    assert count.upcoming == {"9", "9007199254740993", *(large + end for end in ("79", "85", "90", "93"))}
    assert (len(clinic.patients), count.patients, count.appointments, count.in_window) == (27, 24, 20, 16)
    count.check(clinic)


def test_planted_secrets_can_be_found_by_their_markers() -> None:
    """A search for leaks gets all planted texts, and three markers that cover all but the names."""
    clinic = demo_clinic(NOW)
    secrets = clinic.secrets()
    for text in secrets.emails | secrets.phones | secrets.clinical:
        assert any(marker in text for marker in PLANTED_MARKERS)
    assert len(secrets.emails) > 500
    assert len(secrets.phones) > 500
    assert "Papadopoulos" in secrets.names
    assert secrets.all() > secrets.names
