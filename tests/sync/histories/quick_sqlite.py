"""Runs SQLite on the event loop's thread, and does not wait for the disk.

The driver hands every call to a thread of its own: a sync of a small clinic spends most of its time with these changes
of threads, and their order differs between two runs of the same history. The database is the same real file.
"""

import asyncio
import sqlite3
from collections.abc import Callable
from typing import Any

import aiosqlite.core
import pytest

from routiq_gql.database import sqlite


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
    prepare = sqlite._prepare

    def prepare_quickly(connection: sqlite3.Connection) -> None:
        prepare(connection)
        connection.execute("PRAGMA synchronous = OFF")

    patch.setattr(aiosqlite.core, "SimpleQueue", _Calls)
    patch.setattr(aiosqlite.core, "Thread", _NoThread)
    patch.setattr(sqlite, "_prepare", prepare_quickly)
