"""SQLite as a ``Storage``: a file with a single writer at a time, and the meaning of its errors.

Transactions begin here and not in the driver: its default lets two reads of a transaction differ, and fails concurrent
writers in spite of the timeout.
"""

import asyncio
import os
import sqlite3
from contextlib import AbstractAsyncContextManager, closing, suppress
from pathlib import Path
from typing import ClassVar

from sqlalchemy import URL, event
from sqlalchemy.engine import Connection as SyncConnection
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from routiq_gql.database.sqlite_driver import Connection
from routiq_gql.database.sqlite_files import SqliteFiles
from routiq_gql.database.transaction_options import TransactionOptions
from routiq_gql.errors import DatabaseAway, StorageError
from routiq_gql.supervision import descriptor_shortage

BUSY_TIMEOUT_SECONDS = 30
"""How long a statement waits for another process that writes to the same SQLite file."""
INTERRUPT_INTERVAL_SECONDS = 0.01
LEAST_FREE_BYTES = 64 * 1024
"""A disk with less free space is full: a page of 100 rows takes about as much in the write-ahead log."""


class SqliteFile:
    """A ``Storage`` in a file. Writers of this process queue on ``write_lock``."""

    reading_options: ClassVar[TransactionOptions] = {"routiq_begin": "BEGIN"}
    writing_options: ClassVar[TransactionOptions] = {"routiq_begin": "BEGIN IMMEDIATE"}
    writers_queue = True

    def __init__(self, url: URL) -> None:
        self._url = url
        self.path = Path(url.database or "")
        self._files = SqliteFiles(self.path)
        self.write_lock: AbstractAsyncContextManager[None] = asyncio.Lock()
        self.bulk_turn: AbstractAsyncContextManager[None] = asyncio.Lock()

    @property
    def name(self) -> str:
        return str(self.path)

    def create_engine(self) -> AsyncEngine:
        # Parameters hold names and e-mail addresses, which errors would print otherwise.
        engine = create_async_engine(self._url, hide_parameters=True, async_creator=self._open)
        event.listen(engine.sync_engine, "begin", _begin)
        event.listen(engine.sync_engine, "handle_error", _interrupt_cancelled)
        return engine

    def storage_error(self, error: SQLAlchemyError) -> StorageError | None:
        if isinstance(error, PoolTimeout):
            return DatabaseAway("The database is busy at the moment. Try again soon; nothing is lost.")
        sentence = storage_sentence(getattr(error, "orig", None), self.path)
        return StorageError(sentence) if sentence is not None else None

    async def check_can_be_opened(self, engine: AsyncEngine) -> None:
        # The driver's thread survives a failed opening, and raises when the process ends meanwhile.
        del engine
        # Other users of the machine may not read the data. SQLite gives its other files the mode of this file.
        with suppress(OSError):
            os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        try:
            await asyncio.to_thread(self._files.hold, BUSY_TIMEOUT_SECONDS)
        except sqlite3.Error as error:
            raise StorageError(storage_sentence(error, self.path) or f"{self.path} can't be opened.") from error

    def check_file(self) -> None:
        self._files.check()

    def change_token(self) -> int | None:
        return self._files.data_version()

    def check_space(self) -> None:
        # A write may still fit into free space within the log or the file when nothing else does.
        with suppress(OSError):
            disk = os.statvfs(self.path.absolute().parent)
            blocks = disk.f_bfree if os.geteuid() == 0 else disk.f_bavail
            if blocks * disk.f_frsize < LEAST_FREE_BYTES:
                raise StorageError(_full_sentence(self.path))

    def close(self) -> None:
        self._files.release()

    async def lock_tables(self, connection: AsyncConnection) -> None:
        """Do nothing: a writing transaction locks the whole file."""

    async def forget_deleted(self, engine: AsyncEngine, *, rewrite: bool) -> bool:
        del engine

        def checkpoint() -> bool:
            uri, timeout = self._files.uri, BUSY_TIMEOUT_SECONDS
            with closing(sqlite3.connect(uri, timeout=timeout, uri=True, isolation_level=None)) as connection:
                if rewrite:
                    try:
                        connection.execute("VACUUM")
                    except sqlite3.OperationalError:  # another writer took too long, or the disk is too full
                        return False
                busy: int = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
            return not busy

        return await asyncio.to_thread(checkpoint)

    async def _open(self) -> Connection:
        connection = Connection(self._connect)
        await connection
        return connection

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._files.uri, uri=True, isolation_level=None, check_same_thread=False)
        try:
            _prepare(connection)
            self._files.check()  # the file may have been replaced since the transaction asked for a connection
        except BaseException:
            connection.close()
            raise
        return connection


def storage_sentence(error: BaseException | None, path: Path) -> str | None:
    """The message for an operator about a failure of the database file; ``None`` for any other error."""
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:
        return None
    match code & 0xFF:  # the low byte is the primary code; the rest holds details
        case sqlite3.SQLITE_FULL:
            return _full_sentence(path)
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return f"Another program has kept {path} locked for {BUSY_TIMEOUT_SECONDS} s. Close it, then try again."
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return (
                f"{path} is damaged or is not a database. Restore it from a backup, or move it away to start with an "
                "empty one."
            )
        case sqlite3.SQLITE_CANTOPEN:
            advice = "Check that its folder exists and that this user may write to it."
            return f"{path} can't be opened. {descriptor_shortage() or advice}"
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM:
            return f"{path} can't be written to. Check the permissions of the file and of its folder."
        case sqlite3.SQLITE_IOERR:
            return f"Reading or writing {path} failed. {descriptor_shortage() or 'Check the disk, then try again.'}"
    return None


def _full_sentence(path: Path) -> str:
    return f"The disk that holds {path} is full. Free some space; syncs resume by themselves."


def _prepare(connection: sqlite3.Connection) -> None:
    connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_SECONDS * 1000}")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA secure_delete = ON")  # overwrites deleted rows, which are about people


def _begin(connection: SyncConnection) -> None:
    options = connection.get_execution_options()
    statement, patience = options.get("routiq_begin", "BEGIN"), options.get("routiq_patience")
    if patience is None:
        driver: Connection = connection.connection.driver_connection  # type: ignore[assignment]
        driver.begin_with_next(statement)
        return
    connection.exec_driver_sql(f"PRAGMA busy_timeout = {int(patience * 1000)}")
    try:
        connection.exec_driver_sql(statement)
    finally:
        connection.exec_driver_sql(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_SECONDS * 1000}")


def _interrupt_cancelled(context: ExceptionContext) -> None:
    """Stop a statement whose caller was cancelled. The driver's thread would continue it and keep its locks."""
    if isinstance(context.original_exception, asyncio.CancelledError) and context.connection is not None:
        adapted = context.connection.connection.dbapi_connection
        if adapted is not None:
            adapted.run_async(_stop_statement)


async def _stop_statement(driver: Connection) -> None:
    # The statement is stopped even if its caller is cancelled once more meanwhile.
    await asyncio.shield(asyncio.ensure_future(_interrupt_and_roll_back(driver)))


async def _interrupt_and_roll_back(driver: Connection) -> None:
    # An interrupt does nothing while the thread has not begun the statement. So it is repeated until the rollback,
    # which queues behind the statement, is done. Closing repeats an interrupted rollback.
    rollback = asyncio.ensure_future(driver.rollback())
    while not (await asyncio.wait([rollback], timeout=INTERRUPT_INTERVAL_SECONDS))[0]:
        with suppress(ValueError, sqlite3.ProgrammingError):  # the connection was closed right after the rollback
            await driver.interrupt()
    rollback.exception()
