"""Runs SQLite on the event loop's thread, and does not wait for the disk.

The driver hands every call to a thread of its own. A sync of a small clinic spends a third of its processor time on
these changes of threads, and their order differs between two runs of the same history. The database is the same real
file. A test with two runtimes on one file needs the threads: a runtime that waits for the other's lock stops both.
"""

import asyncio
import sqlite3
from collections.abc import Callable
from typing import Any

import aiosqlite.core
import pytest

from routiq_gql.database import sqlite
from routiq_gql.database.sqlite_files import SqliteFiles


class _Calls:
    """In the place of the queue of a connection's thread: makes a call at once, and returns its result a moment later.

    In that moment others may run, and the caller may be cancelled.
    """

    def put_nowait(self, item: tuple["asyncio.Future[Any] | None", Callable[[], Any]]) -> None:
        future, function = item
        try:
            result = function()
        except BaseException as error:
            if future is not None:
                future.get_loop().call_soon(aiosqlite.core.set_exception, future, error)
        else:
            if future is not None:
                future.get_loop().call_soon(aiosqlite.core.set_result, future, result)


class _NoThread:
    def __init__(self, **_options: object) -> None:
        self.daemon = True

    def start(self) -> None:
        """Do nothing."""


def run_without_threads(patch: pytest.MonkeyPatch) -> None:
    """Change the driver, for connections that are opened from now on."""
    patch.setattr(aiosqlite.core, "SimpleQueue", _Calls)
    patch.setattr(aiosqlite.core, "Thread", _NoThread)


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
