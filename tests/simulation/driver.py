"""SQLite for the simulation: the product's own driver, whose calls run on the simulation's thread.

The driver gives each call to a queue of its connection. Here each queue makes its calls one after the other, at moments
of virtual time that the seed decides, and a call whose caller was cancelled is made all the same, as in a thread. A
database that another connection has locked is tried again in virtual time. The database is a real file in memory.
"""

import asyncio
import re
import sqlite3
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from weakref import WeakValueDictionary

import aiosqlite.core

RETRY_SECONDS = 0.01
_PATIENCE = re.compile(r"PRAGMA busy_timeout = (\d+)")

Call = tuple["asyncio.Future[Any] | None", Callable[[], Any]]


class Disk:
    """What connections need from the simulation.

    Attributes:
        on_commit: Called right after a commit has changed the database, before its caller knows.
        latency: Draws the virtual seconds that a call takes.
        is_instant: Draws whether a call is made before its caller waits, as nothing else happens meanwhile.
        is_full: Whether there is no space for a change.
        is_dead: Whether the process that makes calls at the moment has been killed.
        connections: The open connections of all processes.
        on_rare: Called with the name of a rare state.
    """

    def __init__(self) -> None:
        self.on_commit: Callable[[SimulatedConnection], None] = lambda _connection: None
        self.latency: Callable[[], float] = lambda: 0.0
        self.is_instant: Callable[[], bool] = lambda: False
        self.is_full = False
        self.owner: Callable[[], object | None] = lambda: None
        self.is_dead: Callable[[object | None], bool] = lambda _owner: False
        self.connections: WeakValueDictionary[int, SimulatedConnection] = WeakValueDictionary()
        self.made = 0
        self.on_rare: Callable[[str], None] = lambda _name: None


DISK: list[Disk] = []
"""The disk of the simulation that runs; a list, as classes of the driver can't be given one."""


class KilledProcess(sqlite3.OperationalError):
    """The process that made this call has been killed."""


class SimulatedCursor(sqlite3.Cursor):
    """A cursor that does not wait for the disk or for other connections."""

    def execute(self, sql: str, parameters: Any = (), /) -> "SimulatedCursor":
        if sql.startswith("PRAGMA "):
            if match := _PATIENCE.fullmatch(sql):
                self.connection.patience = int(match[1]) / 1000
                return self
            if sql.startswith(("PRAGMA journal_mode", "PRAGMA synchronous")):
                return self
        if sql.startswith("BEGIN"):
            self.connection.is_writing = sql == "BEGIN IMMEDIATE"
        elif DISK and DISK[-1].is_full:
            _check_space(sql)
        return super().execute(sql, parameters)

    def executemany(self, sql: str, parameters: Any, /) -> "SimulatedCursor":
        if DISK and DISK[-1].is_full:
            _check_space(sql)
        return super().executemany(sql, parameters)


def _check_space(sql: str) -> None:
    if sql.startswith(("INSERT", "UPDATE", "DELETE")):
        error = sqlite3.OperationalError("database or disk is full")
        error.sqlite_errorcode = sqlite3.SQLITE_FULL
        raise error


class SimulatedConnection(sqlite3.Connection):
    """A connection of a simulated process."""

    patience = 30.0
    owner: object | None = None
    number = 0
    is_interrupted = False
    is_writing = False

    def __init__(self, *arguments: Any, **options: Any) -> None:
        options["timeout"] = 0
        super().__init__(*arguments, **options)
        if DISK:
            disk = DISK[-1]
            disk.made += 1
            self.number, self.owner = disk.made, disk.owner()
            disk.connections[self.number] = self
        super().execute("PRAGMA synchronous = OFF").close()

    def cursor(self, *_arguments: Any) -> SimulatedCursor:  # type: ignore[override]
        return super().cursor(SimulatedCursor)

    def execute(self, sql: str, parameters: Any = (), /) -> SimulatedCursor:  # type: ignore[override]
        return self.cursor().execute(sql, parameters)

    def commit(self) -> None:
        is_writing = self.in_transaction
        super().commit()
        if is_writing and DISK:
            DISK[-1].on_commit(self)

    def interrupt(self) -> None:
        """Stop a call that waits for another connection; no other call is ever under way."""
        self.is_interrupted = True

    def close(self) -> None:
        with suppress(sqlite3.ProgrammingError):  # it was closed before
            super().rollback()  # statements of a killed process may live on, and would keep its locks
        super().close()
        if DISK:
            DISK[-1].connections.pop(self.number, None)


class Calls:
    """In the place of the queue of a connection's thread."""

    def __init__(self) -> None:
        self._waiting: deque[Call] = deque()
        self._is_waiting = False
        self._waited_since: float | None = None
        self._connection: SimulatedConnection | None = None
        self._owner = DISK[-1].owner() if DISK else None

    def put_nowait(self, call: Call) -> None:
        if not DISK or asyncio._get_running_loop() is None:  # a connection that is collected after its simulation
            call[1]()
            return
        self._waiting.append(call)
        if self._is_waiting:
            return
        disk = DISK[-1]
        seconds = disk.latency()
        if seconds or not disk.is_instant():
            self._schedule(seconds)
        else:
            self._make()

    def _schedule(self, seconds: float) -> None:
        self._is_waiting = True
        loop = asyncio.get_running_loop()
        if seconds:
            loop.call_later(seconds, self._make)
        else:
            loop.call_soon(self._make)

    def _make(self) -> None:
        self._is_waiting = False
        future, function = self._waiting[0]
        connection = self._connection
        if DISK[-1].is_dead(self._owner):
            self._finish(future, None, KilledProcess("the process was killed"))
            return
        if future is not None and future.cancelled():
            DISK[-1].on_rare("a call to the database whose caller was cancelled")
        try:
            result = function()
        except sqlite3.OperationalError as error:
            if self._may_try_again(error):
                return
            self._finish(future, None, error)
        except BaseException as error:
            self._finish(future, None, error)
        else:
            if isinstance(result, SimulatedConnection):
                self._connection = result
            self._finish(future, result, None)
        finally:
            if connection is not None:
                connection.is_interrupted = False

    def _may_try_again(self, error: sqlite3.OperationalError) -> bool:
        connection = self._connection
        if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or connection is None or connection.in_transaction:
            return False
        now = asyncio.get_running_loop().time()
        if self._waited_since is None:
            self._waited_since = now
        if connection.is_interrupted or now - self._waited_since >= connection.patience:
            return False
        DISK[-1].on_rare("a transaction that waits for another process")
        self._schedule(RETRY_SECONDS)
        return True

    def _finish(self, future: "asyncio.Future[Any] | None", result: Any, error: BaseException | None) -> None:
        self._waited_since = None
        self._waiting.popleft()
        if future is not None and not future.done():
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(result)
        if self._waiting:
            self._schedule(DISK[-1].latency())


class NoThread:
    """In the place of a connection's thread."""

    def __init__(self, **_options: object) -> None:
        self.daemon = True

    def start(self) -> None:
        """Do nothing."""


def connect(database: Any, *arguments: Any, **options: Any) -> SimulatedConnection:
    """In the place of ``sqlite3.connect``."""
    return SimulatedConnection(database, *arguments, **options)


def replaced() -> list[tuple[object, str, object]]:
    """What to replace, for connections that are opened from then on: owners, names and values."""
    return [
        (aiosqlite.core, "SimpleQueue", Calls),
        (aiosqlite.core, "Thread", NoThread),
        (sqlite3, "connect", connect),
    ]
