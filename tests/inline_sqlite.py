"""Runs SQLite on the event loop's thread, and does not wait for the disk.

The driver hands every call to a thread of its own. A sync of a small clinic spends a third of its processor time on
these changes of threads, and their order differs between two runs of the same history. The database is the same real
file. Programs that tests start use the threads, and so do tests with the fixture ``threaded_sqlite``.
"""

import asyncio
import re
import sqlite3
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from queue import SimpleQueue
from threading import Thread
from typing import Any

import aiosqlite.core
import pytest

from routiq_gql.database import sqlite
from routiq_gql.database.sqlite_files import SqliteFiles

RETRY_SECONDS = 0.002
LIMIT_SECONDS = 60
"""A statement that takes longer is stopped: nothing else in the process could stop it."""
STEPS_BETWEEN_LOOKS = 10_000_000
SET_PATIENCE = re.compile(r"PRAGMA busy_timeout = (\d+)")

Call = tuple["asyncio.Future[Any] | None", Callable[[], Any]]


class _Calls:
    """In the place of the queue of a connection's thread: makes a call at once, and returns its result a moment later.

    In that moment others may run, and the caller may be cancelled. A call that another connection's lock holds up is
    made again until the lock is released, or until the connection's patience ends. Later calls wait behind it.
    """

    def __init__(self) -> None:
        self._waiting: deque[Call] = deque()
        self._patience_seconds: float = sqlite.BUSY_TIMEOUT_SECONDS
        self._gives_up_at: float | None = None

    def put_nowait(self, call: Call) -> None:
        self._waiting.append(call)
        if len(self._waiting) == 1:
            self._make_calls()

    def _make_calls(self) -> None:
        while self._waiting:
            future, function = self._waiting[0]
            if self._gives_up_at is not None and future is not None and future.cancelled():
                pass  # a statement that waits for a lock is stopped when its caller is cancelled
            elif not self._make(future, function):
                return
            self._gives_up_at = None
            self._waiting.popleft()

    def _make(self, future: "asyncio.Future[Any] | None", function: Callable[[], Any]) -> bool:
        """Make a call. ``False``: it waits for a lock, and will be made again."""
        _Statement.begun = time.monotonic()
        try:
            result = None if self._sets_patience(function) else function()
        except BaseException as error:
            if future is not None:
                if _is_locked(error) and self._waits(future.get_loop()):
                    return False
                future.get_loop().call_soon(aiosqlite.core.set_exception, future, error)
        else:
            if future is not None:
                future.get_loop().call_soon(aiosqlite.core.set_result, future, result)
        return True

    def _sets_patience(self, function: Callable[[], Any]) -> bool:
        """SQLite would wait for locks on this thread, on which their holders run, too."""
        for argument in function.args if isinstance(function, partial) else ():
            if isinstance(argument, str) and (setting := SET_PATIENCE.fullmatch(argument)):
                self._patience_seconds = int(setting[1]) / 1000
                return True
        return False

    def _waits(self, loop: asyncio.AbstractEventLoop) -> bool:
        if self._gives_up_at is None:
            self._gives_up_at = loop.time() + self._patience_seconds
        if loop.time() >= self._gives_up_at:
            return False
        loop.call_later(RETRY_SECONDS, self._make_calls)
        return True


class _Statement:
    """The running call, of which there is one at a time."""

    begun = 0.0

    @classmethod
    def is_too_long(cls) -> bool:
        return time.monotonic() - cls.begun > LIMIT_SECONDS


def _is_locked(error: BaseException) -> bool:
    return isinstance(error, sqlite3.Error) and getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY


class _NoThread:
    def __init__(self, **_options: object) -> None:
        self.daemon = True

    def start(self) -> None:
        """Do nothing."""


def run_without_threads(patch: pytest.MonkeyPatch) -> None:
    """Change the driver, for connections that are opened from now on."""
    prepare = sqlite._prepare

    def prepare_without_patience(connection: sqlite3.Connection) -> None:
        prepare(connection)
        if aiosqlite.core.Thread is _NoThread:
            connection.execute("PRAGMA busy_timeout = 0")
            connection.set_progress_handler(_Statement.is_too_long, STEPS_BETWEEN_LOOKS)

    patch.setattr(sqlite, "_prepare", prepare_without_patience)
    patch.setattr(aiosqlite.core, "SimpleQueue", _Calls)
    patch.setattr(aiosqlite.core, "Thread", _NoThread)


def run_with_threads(patch: pytest.MonkeyPatch) -> None:
    """Undo ``run_without_threads``."""
    patch.setattr(aiosqlite.core, "SimpleQueue", SimpleQueue)
    patch.setattr(aiosqlite.core, "Thread", Thread)


def run_without_waiting_for_the_disk(patch: pytest.MonkeyPatch) -> None:
    """Let connections of this process commit without a sync of the file: tests outlive no power cut."""
    prepare = sqlite._prepare

    def prepare_quickly(connection: sqlite3.Connection) -> None:
        prepare(connection)
        connection.execute("PRAGMA synchronous = OFF")

    patch.setattr(sqlite, "_prepare", prepare_quickly)
    hold = SqliteFiles.hold

    def hold_quickly(files: SqliteFiles, timeout_seconds: float) -> None:
        """Also the connection that closes last, and then writes the log back into the file."""
        hold(files, timeout_seconds)
        if files._holder is not None:
            files._holder.execute("PRAGMA synchronous = OFF").close()

    patch.setattr(SqliteFiles, "hold", hold_quickly)


def return_unordered_rows_in_reverse(patch: pytest.MonkeyPatch) -> None:
    """Let connections opened from now on reverse rows without an ORDER BY, whose order is a matter of luck."""
    prepare = sqlite._prepare

    def prepare_reversed(connection: sqlite3.Connection) -> None:
        prepare(connection)
        connection.execute("PRAGMA reverse_unordered_selects = ON")

    patch.setattr(sqlite, "_prepare", prepare_reversed)
