"""Migrations make exactly the tables that the code uses, on an empty file and when applied again."""

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import insert
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import IntegrityError
from sqlalchemy.schema import CreateIndex, CreateTable

from routiq_gql.clock import utc_now
from routiq_gql.database.engine import Database
from routiq_gql.database.schema import upgrade
from routiq_gql.database.syncs import SYNC
from routiq_gql.database.tables import Base
from routiq_gql.sync.progress import SyncMode
from routiq_gql.sync.store import first_values


@pytest.fixture
async def database(tmp_path):
    """A database with all tables."""
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/routiq.db")
    await upgrade(database)
    yield database
    await database.close()


async def test_migrations_and_tables_agree(database):
    """What the migrations create is what the code expects."""
    async with database.reading() as connection:
        differences = await connection.run_sync(
            lambda plain: compare_metadata(MigrationContext.configure(plain), Base.metadata)
        )
    assert differences == []


async def test_upgrading_twice_changes_nothing(database):
    """Starting again with a current file is harmless."""
    assert await upgrade(database) == await upgrade(database) == "0002"


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


async def test_errors_do_not_show_what_was_to_be_stored(database):
    """A database error never carries a row's content."""
    row = {**first_values(SyncMode.FULL, utc_now()), "organization_id": "org_secret", "version": None, "epoch": 0}
    with pytest.raises(IntegrityError) as caught:
        async with database.writing() as connection:
            await connection.execute(insert(SYNC).values(**row, sync_id="one"))
    assert "org_secret" not in str(caught.value)


def test_tables_can_be_made_in_postgresql():
    """Every table and index has a form that PostgreSQL understands."""
    dialect = postgresql.dialect()
    for table in Base.metadata.sorted_tables:
        assert "CREATE TABLE" in str(CreateTable(table).compile(dialect=dialect))
        for index in table.indexes:
            assert "CREATE" in str(CreateIndex(index).compile(dialect=dialect))
    active = next(index for index in SYNC.indexes if index.name == "uq_syncs_active_organization")
    assert "WHERE completed_at IS NULL" in str(CreateIndex(active).compile(dialect=dialect))
