"""A driver for SQLite with fewer changes of threads than ``aiosqlite``, on which it is built.

``aiosqlite`` runs each connection in a thread. Its cursors call that thread four times for a statement: to open,
execute, fetch and close. Each call wakes two threads. SQLAlchemy reads all rows of a statement at once, so a single
call is enough here. A transaction begins in the call of its first statement, and no call rolls back a transaction that
has ended.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, Self

import aiosqlite
from aiosqlite.context import contextmanager

CHUNK_ROWS = 64
"""Required by ``aiosqlite``; no cursor is read in chunks here."""


class Connection(aiosqlite.Connection):
    """A connection that ``await`` opens; see ``aiosqlite.Connection``.

    Args:
        connect: Opens the connection of ``sqlite3``, with ``check_same_thread=False``. It runs in the thread.
    """

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        super().__init__(connect, CHUNK_ROWS)
        self._thread.daemon = True  # a process may end without closing its connections
        self._abandoned = 0  # calls whose caller was cancelled; the thread may not have begun them
        self._begin: str | None = None
        self._stopped: asyncio.Future[object] | None = None

    @property
    def has_abandoned_calls(self) -> bool:
        """Whether the thread may still make a call whose caller was cancelled."""
        return self._abandoned > 0

    def begin_with_next(self, begin: str) -> None:
        """Execute ``begin`` right before the next statement. Its errors are those of that statement."""
        self._begin = begin

    def take_begin(self) -> str | None:
        """The statement that begins a transaction with the next one, if any; only once."""
        begin, self._begin = self._begin, None
        return begin

    @contextmanager
    async def cursor(self) -> aiosqlite.Cursor:
        """A cursor, made without a call to the thread."""
        return _Cursor(self, self._conn.cursor())

    async def rollback(self) -> None:
        """Roll back the transaction; do nothing if there is none."""
        self._begin = None
        if self.has_abandoned_calls or self.in_transaction:
            abandoned = self._abandoned
            await super().rollback()
            self._abandoned -= abandoned  # the thread has finished them before the rollback

    def stop(self) -> asyncio.Future[object] | None:
        """Close the connection and end its thread.

        A second call returns the future of the first, since an ended thread answers no further call. SQLAlchemy makes
        the second call when the caller of a cancelled statement is cancelled once more while the connection closes.
        """
        if self._stopped is None:
            self._stopped = super().stop()
        return self._stopped

    async def _execute(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        try:
            return await super()._execute(fn, *args, **kwargs)  # type: ignore[no-untyped-call]
        except asyncio.CancelledError:
            self._abandoned += 1
            raise


class _Cursor(aiosqlite.Cursor):
    """A cursor whose statements are executed and read by a single call to the thread."""

    def __init__(self, owner: Connection, cursor: sqlite3.Cursor) -> None:
        super().__init__(owner, cursor)
        self._owner = owner
        self._rows: Iterable[Any] = ()

    async def execute(self, sql: str, parameters: Iterable[object] | None = None) -> Self:
        """Execute a statement and read all its rows."""
        given = parameters if parameters is not None else ()
        begin = self._owner.take_begin()
        self._rows = await self._execute(_read_all, self._cursor, begin, sql, given)  # type: ignore[no-untyped-call]
        return self

    async def executemany(self, sql: str, parameters: Iterable[Iterable[object]]) -> Self:
        """Execute a statement once for each set of parameters."""
        begin = self._owner.take_begin()
        await self._execute(_execute_many, self._cursor, begin, sql, parameters)  # type: ignore[no-untyped-call]
        return self

    async def fetchall(self) -> Iterable[sqlite3.Row]:
        """The rows of the last statement."""
        return self._rows

    async def close(self) -> None:
        """Release the statement, without a call to the thread; not while the thread may still execute it."""
        if not self._owner.has_abandoned_calls:
            with suppress(sqlite3.ProgrammingError):  # the connection was closed before
                self._cursor.close()


def _execute_many(cursor: sqlite3.Cursor, begin: str | None, sql: str, parameters: Iterable[Any]) -> None:
    if begin is not None:
        cursor.execute(begin)
    cursor.executemany(sql, parameters)


def _read_all(cursor: sqlite3.Cursor, begin: str | None, sql: str, parameters: Iterable[object]) -> Iterable[Any]:
    if begin is not None:
        cursor.execute(begin)
    cursor.execute(sql, parameters)  # type: ignore[arg-type]
    return cursor.fetchall() if cursor.description else ()
