"""A connection returns to the pool as a new one, however its transaction has ended."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from itertools import product

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.database.engine import Database
from routiq_gql.database.sqlite import BUSY_TIMEOUT_SECONDS
from routiq_gql.errors import StorageError
from tests.inline_sqlite import run_without_threads

Transaction = Callable[[Database], Awaitable[None]]
WRITE = text("UPDATE t SET a = a + 1")


async def reads_nothing(database: Database) -> None:
    async with database.reading():
        pass


async def reads(database: Database) -> None:
    async with database.reading() as connection:
        await connection.execute(text("SELECT a FROM t"))


async def writes_nothing(database: Database) -> None:
    async with database.writing():
        pass


async def writes(database: Database) -> None:
    async with database.writing() as connection:
        await connection.execute(WRITE)


async def writes_at_once(database: Database) -> None:
    async with database.writing(0.01) as connection:
        await connection.execute(WRITE)


async def finds_another_writer(database: Database) -> None:
    other = Database(database.url.render_as_string(hide_password=False))
    async with other.writing() as connection:
        await connection.execute(WRITE)
        with pytest.raises(StorageError):
            await writes_at_once(database)
    await other.close()


async def gives_up_before_its_first_statement(database: Database) -> None:
    with pytest.raises(RuntimeError):
        async with database.writing():
            raise RuntimeError


async def gives_up(database: Database) -> None:
    with pytest.raises(RuntimeError):
        async with database.writing() as connection:
            await connection.execute(WRITE)
            raise RuntimeError


async def is_cancelled(database: Database) -> None:
    task = asyncio.ensure_future(writes(database))
    await asyncio.sleep(0)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


TRANSACTIONS = (
    reads_nothing, reads, writes_nothing, writes, writes_at_once, finds_another_writer,
    gives_up_before_its_first_statement, gives_up, is_cancelled,
)  # fmt: skip


SETTINGS = {
    "sqlite": ("PRAGMA busy_timeout", "PRAGMA foreign_keys", "PRAGMA secure_delete", "PRAGMA query_only"),
    "postgresql": ("SHOW lock_timeout", "SHOW statement_timeout", "SHOW transaction_isolation", "SHOW search_path"),
}


@pytest.mark.both_databases
async def test_no_transaction_changes_the_next_ones(
    database_kind: str, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever two transactions did before on a connection, the next one waits, reads and writes as on a new one."""
    if database_kind == "sqlite":
        run_without_threads(monkeypatch)
    database = Database(database_url)
    await database.check_can_be_opened()
    async with database.writing() as connection:
        await connection.execute(text("CREATE TABLE t (a INTEGER)"))
        await connection.execute(text("INSERT INTO t VALUES (0)"))
    async with database.reading() as connection:
        settings = await _settings(connection)
    if database_kind == "sqlite":
        assert settings[SETTINGS["sqlite"][0]] == BUSY_TIMEOUT_SECONDS * 1000
    for before in product(TRANSACTIONS, repeat=2):
        for one in before:
            await one(database)
        async with database.reading() as connection:
            assert await _settings(connection) == settings, [one.__name__ for one in before]
        await writes_at_once(database)
    await database.close()


async def _settings(connection: AsyncConnection) -> dict[str, object]:
    shown = SETTINGS[connection.dialect.name]
    return {one: (await connection.exec_driver_sql(one)).scalar_one() for one in shown}
