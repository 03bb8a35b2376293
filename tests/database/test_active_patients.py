"""Active patients, at the edges of the windows and for rows that no clinic should have."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from routiq_gql.database.active_patients import (
    ACTIVE,
    IDENTIFIED,
    Windows,
    active_counts,
    identify_slice,
    show_generation,
)
from routiq_gql.database.engine import Database
from routiq_gql.database.mirror import MirrorList, count_unassigned, save_rows
from routiq_gql.database.schema import upgrade

NOW = datetime(2026, 7, 1, 9, 30, tzinfo=UTC)
SECOND = timedelta(seconds=1)
WINDOWS = Windows(recent_from=NOW - timedelta(days=30), now=NOW, upcoming_to=NOW + timedelta(days=30))
PATIENT = {
    **dict.fromkeys(("first_name", "last_name", "preferred_first_name", "email", "phone", "archived_at", "deleted_at")),
    "created_at": NOW,
    "updated_at": NOW,
}
APPOINTMENT = {
    **dict.fromkeys(("appointment_type_id", "ends_at", "cancelled_at", "archived_at", "deleted_at")),
    "did_not_arrive": False,
    "created_at": NOW,
    "updated_at": NOW,
}
ATTENDEE = {
    **dict.fromkeys(("arrived", "cancelled_at", "archived_at", "deleted_at")),
    "created_at": NOW,
    "updated_at": NOW,
}


pytestmark = pytest.mark.both_databases


@pytest.fixture
async def database(database_url):
    """An empty database."""
    opened = Database(database_url)
    await upgrade(opened)
    yield opened
    await opened.close()


@pytest.mark.parametrize(
    ("starts_at", "recent", "upcoming"),
    [
        (WINDOWS.recent_from - SECOND, None, None),
        (WINDOWS.recent_from, 1, 0),
        (NOW - SECOND, 1, 0),
        (NOW, 1, 0),
        (NOW + SECOND, 0, 1),
        (WINDOWS.upcoming_to, 0, 1),
        (WINDOWS.upcoming_to + SECOND, None, None),
    ],
)
async def test_the_edges_of_the_windows(database, starts_at, recent, upcoming):
    """Both windows include their ends; an appointment that begins this very second is recent."""
    async with database.writing() as connection:
        await save_rows(connection, MirrorList.PATIENTS, 1, [{**PATIENT, "id": "7"}])
        visit = {**APPOINTMENT, "id": "1", "patient_id": "7", "starts_at": starts_at}
        await save_rows(connection, MirrorList.INDIVIDUAL_APPOINTMENTS, 1, [visit])
        await identify_slice(connection, 1, WINDOWS, "", 100)
        found = [tuple(row) for row in await connection.execute(select(IDENTIFIED))]
    expected = (
        []
        if recent is None
        else [(1, "7", recent, upcoming, starts_at if recent else None, starts_at if upcoming else None, 0)]
    )
    assert found == expected


YESTERDAY, LAST_WEEK, TOMORROW = NOW - timedelta(days=1), NOW - timedelta(days=7), NOW + timedelta(days=1)


@pytest.mark.parametrize(
    ("visits", "expected"),
    [
        ([(YESTERDAY, None)], (1, 0, 0, YESTERDAY, None)),
        ([(YESTERDAY, True)], (1, 0, 0, YESTERDAY, None)),
        ([(YESTERDAY, False)], (0, 1, 0, None, None)),
        ([(YESTERDAY, False), (LAST_WEEK, None)], (1, 1, 0, LAST_WEEK, None)),
        ([(YESTERDAY, False), (LAST_WEEK, False), (TOMORROW, None)], (0, 2, 1, None, TOMORROW)),
        ([(TOMORROW, False)], (0, 0, 1, None, TOMORROW)),
    ],
)
@pytest.mark.parametrize("in_class", [False, True])
async def test_only_an_explicit_mark_makes_a_missed_visit(database, visits, expected, in_class):
    """A patient with a booking is active even if marked as missed; only attended or unmarked visits count as recent."""
    async with database.writing() as connection:
        await save_rows(connection, MirrorList.PATIENTS, 1, [{**PATIENT, "id": "7"}])
        for number, (starts_at, came) in enumerate(visits):
            appointment = {**APPOINTMENT, "id": f"1{number}", "starts_at": starts_at}
            if in_class:
                attendee = {**ATTENDEE, "id": f"2{number}", "booking_id": f"1{number}", "patient_id": "7"}
                del appointment["did_not_arrive"], appointment["cancelled_at"]
                await save_rows(connection, MirrorList.GROUP_APPOINTMENTS, 1, [appointment])
                await save_rows(connection, MirrorList.ATTENDEES, 1, [{**attendee, "arrived": came}])
            else:
                missed = None if came is None else not came
                row = {**appointment, "patient_id": "7", "did_not_arrive": missed}
                await save_rows(connection, MirrorList.INDIVIDUAL_APPOINTMENTS, 1, [row])
        await identify_slice(connection, 1, WINDOWS, "", 100)
        await show_generation(connection, "org_a", 1, 1, NOW)
        for table in (IDENTIFIED, ACTIVE):
            (row,) = await connection.execute(select(table))
            found = (row.recent_appointments, row.missed_appointments, row.upcoming_appointments)
            assert (*found, row.last_appointment_at, row.next_appointment_at) == expected
        counts = await active_counts(connection, "org_a")
    assert (counts.active, counts.with_recent, counts.with_upcoming) == (1, bool(expected[0]), bool(expected[2]))


async def test_missed_visits_count_only_for_active_patients(database):
    """Missed visits count only for active patients, within the windows."""
    visit = {**APPOINTMENT, "id": "1", "patient_id": "7", "starts_at": YESTERDAY, "did_not_arrive": True}
    async with database.writing() as connection:
        await save_rows(connection, MirrorList.PATIENTS, 1, [{**PATIENT, "id": "7"}])
        await save_rows(connection, MirrorList.INDIVIDUAL_APPOINTMENTS, 1, [visit])
        await identify_slice(connection, 1, WINDOWS, "", 100)
        await show_generation(connection, "org_a", 1, 1, NOW)
        await show_generation(connection, "org_a", 2, 1, NOW)
        (row,) = await connection.execute(select(ACTIVE))
    assert (row.is_active, row.missed_appointments, row.recent_appointments) == (False, 0, 0)


async def test_a_visit_without_a_patient_makes_no_patient_active(database):
    """A visit without a patient, or a booking without a class, is kept but makes no patient active."""
    async with database.writing() as connection:
        await save_rows(connection, MirrorList.PATIENTS, 1, [{**PATIENT, "id": "7"}])
        visit = {**APPOINTMENT, "id": "1", "patient_id": None, "starts_at": NOW}
        await save_rows(connection, MirrorList.INDIVIDUAL_APPOINTMENTS, 1, [visit])
        group = {**APPOINTMENT, "id": "2", "starts_at": NOW}
        await save_rows(connection, MirrorList.GROUP_APPOINTMENTS, 1, [group])
        attendees = [
            {**ATTENDEE, "id": "3", "booking_id": "2", "patient_id": None},
            {**ATTENDEE, "id": "4", "booking_id": None, "patient_id": "7"},
        ]
        await save_rows(connection, MirrorList.ATTENDEES, 1, attendees)
        await identify_slice(connection, 1, WINDOWS, "", 100)
        assert list(await connection.execute(select(IDENTIFIED))) == []
        for target, expected in (
            (MirrorList.INDIVIDUAL_APPOINTMENTS, 1),
            (MirrorList.ATTENDEES, 1),
            (MirrorList.GROUP_APPOINTMENTS, 0),
            (MirrorList.PATIENTS, 0),
        ):
            assert await count_unassigned(connection, target, 1) == expected


async def test_slices_find_the_same_as_one_look(database):
    """The same active patients are found once each, however many patients a step analyzes."""
    ids = [str(number) for number in (1, 2, 10, 11, 12, 100, 514810976034364376)]
    async with database.writing() as connection:
        await save_rows(connection, MirrorList.PATIENTS, 1, [{**PATIENT, "id": one} for one in ids])
        await save_rows(connection, MirrorList.PATIENTS, 2, [{**PATIENT, "id": "1"}])
        visits = [
            {**APPOINTMENT, "id": f"9{one}{day}", "patient_id": one, "starts_at": NOW + timedelta(days=day)}
            for one in ids
            for day in (-2, 2)
        ]
        await save_rows(connection, MirrorList.INDIVIDUAL_APPOINTMENTS, 1, visits)
        found = {}
        for size in (1, 2, 3, 7, 100):
            after: str | None = ""
            while after is not None:
                again = after
                after = await identify_slice(connection, 1, WINDOWS, again, size)
                assert await identify_slice(connection, 1, WINDOWS, again, size) == after
            query = select(IDENTIFIED).order_by(IDENTIFIED.c.patient_id)
            found[size] = [tuple(row) for row in await connection.execute(query)]
            await connection.execute(IDENTIFIED.delete())
    assert {row[1] for row in found[100]} == set(ids)
    assert all(row[2:4] == (1, 1) for row in found[100])
    assert all(rows == found[100] for rows in found.values())


async def test_an_appointment_of_an_unlisted_patient_makes_no_patient_active(database):
    """A visit of a patient whom Cliniko doesn't list makes no patient active."""
    async with database.writing() as connection:
        await save_rows(connection, MirrorList.PATIENTS, 1, [{**PATIENT, "id": "7"}])
        visit = {**APPOINTMENT, "id": "1", "patient_id": "6", "starts_at": NOW}
        await save_rows(connection, MirrorList.INDIVIDUAL_APPOINTMENTS, 1, [visit])
        await identify_slice(connection, 1, WINDOWS, "", 100)
        assert list(await connection.execute(select(IDENTIFIED))) == []
