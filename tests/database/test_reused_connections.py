"""A connection returns to the pool as a new one, however its transaction has ended."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing, suppress
from itertools import product
from pathlib import Path

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
    with closing(sqlite3.connect(database.path or "", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StorageError):
            await writes_at_once(database)


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


async def test_no_transaction_changes_the_next_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever two transactions did before on a connection, the next one waits, reads and writes as on a new one."""
    run_without_threads(monkeypatch)
    database = Database(f"sqlite+aiosqlite:///{tmp_path / 'x.db'}")
    await database.check_can_be_opened()
    async with database.writing() as connection:
        await connection.execute(text("CREATE TABLE t (a INTEGER)"))
        await connection.execute(text("INSERT INTO t VALUES (0)"))
        settings = await _settings(connection)
    assert settings["busy_timeout"] == BUSY_TIMEOUT_SECONDS * 1000
    for before in product(TRANSACTIONS, repeat=2):
        for one in before:
            await one(database)
        async with database.reading() as connection:
            assert await _settings(connection) == settings, [one.__name__ for one in before]
        await writes_at_once(database)
    await database.close()


async def _settings(connection: AsyncConnection) -> dict[str, object]:
    names = ("busy_timeout", "foreign_keys", "secure_delete", "read_uncommitted", "query_only")
    return {name: (await connection.exec_driver_sql(f"PRAGMA {name}")).scalar_one() for name in names}
