"""Transactions on a real SQLite file have the properties that the rest of the code relies on."""

import asyncio
import gc
import sqlite3
import subprocess
import sys
import time
import warnings
from contextlib import suppress

import pytest
from sqlalchemy import text

from routiq_gql.database.engine import Database
from routiq_gql.database.schema import upgrade
from routiq_gql.errors import StorageError

pytestmark = pytest.mark.usefixtures("threaded_sqlite")

INCREMENT = """
import asyncio, sys
from sqlalchemy import text
from routiq_gql.database.engine import Database

async def main():
    database = Database(sys.argv[1])
    for _ in range(50):
        async with database.writing() as connection:
            value = (await connection.execute(text("SELECT value FROM counter"))).scalar_one()
            await connection.execute(text("UPDATE counter SET value = :value"), {"value": value + 1})
    await database.close()

asyncio.run(main())
"""


@pytest.fixture
async def counter(tmp_path):
    """A database with a single number."""
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/counter.db")
    async with database.writing() as connection:
        await connection.execute(text("CREATE TABLE counter (value INTEGER NOT NULL)"))
        await connection.execute(text("INSERT INTO counter VALUES (0)"))
    yield database
    await database.close()


async def read(database: Database) -> int:
    async with database.reading() as connection:
        return (await connection.execute(text("SELECT value FROM counter"))).scalar_one()


async def test_no_read_modify_write_is_lost_between_processes(counter):
    """Concurrent increments by two programs all count."""
    others = [subprocess.Popen([sys.executable, "-c", INCREMENT, str(counter.url)]) for _ in range(2)]
    for _ in range(50):
        async with counter.writing() as connection:
            value = (await connection.execute(text("SELECT value FROM counter"))).scalar_one()
            await connection.execute(text("UPDATE counter SET value = :value"), {"value": value + 1})
    for other in others:
        assert await asyncio.to_thread(other.wait, 60) == 0
    assert await read(counter) == 150


async def test_two_reads_of_one_transaction_agree(counter):
    """A reader sees the state of a single moment, whatever is written meanwhile."""
    async with counter.reading() as connection:
        before = (await connection.execute(text("SELECT value FROM counter"))).scalar_one()
        async with counter.writing() as writer:
            await writer.execute(text("UPDATE counter SET value = 7"))
        after = (await connection.execute(text("SELECT value FROM counter"))).scalar_one()
    assert (before, after) == (0, 0)
    assert await read(counter) == 7


async def test_an_error_rolls_the_whole_transaction_back(counter):
    """Half of a change is never stored."""
    with pytest.raises(RuntimeError):
        async with counter.writing() as connection:
            await connection.execute(text("UPDATE counter SET value = 3"))
            raise RuntimeError
    assert await read(counter) == 0


async def test_a_cancelled_long_statement_frees_the_write_lock_at_once(counter):
    """A cancellation does not wait for a long computation in the database."""
    started = asyncio.Event()

    async def compute_for_long() -> None:
        async with counter.writing() as connection:
            await connection.execute(text("UPDATE counter SET value = 99"))
            started.set()
            endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
            await connection.execute(text(endless))

    task = asyncio.create_task(compute_for_long())
    await started.wait()
    await asyncio.sleep(0.05)
    began = time.monotonic()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with counter.writing() as connection:
        await connection.execute(text("UPDATE counter SET value = value + 1"))
    assert time.monotonic() - began < 10, "the endless statement was not interrupted"
    assert await read(counter) == 1


@pytest.mark.parametrize(
    ("content", "sentence"),
    [(b"this is no database" * 100, "is damaged or is not a database"), (None, "can't be opened")],
)
async def test_a_file_that_is_no_database_is_reported_in_a_sentence(tmp_path, content, sentence):
    """A damaged or unreachable file leads to an explanation, not a traceback."""
    path = tmp_path / "routiq.db" if content else tmp_path / "missing" / "routiq.db"
    if content:
        path.write_bytes(content)
    database = Database(f"sqlite+aiosqlite:///{path}")
    with pytest.raises(StorageError, match=sentence):
        await upgrade(database)
    await database.close()


async def test_a_file_of_a_newer_version_is_left_alone(tmp_path):
    """An older program refuses a newer file instead of damaging it."""
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/routiq.db")
    await upgrade(database)
    async with database.writing() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StorageError, match="newer version"):
        await upgrade(database)
    await database.close()


async def test_a_file_locked_by_another_program_is_reported_in_a_sentence(counter, monkeypatch):
    """When another program keeps the file locked, the error names the file."""
    monkeypatch.setattr("routiq_gql.database.sqlite.BUSY_TIMEOUT_SECONDS", 0)
    other = sqlite3.connect(counter.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    locked_out = Database(str(counter.url))
    with pytest.raises(StorageError, match="locked"):
        async with locked_out.writing() as connection:
            await connection.execute(text("UPDATE counter SET value = 1"))
    other.execute("ROLLBACK")
    other.close()
    await locked_out.close()


async def test_a_cancelled_opening_of_a_connection_leaves_nothing_open(tmp_path):
    """A request that is cancelled at its very beginning leaves no file open."""
    with warnings.catch_warnings(record=True) as complaints:
        warnings.simplefilter("always", ResourceWarning)
        for turns in range(40):
            database = Database(f"sqlite+aiosqlite:///{tmp_path}/{turns}.db")

            async def read(database: Database = database) -> None:
                async with database.reading() as connection:
                    await connection.execute(text("SELECT 1"))

            task = asyncio.create_task(read())
            for _ in range(turns):
                await asyncio.sleep(0.0005)
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            await database.close()
        del database, task
        gc.collect()
    assert [str(complaint.message) for complaint in complaints] == []
