"""The driver of SQLite: how often it calls its thread, and that no call of a cancelled statement is left behind."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from routiq_gql.database.engine import Database
from routiq_gql.database.sqlite_driver import Connection
from tests.waiting import LIMIT_SECONDS, until

pytestmark = pytest.mark.usefixtures("threaded_sqlite")

SLOW = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50000000) SELECT count(*) FROM n"


class CountingConnection(Connection):
    """Counts the calls to its thread."""

    calls = 0

    async def _execute(self, fn, *args, **kwargs):  # type: ignore[no-untyped-def]
        self.calls += 1
        return await super()._execute(fn, *args, **kwargs)


@pytest.fixture
async def connection(tmp_path: Path) -> AsyncIterator[CountingConnection]:
    opened = CountingConnection(
        lambda: sqlite3.connect(tmp_path / "x.db", isolation_level=None, check_same_thread=False)
    )
    await opened
    yield opened
    await opened.close()


async def test_a_statement_of_sqlalchemy_takes_a_single_call(connection: CountingConnection) -> None:
    """A transaction with two statements wakes the thread of the database four times and not fourteen times."""

    async def reuse() -> CountingConnection:
        return connection

    engine = create_async_engine("sqlite+aiosqlite://", async_creator=reuse)
    async with engine.connect() as used:
        await used.exec_driver_sql("BEGIN")
        before = connection.calls
        await used.execute(text("CREATE TABLE t (a INTEGER)"))
        await used.execute(text("INSERT INTO t VALUES (:a)"), [{"a": 1}, {"a": 2}])
        assert connection.calls == before + 2
        rows = (await used.execute(text("SELECT a FROM t ORDER BY a"))).all()
        assert [tuple(row) for row in rows] == [(1,), (2,)]
        await used.commit()
        assert connection.calls == before + 4
    assert connection.calls == before + 4, "the connection was returned to the pool without a call"
    await engine.dispose()


async def test_a_cursor_tells_the_columns_and_the_number_of_changed_rows(connection: CountingConnection) -> None:
    """The driver reports what a statement has read and changed."""
    async with connection.cursor() as cursor:
        await cursor.execute("CREATE TABLE t (a INTEGER, b TEXT)")
        await cursor.executemany("INSERT INTO t VALUES (?, ?)", [(1, "x"), (2, "y"), (3, "z")])
        await cursor.execute("UPDATE t SET b = 'w' WHERE a > ?", (1,))
        assert cursor.rowcount == 2
        await cursor.execute("SELECT a, b FROM t WHERE b = 'w' ORDER BY a")
        assert [column[0] for column in cursor.description] == ["a", "b"]
        assert await cursor.fetchall() == [(2, "w"), (3, "w")]


async def test_nothing_is_rolled_back_twice(connection: CountingConnection) -> None:
    """A transaction that has ended is not rolled back again, and an open one is."""
    async with connection.cursor() as cursor:
        await cursor.execute("CREATE TABLE t (a INTEGER)")
        before = connection.calls
        await connection.rollback()
        assert connection.calls == before
        await cursor.execute("BEGIN")
        await cursor.execute("INSERT INTO t VALUES (1)")
        await connection.rollback()
        await cursor.execute("SELECT count(*) FROM t")
        assert await cursor.fetchall() == [(0,)]


async def test_a_cancelled_beginning_is_rolled_back(connection: CountingConnection) -> None:
    """A transaction whose caller was cancelled before it had begun is rolled back all the same."""
    async with connection.cursor() as cursor:
        slow = asyncio.create_task(cursor.execute(SLOW))
        await asyncio.sleep(0.05)
        beginning = asyncio.create_task(connection.execute("BEGIN"))
        await asyncio.sleep(0.05)
        beginning.cancel()  # it is still behind the slow statement
        await asyncio.wait([beginning])
        assert beginning.cancelled()
        assert not connection.in_transaction
        rollback = asyncio.create_task(connection.rollback())
        await asyncio.sleep(0.05)
        await connection.interrupt()
        with pytest.raises(sqlite3.OperationalError, match="interrupted"):
            await slow
        await rollback
        assert not connection.in_transaction
        before = connection.calls
        await connection.rollback()
        assert connection.calls == before, "nothing is left to roll back"


async def test_an_error_of_a_statement_reaches_its_caller(tmp_path: Path) -> None:
    """A refused row is an error for its writer only, and the connection works on."""
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/y.db")
    await database.check_can_be_opened()
    async with database.writing() as used:
        await used.execute(text("CREATE TABLE t (a INTEGER PRIMARY KEY)"))
        await used.execute(text("INSERT INTO t VALUES (1)"))
    with pytest.raises(Exception, match="UNIQUE"):
        async with database.writing() as used:
            await used.execute(text("INSERT INTO t VALUES (2)"))
            await used.execute(text("INSERT INTO t VALUES (1)"))
    async with database.reading() as used:
        assert (await used.execute(text("SELECT a FROM t"))).scalars().all() == [1]
    await database.close()


async def test_a_closed_cursor_keeps_no_statement(connection: CountingConnection, tmp_path: Path) -> None:
    """A closed connection leaves no lock behind, whatever its cursors have done."""
    cursor = await connection.cursor()
    await cursor.execute("CREATE TABLE t (a INTEGER)")
    await cursor.execute("BEGIN")
    await cursor.executemany("INSERT INTO t VALUES (?)", [(1,), (2,)])
    await cursor.close()
    await connection.close()
    with closing(sqlite3.connect(tmp_path / "x.db", timeout=0)) as other:
        other.execute("INSERT INTO t VALUES (3)")
        other.commit()
        assert other.execute("SELECT a FROM t").fetchall() == [(3,)]


async def test_a_close_ends_when_the_thread_was_stopped_meanwhile(connection: CountingConnection) -> None:
    """Whatever the moment of the stop, a close that has begun returns."""
    closing_connection = asyncio.ensure_future(connection.close())
    await asyncio.sleep(0)
    connection.stop()
    async with asyncio.timeout(LIMIT_SECONDS):
        await closing_connection


async def test_a_caller_who_is_cancelled_again_leaves_no_task(tmp_path: Path) -> None:
    """A statement's caller is cancelled, and cancelled once more at each step of the close of its connection."""
    database = Database(f"sqlite+aiosqlite:///{tmp_path / 'x.db'}")
    await database.check_can_be_opened()
    before = asyncio.all_tasks()

    async def read() -> None:
        async with database.reading() as connection:
            await connection.execute(text(SLOW))

    for steps in range(40):
        reader = asyncio.ensure_future(read())
        await asyncio.sleep(0.002)
        reader.cancel()
        for _ in range(steps):
            await asyncio.sleep(0.0005)
        reader.cancel()
        await asyncio.wait([reader])
        assert reader.cancelled()
    await until(lambda: asyncio.all_tasks() == before)
    await database.close()
