"""Migrations make exactly the tables that the code uses, on an empty file and when applied again."""

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError

from routiq_gql.clock import utc_now
from routiq_gql.database.engine import Database
from routiq_gql.database.schema import alembic_config, upgrade
from routiq_gql.database.syncs import SYNC
from routiq_gql.sync.progress import SyncMode
from routiq_gql.sync.store import first_values
from tests.database.check_migrations import check

pytestmark = pytest.mark.both_databases


@pytest.fixture
async def database(empty_database_url):
    """A database with all tables."""
    database = Database(empty_database_url)
    await upgrade(database)
    yield database
    await database.close()


async def test_migrations_and_tables_agree(empty_database_url):
    """What the migrations create is what the code expects."""
    await check(empty_database_url)


async def test_upgrading_twice_changes_nothing(database):
    """Starting again with a current file is harmless."""
    newest = ScriptDirectory.from_config(alembic_config()).get_current_head()
    assert await upgrade(database) == await upgrade(database) == newest


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
