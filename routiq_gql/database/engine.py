"""The database connection pool and its two kinds of transaction, ``reading()`` and ``writing()``.

Every query runs inside such a transaction. ``Storage`` hides the differences between an SQLite file and a PostgreSQL
server. Other code depends on the kind of database only for the form of a few statements.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, nullcontext, suppress
from pathlib import Path
from typing import Protocol

from sqlalchemy import make_url
from sqlalchemy.exc import DatabaseError, InterfaceError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from routiq_gql.database.postgresql import PostgresServer
from routiq_gql.database.sqlite import SqliteFile
from routiq_gql.database.transaction_options import TransactionOptions
from routiq_gql.errors import DatabaseAway, StorageError
from routiq_gql.shares import Share, place

POSTGRES_SCHEME = "postgresql+psycopg"
CLOSE_SECONDS = 10.0
"""How long cancelled transactions may take to end. Cancelling a statement of PostgreSQL takes up to five."""


class Storage(Protocol):
    """The differences between the two databases.

    Attributes:
        name: Its name in messages; never with a password.
        path: The file; ``None`` for a server.
        reading_options: Execution options of a transaction that only reads.
        write_lock: Held by a transaction that writes.
        writers_queue: Whether that lock lets only a single writer use a connection.
        bulk_turn: Held around a transaction that writes many rows.
    """

    @property
    def name(self) -> str: ...
    @property
    def path(self) -> Path | None: ...
    @property
    def reading_options(self) -> TransactionOptions: ...
    @property
    def writing_options(self) -> TransactionOptions: ...
    @property
    def write_lock(self) -> AbstractAsyncContextManager[None]: ...
    @property
    def bulk_turn(self) -> AbstractAsyncContextManager[None]: ...
    @property
    def writers_queue(self) -> bool: ...

    def create_engine(self) -> AsyncEngine: ...
    def check_file(self) -> None: ...
    def change_token(self) -> int | None: ...
    def check_space(self) -> None: ...
    def close(self) -> None: ...
    def storage_error(self, error: SQLAlchemyError) -> StorageError | None: ...
    async def check_can_be_opened(self, engine: AsyncEngine) -> None: ...
    async def lock_tables(self, connection: AsyncConnection) -> None: ...
    async def forget_deleted(self, engine: AsyncEngine, *, rewrite: bool) -> bool: ...


class Database:
    """A database, opened once per process. Transactions are never held across a wait for the network."""

    def __init__(self, url: str) -> None:
        self.url = make_url(url)
        self._storage: Storage = (
            PostgresServer(self.url) if self.url.drivername == POSTGRES_SCHEME else SqliteFile(self.url)
        )
        self._engine = self._storage.create_engine()
        self._transactions: dict[object, asyncio.Task[object] | None] = {}  # by a key: the task it is open in
        self._none_open = asyncio.Event()
        self._none_open.set()
        self._is_closed = False

    @property
    def name(self) -> str:
        """Its name in messages: the path of a file, or a database and its host."""
        return self._storage.name

    @property
    def path(self) -> Path | None:
        """The SQLite file; ``None`` with PostgreSQL."""
        return self._storage.path

    @property
    def bulk_turn(self) -> AbstractAsyncContextManager[None]:
        """A lock to hold around a ``writing()`` of many rows, before any other lock. It limits how many run at a time.

        Short transactions, such as a start, a cancel or a heartbeat, then never wait for more than these few.
        """
        return self._storage.bulk_turn

    @asynccontextmanager
    async def reading(self, share: Share | None = None) -> AsyncIterator[AsyncConnection]:
        """A transaction that sees a single state of the database from its first statement on; changes are rolled back.

        Args:
            share: The share whose connections it takes; by default, the share of the current operation.
        """
        async with (
            share.connections if share is not None else place(),
            self._transaction(self._storage.reading_options) as connection,
        ):
            yield connection

    @asynccontextmanager
    async def writing(self, patience_seconds: float | None = None) -> AsyncIterator[AsyncConnection]:
        """A transaction that is committed at the end of the block and rolled back when an error leaves it.

        With PostgreSQL other transactions write at the same time, so a row to change is read with ``FOR UPDATE``.
        SQLite leaves that out, since its writers queue.

        When the block is cancelled during the commit, the commit may have happened: read again.

        Args:
            patience_seconds: How long to wait for another writer instead of half a minute, for changes that are only
                useful at once. The waits for this process's lock and for other processes add up.
        """
        options = self._storage.writing_options
        if patience_seconds is not None:
            options = {**options, "routiq_patience": patience_seconds}
        # All writers wait for the holder of the lock, so it must not wait for an organization's share.
        share = nullcontext() if self._storage.writers_queue else place()
        async with share, self._turn_to_write(patience_seconds), self._transaction(options) as connection:
            yield connection
            await connection.commit()

    @asynccontextmanager
    async def _turn_to_write(self, patience_seconds: float | None) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            try:
                async with asyncio.timeout(patience_seconds):
                    await stack.enter_async_context(self._storage.write_lock)
            except TimeoutError:
                raise DatabaseAway("The database is busy at the moment. Try again soon; nothing is lost.") from None
            yield

    @asynccontextmanager
    async def _transaction(self, options: TransactionOptions) -> AsyncIterator[AsyncConnection]:
        self._storage.check_file()
        try:
            async with self._counted(), self._engine.connect() as connection:
                await connection.execution_options(**options)
                try:
                    yield connection
                finally:
                    if self._is_closed:  # the pool no longer closes it
                        await connection.invalidate()
        except (DatabaseError, InterfaceError, PoolTimeout) as error:
            storage_error = self._storage.storage_error(error)
            if storage_error is None:
                raise
            raise storage_error from error

    @asynccontextmanager
    async def _counted(self) -> AsyncIterator[None]:
        if self._is_closed:  # the pool would open a connection that nothing closes
            raise DatabaseAway("The server is stopping. Try again soon; nothing is lost.")
        key = object()
        self._transactions[key] = asyncio.current_task()
        self._none_open.clear()
        try:
            yield
        finally:
            del self._transactions[key]
            if not self._transactions:
                self._none_open.set()

    async def check_can_be_opened(self) -> None:
        """Raise unless the database exists, or its file can be created. Called once, before anything else.

        Raises:
            StorageError: It can't be opened.
        """
        await self._storage.check_can_be_opened(self._engine)

    def check_file(self) -> None:
        """Raise if the database was exchanged since it was opened. No transaction begins after that.

        Raises:
            DatabaseFileLost: Its file was deleted or replaced. PostgreSQL never raises it.
        """
        self._storage.check_file()

    def change_token(self) -> int | None:
        """A number that changes with every commit of any process; ``None`` if it is not known.

        A value that was read after the token was taken is current while the token is equal. The call takes some
        microseconds and does not wait. With PostgreSQL the token is never known. After a loss of the file it is known
        until ``check_file`` or a transaction finds the loss.
        """
        return self._storage.change_token()

    def check_space(self) -> None:
        """Raise if the disk of the database file is full.

        Raises:
            StorageError: The disk is full. With PostgreSQL only a write shows that.
        """
        self._storage.check_space()

    async def lock_tables(self, connection: AsyncConnection) -> None:
        """Lock the schema against other changes until the connection's transaction ends."""
        await self._storage.lock_tables(connection)

    async def forget_deleted(self, *, rewrite: bool = False) -> bool:
        """Remove deleted rows from the database's files too; ``False`` while a reader needs older states.

        Args:
            rewrite: Write the whole file anew, since a page may hold remains of rows that were moved within it. That
                takes some seconds for each gigabyte, and as much free space as the file has.
        """
        return await self._storage.forget_deleted(self._engine, rewrite=rewrite)

    async def close(self) -> None:
        """Cancel the tasks that are in a transaction, and close all connections. No transaction begins after that.

        A read that several callers share may still run when the last of them has left. A pool does not close the
        connection of a transaction that ends after the pool.
        """
        self._is_closed = True
        for task in set(self._transactions.values()):
            if task is not None and task is not asyncio.current_task():
                task.cancel()
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._none_open.wait()
        await self._engine.dispose()
        self._storage.close()
