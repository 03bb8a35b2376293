"""Who is active, at the edges of the windows and for rows that no clinic should have."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from routiq_gql.database.active_patients import IDENTIFIED, Windows, identify_slice
from routiq_gql.database.engine import Database
from routiq_gql.database.mirror import MirrorList, save_rows
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
    """Both windows include their ends; an appointment that begins this very second is a recent one."""
    async with database.writing() as connection:
        await save_rows(connection, MirrorList.PATIENTS, 1, [{**PATIENT, "id": "7"}])
        visit = {**APPOINTMENT, "id": "1", "patient_id": "7", "starts_at": starts_at}
        await save_rows(connection, MirrorList.INDIVIDUAL_APPOINTMENTS, 1, [visit])
        await identify_slice(connection, 1, WINDOWS, "", 100)
        found = [tuple(row) for row in await connection.execute(select(IDENTIFIED))]
    expected = (
        []
        if recent is None
        else [(1, "7", recent, upcoming, starts_at if recent else None, starts_at if upcoming else None)]
    )
    assert found == expected


async def test_slices_find_the_same_as_one_look(database):
    """However many patients are looked at in one go, repeated or not, the same ones are found, once each."""
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


async def test_an_appointment_of_a_patient_who_is_not_listed_makes_nobody_active(database):
    """A visit whose patient Cliniko doesn't list is no reason to invent one."""
    async with database.writing() as connection:
        await save_rows(connection, MirrorList.PATIENTS, 1, [{**PATIENT, "id": "7"}])
        visit = {**APPOINTMENT, "id": "1", "patient_id": "6", "starts_at": NOW}
        await save_rows(connection, MirrorList.INDIVIDUAL_APPOINTMENTS, 1, [visit])
        await identify_slice(connection, 1, WINDOWS, "", 100)
        assert list(await connection.execute(select(IDENTIFIED))) == []
