"""A database that is closed leaves no connection open, whatever is still reading or writing."""

import asyncio
import gc
import warnings
from collections.abc import Iterator
from contextlib import suppress

import pytest
from sqlalchemy import text

from routiq_gql.database import engine
from routiq_gql.database.engine import Database
from routiq_gql.errors import DatabaseAway
from routiq_gql.live.joined_read import JoinedRead

pytestmark = pytest.mark.both_databases


@pytest.fixture
def nothing_left_open() -> Iterator[None]:
    """Fails the test if the garbage collector finds a connection that was not closed."""
    gc.collect()
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always", ResourceWarning)
        yield
        gc.collect()
    assert [str(one.message) for one in found] == []


async def _select(database: Database, *, writing: bool = False) -> int:
    async with database.writing() if writing else database.reading() as connection:
        return int((await connection.execute(text("SELECT 1"))).scalar_one())


@pytest.mark.parametrize("writing", [False, True], ids=["read", "write"])
async def test_a_transaction_that_has_not_ended_is_cancelled(database_url: str, nothing_left_open: None, writing: bool):
    """A process that ends does not wait for a transaction whose caller has left."""
    database = Database(database_url)
    began = asyncio.Event()

    async def stay() -> None:
        async with database.writing() if writing else database.reading() as connection:
            await connection.execute(text("SELECT 1"))
            began.set()
            await asyncio.Event().wait()

    staying = asyncio.create_task(stay())
    await began.wait()
    await database.close()
    assert staying.cancelled()


async def test_a_shared_read_whose_callers_have_left(database_url: str, nothing_left_open: None):
    """A page that was closed at any moment of its reads keeps no connection open after the server's end."""
    for turns in range(12):
        database = Database(database_url)
        joined = JoinedRead(lambda database=database: _select(database), "read")
        callers = [asyncio.create_task(joined()) for _ in range(3)]
        for _ in range(turns):
            await asyncio.sleep(0.0005)
        for caller in callers:
            caller.cancel()
        await asyncio.gather(*callers, return_exceptions=True)
        await database.close()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            with suppress(asyncio.CancelledError, DatabaseAway):
                await task


async def test_the_task_that_closes_the_database_is_not_cancelled(database_url: str, nothing_left_open: None):
    """A command that fails within a transaction and closes the database still ends in order."""
    database = Database(database_url)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "CLOSE_SECONDS", 0.05)
        async with database.reading() as connection:
            await connection.execute(text("SELECT 1"))
            await database.close()
    assert asyncio.current_task().cancelling() == 0


async def test_a_closed_database_begins_no_transaction(database_url: str, nothing_left_open: None):
    """A late reader gets a sentence; a new connection would never be closed."""
    database = Database(database_url)
    assert await _select(database) == 1
    await database.close()
    for writing in (False, True):
        with pytest.raises(DatabaseAway, match="is stopping"):
            await _select(database, writing=writing)
