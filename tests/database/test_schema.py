"""Migrations make exactly the tables that the code uses, on an empty file and when applied again."""

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import insert, inspect, select, text
from sqlalchemy.exc import IntegrityError

from routiq_gql.clock import utc_now
from routiq_gql.database.engine import Database
from routiq_gql.database.migrating import alembic_config
from routiq_gql.database.migrations import newest_revision
from routiq_gql.database.schema import upgrade
from routiq_gql.database.syncs import change_running
from routiq_gql.database.tables import ACTIVITY, APPOINTMENT, ATTENDEE, METADATA, SYNC
from routiq_gql.errors import StorageError
from routiq_gql.sync.mapping import first_values, snapshot_of
from routiq_gql.sync.model import SyncMode
from tests.database.check_migrations import check
from tests.database.earlier_rows import earlier_sync, insert_earlier

pytestmark = pytest.mark.both_databases


@pytest.fixture
async def database(empty_database_url):
    """A database with all tables."""
    database = Database(empty_database_url)
    await upgrade(database)
    yield database
    await database.close()


async def test_migrations_and_tables_agree(empty_database_url):
    """The migrations create the tables that the code expects."""
    await check(empty_database_url)


async def test_upgrading_twice_changes_nothing(database):
    """A restart with a current file changes nothing."""
    newest = ScriptDirectory.from_config(alembic_config()).get_current_head()
    assert await upgrade(database) == await upgrade(database) == newest == newest_revision()


async def test_an_organization_has_one_active_sync(database):
    """The database itself refuses a second running sync, and allows it once the first has ended."""
    row = {**first_values(SyncMode.FULL, utc_now()), "organization_id": "org_a", "version": 1, "epoch": 0}
    async with database.writing() as connection:
        await connection.execute(insert(SYNC).values(**row, sync_id="one"))
    with pytest.raises(IntegrityError):
        async with database.writing() as connection:
            await connection.execute(insert(SYNC).values(**row, sync_id="two"))
    async with database.writing() as connection:
        await connection.execute(SYNC.update().values(completed_at=utc_now()))
        await connection.execute(insert(SYNC).values(**row, sync_id="two"))


async def test_errors_do_not_show_the_values_to_store(database):
    """A database error never shows a row's content."""
    row = {**first_values(SyncMode.FULL, utc_now()), "organization_id": "org_secret", "version": None, "epoch": 0}
    with pytest.raises(IntegrityError) as caught:
        async with database.writing() as connection:
            await connection.execute(insert(SYNC).values(**row, sync_id="one"))
    assert "org_secret" not in str(caught.value)


EARLIER = [
    script.revision
    for script in ScriptDirectory.from_config(alembic_config()).walk_revisions()
    if script.nextrev  # all but the newest
]


@pytest.mark.parametrize("revision", EARLIER)
async def test_an_earlier_form_is_brought_up_to_date_with_its_rows(empty_database_url, revision):
    """An upgrade from any earlier version keeps all connections, all syncs, and the running sync."""
    database = Database(empty_database_url)
    await upgrade(database, revision)
    now = utc_now()
    rows = {
        "connections": {
            "organization_id": "org_a",
            "state": "connected",
            "base_url": "https://a",
            "shard": "au1",
            "encrypted_key": b"\x00\xff",
            "encryption_key_id": "k",
            "created_at": now,
            "updated_at": now,
        },
        "syncs": {**earlier_sync(now), "organization_id": "org_a", "version": 7, "epoch": 3}
        | {"sync_id": "sync_a", "checkpoint": {"step": 4, "last": "99"}},
    }
    removed = {"syncs": {"has_rows": False}} if revision < "0010" else {}
    async with database.writing() as connection:
        for name, values in rows.items():
            await insert_earlier(connection, name, values | removed.get(name, {}))
    assert await upgrade(database) not in {revision, ""}
    async with database.reading() as connection:
        for name, values in rows.items():
            table = METADATA.tables[name]
            (row,) = await connection.execute(select(table))
            assert {key: row._mapping[key] for key in values} == values
    async with database.writing() as connection:
        changed = await change_running(connection, 1, 3, {"patients_found": 8})
    assert changed is not None, "the running sync continues"
    shown = snapshot_of(changed)
    assert (shown.steps, shown.started_by, shown.cancelled_by) == ((), None, None)
    await database.close()


async def test_a_stored_no_becomes_unknown(empty_database_url):
    """Unmarked visits that were stored as no become unknown; else every unmarked class visit would be a no-show."""
    database = Database(empty_database_url)
    await upgrade(database, "0004")
    now = utc_now()
    times = {"generation": 1, "created_at": now, "updated_at": now}
    attendee = {**times, "booking_id": "1", "patient_id": "2"}
    visit = {**times, "kind": "individual", "patient_id": "2", "starts_at": now}
    shown = {"organization_id": "org_a", "generation": 1, "patients_in_cliniko": 641, "synced_at": now}
    async with database.writing() as connection:
        await insert_earlier(connection, "mirrors", shown)
        for row_id, mark in (("1", True), ("2", False)):
            await insert_earlier(connection, "mirrored_attendees", {**attendee, "id": row_id, "arrived": mark})
            await insert_earlier(connection, "mirrored_appointments", {**visit, "id": row_id, "did_not_arrive": mark})
        active = {"organization_id": "org_a", "patient_id": "2", "is_active": True, "updated_at": now}
        counts = {"recent_appointments": 3, "upcoming_appointments": 4}
        await insert_earlier(connection, "active_patients", {**active, **counts})
    await upgrade(database)
    async with database.reading() as connection:
        for table, column in ((ATTENDEE, ATTENDEE.c.arrived), (APPOINTMENT, APPOINTMENT.c.did_not_arrive)):
            marks = await connection.execute(select(column).order_by(table.c.id))
            assert list(marks.scalars()) == [True, None]
        (row,) = await connection.execute(select(ACTIVITY))
        assert (row.recent_appointments, row.missed_appointments, row.upcoming_appointments) == (3, 0, 4)
    await database.close()


async def test_a_database_of_another_program_is_left_alone(empty_database_url):
    """Another program's database is left unchanged even if its tables have our names; the error says what to do."""
    database = Database(empty_database_url)
    async with database.writing() as connection:
        await connection.execute(text("CREATE TABLE syncs (theirs INTEGER)"))
    with pytest.raises(StorageError, match="belongs to another program: it has a table syncs"):
        await upgrade(database)
    async with database.reading() as connection:
        names = await connection.run_sync(lambda plain: inspect(plain).get_table_names())
    assert names == ["syncs"]
    await database.close()
