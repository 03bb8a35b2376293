"""The database connection pool and its two kinds of transaction, ``reading()`` and ``writing()``.

Everyone who touches a table does so inside one of them. SQLite's driver is told to leave transactions to us:
its own default lets two reads of one transaction differ and fails concurrent writers in spite of the timeout.
"""

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path
from typing import Any

import aiosqlite
from sqlalchemy import event, make_url
from sqlalchemy.engine import Connection as SyncConnection
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DatabaseError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from routiq_gql.errors import StorageError

BUSY_TIMEOUT_SECONDS = 30
"""How long a statement waits for another process that writes to the same SQLite file."""
INTERRUPT_INTERVAL_SECONDS = 0.01


class Database:
    """One database, opened once per process.

    Transactions are never held across a wait for the network. Within a process writers queue on one lock, so that
    SQLite's own waiting, which is unfair, is left to other processes.
    """

    def __init__(self, url: str) -> None:
        self.url = make_url(url)
        # Parameters hold names and e-mail addresses; without this, errors would print them.
        self._engine = create_async_engine(self.url, hide_parameters=True)
        self._write_lock = asyncio.Lock()
        event.listen(self._engine.sync_engine, "connect", _prepare_connection)
        event.listen(self._engine.sync_engine, "begin", _begin)
        event.listen(self._engine.sync_engine, "handle_error", _interrupt_cancelled)

    @property
    def path(self) -> Path:
        """The SQLite file."""
        return Path(self.url.database or "")

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that sees one state of the database from its first statement on; changes are rolled back."""
        async with self._transaction("BEGIN") as connection:
            yield connection

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that is committed at the end of the block and rolled back when an error leaves it.

        When the block is cancelled while the commit is under way, the commit may have happened: read again.
        """
        async with self._write_lock, self._transaction("BEGIN IMMEDIATE") as connection:
            yield connection
            await connection.commit()

    @asynccontextmanager
    async def _transaction(self, begin: str) -> AsyncIterator[AsyncConnection]:
        try:
            async with self._engine.connect() as connection:
                await connection.execution_options(routiq_begin=begin)
                yield connection
        except DatabaseError as error:
            sentence = storage_sentence(error.orig, self.path)
            if sentence is None:
                raise
            raise StorageError(sentence) from error

    async def check_can_be_opened(self) -> None:
        """Pass if the file is there or can be made. To be called once, before all else.

        The driver's thread outlives an opening that failed, and complains when the process ends meanwhile.

        Raises:
            StorageError: It can't be opened.
        """
        # Nobody else on the machine may read what is stored. SQLite gives its other files the mode of this one.
        with suppress(OSError):
            os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        try:
            sqlite3.connect(self.path).close()
        except sqlite3.Error as error:
            raise StorageError(storage_sentence(error, self.path) or f"{self.path} can't be opened.") from error

    async def forget_deleted(self) -> bool:
        """Bring the write-ahead log, which still holds older states, to an end; ``False`` while a reader needs it."""

        def checkpoint() -> bool:
            with closing(sqlite3.connect(self.path, timeout=BUSY_TIMEOUT_SECONDS)) as connection:
                busy: int = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
            return not busy

        return await asyncio.to_thread(checkpoint)

    async def close(self) -> None:
        """Close all connections; open transactions are rolled back."""
        await self._engine.dispose()


def storage_sentence(error: BaseException | None, path: Path) -> str | None:
    """What to tell an operator about a failure of the database file itself; ``None`` for any other error."""
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:
        return None
    match code & 0xFF:  # the low byte is the primary code; the rest tells details
        case sqlite3.SQLITE_FULL:
            return f"The disk that holds {path} is full. Free some space; syncs go on by themselves."
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return f"Another program has kept {path} locked for {BUSY_TIMEOUT_SECONDS} s. Close it, then try again."
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return f"{path} is damaged or is not a database. Restore it from a backup, or move it away to start anew."
        case sqlite3.SQLITE_CANTOPEN:
            return f"{path} can't be opened. Check that its folder exists and that this user may write to it."
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM:
            return f"{path} can't be written to. Check the permissions of the file and of its folder."
        case sqlite3.SQLITE_IOERR:
            return f"Reading or writing {path} failed. Check the disk, then try again."
    return None


def _prepare_connection(connection: Any, _entry: ConnectionPoolEntry) -> None:
    connection.isolation_level = None
    try:
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_SECONDS * 1000}")
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.execute("PRAGMA secure_delete = ON")  # what is deleted about a person is gone, not merely out of sight
        cursor.close()
    except BaseException:
        connection.close()  # the pool forgets a connection that was not ready, and would leave it open
        raise


def _begin(connection: SyncConnection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get("routiq_begin", "BEGIN"))


def _interrupt_cancelled(context: ExceptionContext) -> None:
    """End a statement that the driver's thread would go on with after its caller was cancelled, keeping its locks."""
    if isinstance(context.original_exception, asyncio.CancelledError) and context.connection is not None:
        adapted: Any = context.connection.connection.dbapi_connection
        adapted.run_async(_stop_statement)


async def _stop_statement(driver: aiosqlite.Connection) -> None:
    # The thread may not have begun the statement yet, and an interrupt then does nothing: repeat it until the
    # rollback, which queues behind the statement, is through. An interrupted rollback is repeated by the close.
    rollback = asyncio.ensure_future(driver.rollback())
    while not (await asyncio.wait([rollback], timeout=INTERRUPT_INTERVAL_SECONDS))[0]:
        await driver.interrupt()
    rollback.exception()
