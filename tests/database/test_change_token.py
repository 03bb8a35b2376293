"""The change token: equal tokens prove that no process has committed anything in between."""

import asyncio
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from routiq_gql.database.engine import Database
from routiq_gql.errors import DatabaseFileLost
from routiq_gql.settings import Settings

COMMIT_ON_INPUT = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
for line in sys.stdin:
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("UPDATE counter SET value = value + 1")
    connection.execute(line.strip())
    print("done", flush=True)
"""


@pytest.fixture
async def counter(tmp_path: Path) -> AsyncIterator[Database]:
    """An open database file with a single number."""
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/counter.db")
    await database.check_can_be_opened()
    async with database.writing() as connection:
        await connection.execute(text("CREATE TABLE counter (value INTEGER NOT NULL)"))
        await connection.execute(text("INSERT INTO counter VALUES (0)"))
    yield database
    await database.close()


async def _read(database: Database) -> int:
    async with database.reading() as connection:
        return int((await connection.execute(text("SELECT value FROM counter"))).scalar_one())


async def _add(database: Database) -> None:
    async with database.writing() as connection:
        await connection.execute(text("UPDATE counter SET value = value + 1"))


async def test_each_commit_of_this_process_changes_the_token(counter: Database):
    """After every stored change the token differs, so an answer from memory is never older than the database."""
    tokens = [counter.change_token()]
    for _ in range(20):
        await _add(counter)
        tokens.append(counter.change_token())
    assert None not in tokens
    assert len(set(tokens)) == 21


async def test_reads_and_rollbacks_keep_the_token(counter: Database):
    """While clinics only read, nothing has to be read again."""
    token = counter.change_token()
    assert token is not None
    for _ in range(5):
        await _read(counter)
        with pytest.raises(RuntimeError):
            async with counter.writing() as connection:
                await connection.execute(text("UPDATE counter SET value = 99"))
                raise RuntimeError
        assert counter.change_token() == token


async def test_a_commit_of_another_process_changes_the_token(counter: Database):
    """A second program on the same file is noticed with its commit, and not with its rollback."""
    command = [sys.executable, "-c", COMMIT_ON_INPUT, str(counter.path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:

        async def tell(statement: str) -> None:
            assert other.stdin is not None and other.stdout is not None  # noqa: PT018
            other.stdin.write(f"{statement}\n")
            other.stdin.flush()
            assert await asyncio.to_thread(other.stdout.readline) == "done\n"

        for number in range(1, 6):
            before = counter.change_token()
            await tell("ROLLBACK")
            assert counter.change_token() == before
            await tell("COMMIT")
            assert counter.change_token() != before
            assert await _read(counter) == number


async def test_a_value_read_after_the_token_is_current_while_the_token_is_equal(counter: Database):
    """Whatever is written at the same time, equal tokens before and after never hide a change."""
    proved = 0

    async def write() -> None:
        for _ in range(100):
            await _add(counter)
            await asyncio.sleep(0.002)

    writing = asyncio.create_task(write())
    while not writing.done():
        token = counter.change_token()
        value = await _read(counter)
        await asyncio.sleep(0.001)
        with closing(sqlite3.connect(str(counter.path))) as other:
            newest = other.execute("SELECT value FROM counter").fetchone()[0]
        if counter.change_token() == token:
            assert value == newest
            proved += 1
    await writing
    assert proved > 0


async def test_a_checkpoint_leaves_the_token_right(counter: Database):
    """When SQLite moves its log into the file, later changes are still noticed."""
    for _ in range(3):
        assert await counter.forget_deleted()
        before = counter.change_token()
        await _add(counter)
        assert counter.change_token() != before


async def test_a_lost_file_has_no_token(counter: Database):
    """After somebody has deleted the file, nothing is answered from memory any more."""
    assert counter.change_token() is not None
    assert counter.path is not None
    counter.path.unlink()
    with pytest.raises(DatabaseFileLost):
        counter.check_file()
    assert counter.change_token() is None


async def test_the_token_is_read_without_waiting_for_a_writer(counter: Database):
    """A program that keeps the file locked does not stop the server."""
    other = sqlite3.connect(str(counter.path), isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    try:
        async with asyncio.timeout(1):
            counter.change_token()
    finally:
        other.execute("ROLLBACK")
        other.close()


async def test_a_closed_database_has_no_token(counter: Database):
    """A process that has closed its database reads nothing from it."""
    await counter.close()
    assert counter.change_token() is None


@pytest.mark.postgres_only
async def test_postgresql_has_no_token(settings: Settings):
    """With PostgreSQL the token is never known, so its callers read the database."""
    database = Database(settings.database_url)
    await database.check_can_be_opened()
    assert database.change_token() is None
    await database.close()
