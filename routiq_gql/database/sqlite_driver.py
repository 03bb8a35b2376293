"""A driver for SQLite with fewer changes of threads than ``aiosqlite``, on which it is built.

``aiosqlite`` runs each connection in a thread. Its cursors call that thread four times for a statement: to open,
execute, fetch and close. Each call wakes two threads. SQLAlchemy reads all rows of a statement at once, so a single
call is enough here, and none to roll back a transaction that has ended. A sync makes a third of the calls.
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

    @property
    def has_abandoned_calls(self) -> bool:
        """Whether the thread may still make a call whose caller was cancelled."""
        return self._abandoned > 0

    @contextmanager
    async def cursor(self) -> aiosqlite.Cursor:
        """A cursor, made without a call to the thread."""
        return _Cursor(self, self._conn.cursor())

    async def rollback(self) -> None:
        """Roll back the transaction; do nothing if there is none."""
        if self.has_abandoned_calls or self.in_transaction:
            abandoned = self._abandoned
            await super().rollback()
            self._abandoned -= abandoned  # the thread has finished them before the rollback

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

    async def execute(self, sql: str, parameters: Iterable[Any] | None = None) -> Self:
        """Execute a statement and read all its rows."""
        given = parameters if parameters is not None else ()
        self._rows = await self._execute(_read_all, self._cursor, sql, given)  # type: ignore[no-untyped-call]
        return self

    async def fetchall(self) -> Iterable[sqlite3.Row]:
        """The rows of the last statement."""
        return self._rows

    async def close(self) -> None:
        """Release the statement, without a call to the thread; not while the thread may still execute it."""
        if not self._owner.has_abandoned_calls:
            with suppress(sqlite3.ProgrammingError):  # the connection was closed before
                self._cursor.close()


def _read_all(cursor: sqlite3.Cursor, sql: str, parameters: Iterable[Any]) -> Iterable[Any]:
    cursor.execute(sql, parameters)  # type: ignore[arg-type]
    return cursor.fetchall() if cursor.description else ()
