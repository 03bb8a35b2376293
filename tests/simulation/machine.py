"""The simulated machine: its clocks, disk and network in the place of the real ones, while a simulation runs.

The product runs unchanged on top. Whatever it reads from the world outside (times, random numbers, files, responses)
comes from here, so that the same seed always makes the same story.
"""

import contextlib
import gc
import logging
import random as random_module
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, tzinfo
from random import Random
from typing import Any

import httpx
import structlog
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy.dialects.sqlite.aiosqlite import SQLiteDialect_aiosqlite
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.util import LRUCache

from routiq_gql import clock
from routiq_gql.cliniko import pacing, replies
from routiq_gql.cliniko.transport import _tls
from routiq_gql.connections import network
from routiq_gql.database.sqlite import SqliteFile
from routiq_gql.emulator import Emulator
from routiq_gql.emulator.clock import EmulatedClock
from routiq_gql.sync.run import SyncRun
from tests.simulation.driver import DISK, Disk, replaced
from tests.simulation.loop import SimulatedLoop
from tests.simulation.process import current, watch_tasks
from tests.simulation.transport import Network

BEGINNING = datetime(2026, 3, 10, 9, 17, 23, tzinfo=UTC)
_COMPILED: LRUCache[Any, Any] = LRUCache(2_000)


class Machine:
    """A machine whose parts follow a seed.

    Attributes:
        loop: Its event loop, whose time is the monotonic clock.
        wall_error: How far its wall clock is off the true time.
    """

    def __init__(self, seed: int, emulators: list[Emulator]) -> None:
        self.loop = SimulatedLoop(Random(f"order {seed}"))
        self.disk = Disk()
        self.network = Network(emulators)
        self.wall_error = timedelta()
        self.seed = seed
        self.disk.owner = current
        self.disk.is_dead = lambda owner: owner is not None and owner.is_dead  # type: ignore[attr-defined]
        self.network.is_dead = lambda: (owner := current()) is not None and owner.is_dead
        watch_tasks(self.loop)

    def true_time(self) -> datetime:
        """The time of the world outside, which never jumps back."""
        return BEGINNING + timedelta(seconds=self.loop.now)

    def wall_time(self, zone: tzinfo) -> datetime:
        """The time of the machine's wall clock."""
        return (self.true_time() + self.wall_error).astimezone(zone)

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Replace the clocks, the disk and the network of this process while the block runs."""
        state = random_module.getstate()
        with contextlib.ExitStack() as stack:
            for owner, name, value in [
                *self._clocks(),
                *replaced(),
                *_sets_in_order(self.loop),
                *_quick_parts(self),
            ]:
                stack.callback(setattr, owner, name, getattr(owner, name))
                setattr(owner, name, value)
            stack.callback(random_module.setstate, state)
            stack.enter_context(_quiet())
            random_module.seed(f"product {self.seed}")
            DISK.append(self.disk)
            stack.callback(DISK.pop)
            yield

    def _clocks(self) -> list[tuple[object, str, object]]:
        wall = _Wall(self)
        return [
            (time, "monotonic", self.loop.time),
            (time, "time", lambda: self.wall_time(UTC).timestamp()),
            *((module, "datetime", wall) for module in (clock, pacing, replies)),
        ]


@contextmanager
def _quiet() -> Iterator[None]:
    """Hide what SQLAlchemy and the collector report about the connections of killed processes."""
    before, hook = logging.root.manager.disable, sys.unraisablehook
    logging.disable()
    sys.unraisablehook = lambda _error: None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        sys.unraisablehook = hook
        logging.disable(before)


def collect() -> None:
    """Collect the objects that ended simulations and their killed processes have left."""
    with _quiet():
        for _ in range(5):  # the end of a coroutine may leave others
            if not gc.collect():
                break


class _Wall:
    """In the place of ``datetime`` in modules that read the wall clock."""

    def __init__(self, machine: Machine) -> None:
        self.now = machine.wall_time


class TrueClock(EmulatedClock):
    """The clock of a clinic, which does not follow the jumps of the machine's clock."""

    def __init__(self, machine: Machine, ahead: timedelta) -> None:
        super().__init__(ahead)
        self._machine = machine

    def now(self) -> datetime:
        moment = self._machine.true_time() + self.ahead
        return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def _quick_parts(machine: Machine) -> list[tuple[object, str, object]]:
    """Parts that would make each process slow to start: the same for all of them."""
    create = SqliteFile.create_engine

    def create_engine(file: SqliteFile) -> AsyncEngine:
        engine = create(file)
        engine.sync_engine._compiled_cache = _COMPILED
        return engine

    async def handle(_transport: object, request: httpx.Request) -> httpx.Response:
        return await machine.network.exchange(request)

    return [
        (network, "check_environment", lambda *_arguments: None),  # loads all certificates
        (ScriptDirectory, "from_config", _migrations),
        (SqliteFile, "create_engine", create_engine),
        (SQLiteDialect_aiosqlite, "__eq__", lambda one, other: type(one) is type(other)),
        (SQLiteDialect_aiosqlite, "__hash__", lambda one: hash(type(one).__name__)),
        (httpx.AsyncHTTPTransport, "handle_async_request", handle),
    ]


_from_config = ScriptDirectory.from_config


def _migrations(config: Config) -> ScriptDirectory:
    """The migrations, which are read from their files once."""
    if not _MIGRATIONS:
        _MIGRATIONS.append(_from_config(config))
    return _MIGRATIONS[0]


_MIGRATIONS: list[ScriptDirectory] = []


def _sets_in_order(loop: SimulatedLoop) -> list[tuple[object, str, object]]:
    """Hashes that do not depend on addresses, for objects that the product keeps in sets."""

    def number(one: Any) -> int:
        try:
            known: int = _NUMBERS[id(one)][1]
        except KeyError:
            known = loop.next_number()
            _NUMBERS[id(one)] = (one, known)
        return known

    _NUMBERS.clear()
    return [(SyncRun, "__hash__", number)]


_NUMBERS: dict[int, tuple[object, int]] = {}


def prepare() -> None:
    """Do once per process of ours what would take time in each simulation."""
    _tls()
    structlog.configure(processors=[_drop], cache_logger_on_first_use=False)


def _drop(_logger: object, _name: str, _event: Any) -> Any:
    raise structlog.DropEvent
