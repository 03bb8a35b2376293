"""A child that runs syncs and reports their cost: ``python -m tests.bench.measured_sync BASE_URL``.

Each line on its standard input is the mode of a sync, ``full`` or ``auto``. All syncs use the same database. The
product runs unchanged, except for a database and a bus that also measure time.
"""

import asyncio
import resource
import sqlite3
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql import runtime
from routiq_gql.database.engine import Database
from routiq_gql.emulator import EMULATED_API_KEY
from routiq_gql.engines import housekeeping, opening
from routiq_gql.live.bus import InProcessBus
from routiq_gql.logs import configure_logging
from routiq_gql.security.viewer import LOCAL_OPERATOR
from routiq_gql.settings import Settings
from routiq_gql.sync import drafting, pipeline
from routiq_gql.sync.lists import LISTS
from routiq_gql.sync.model import SyncMode, SyncSnapshot, SyncState
from routiq_gql.sync.receipt import to_json
from tests.bench.children import read_commands, tell
from tests.bench.replacing import replace
from tests.bench.yardstick import Times

ORGANIZATION = "org_bench"
TELL_SECONDS = 0.5


class Clock:
    """Measurements since the last ``reset``; times in seconds."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.writes: dict[str, list[float]] = defaultdict(list)
        self.pages: dict[str, Times] = defaultdict(Times)
        self.gap, self.gap_step = 0.0, ""
        self._kind, self._began, self._page_at = "", 0.0, ("", 0.0)
        self._told_at: float | None = None
        self.cleared = asyncio.Event()

    def begin_write(self) -> None:
        self._kind, self._began = "progress", time.perf_counter()

    def name_write(self, kind: str) -> None:
        """Name the purpose of the running transaction."""
        if self._kind:  # or it began before the reset
            self._kind = kind

    def end_write(self) -> None:
        now, kind = time.perf_counter(), self._kind
        if not kind:  # it began before the reset
            return
        self.writes[kind].append(now - self._began)
        if kind in LISTS:
            name, before = self._page_at
            if name == kind:  # a list's first page has no page before it to measure from
                self.pages[name].add(now - before)
            self._page_at = (kind, time.perf_counter())

    def told(self, snapshot: SyncSnapshot) -> None:
        """A snapshot is published to watchers."""
        now = time.perf_counter()
        if self._told_at is not None and now - self._told_at > self.gap:
            self.gap, self.gap_step = now - self._told_at, snapshot.step.name
        self._told_at = now
        if snapshot.is_terminal:
            self._told_at = None
            self.cleared.clear()


CLOCK = Clock()


class TimedDatabase(Database):
    """Measures every write transaction, from taking the lock to the end of its commit."""

    @asynccontextmanager
    async def writing(self, patience_seconds: float | None = None) -> AsyncIterator[AsyncConnection]:
        async with super().writing(patience_seconds) as connection:
            CLOCK.begin_write()
            yield connection
        CLOCK.end_write()


class TimedBus(InProcessBus):
    """Measures the time between two snapshots."""

    def publish(self, snapshot: SyncSnapshot) -> None:
        CLOCK.told(snapshot)
        super().publish(snapshot)


def measure() -> None:
    """Install the clock in the product."""
    names = {synced.target: name for name, synced in LISTS.items()}

    def named(function: Callable[..., Any], kind_of: Callable[..., str]) -> Callable[..., Any]:
        async def call(*arguments: Any, **options: Any) -> Any:
            CLOCK.name_write(kind_of(*arguments))
            return await function(*arguments, **options)

        return call

    replace(runtime, Database=TimedDatabase)
    replace(opening, InProcessBus=TimedBus)
    replace(drafting, merge_page=named(drafting.merge_page, lambda _connection, _draft, target, *_: names[target]))
    replace(
        pipeline,
        analyze_slice=named(pipeline.analyze_slice, lambda *_: "analysis"),
        publish=named(pipeline.publish, lambda *_: "storing"),
    )
    rollback_any = named(housekeeping.rollback_any, lambda *_: "clearing")

    async def clear(*arguments: Any) -> bool:
        has_more = bool(await rollback_any(*arguments))
        if not has_more:
            CLOCK.cleared.set()
        return has_more

    prune_batch = named(housekeeping.prune_batch, lambda *_: "pruning")
    replace(housekeeping, rollback_any=clear, prune_batch=prune_batch)


def peak_megabytes() -> float:
    """The peak memory of this process so far."""
    status = Path("/proc/self/status")
    if status.exists():  # getrusage would include the parent's memory at the start of this process
        fields = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return int(fields["VmHWM"].split()[0]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2  # bytes on macOS


def database_megabytes(path: Path) -> float:
    """The size of the database's content, whether SQLite has moved it from the log to the file yet or not."""
    with closing(sqlite3.connect(path)) as connection:
        (pages,), (size,) = (connection.execute(f"PRAGMA {name}").fetchone() for name in ("page_count", "page_size"))
        (unused,) = connection.execute("PRAGMA freelist_count").fetchone()
    return float((pages - unused) * size) / 1024**2


async def sync_once(opened: runtime.Runtime, mode: SyncMode) -> SyncSnapshot:
    """Run a sync to its end, with occasional progress reports."""
    started = await opened.syncs.start(LOCAL_OPERATOR, ORGANIZATION, mode)
    told_at, last = 0.0, started.sync
    async for last in opened.syncs.watch(LOCAL_OPERATOR, started.sync.sync_id):
        if time.monotonic() - told_at >= TELL_SECONDS:
            told_at = time.monotonic()
            tell(percent=last.progress_percentage, text=last.current_step)
    return last


async def run(base_url: str) -> None:
    with tempfile.TemporaryDirectory(prefix="routiq-bench-") as folder:
        path = Path(folder, "routiq.db")
        settings = Settings(database_url=f"sqlite+aiosqlite:///{path}", cliniko_requests_per_minute=0)
        configure_logging(settings, quiet=True)
        async with runtime.open_runtime(settings) as opened:
            await opened.connections.connect(LOCAL_OPERATOR, ORGANIZATION, EMULATED_API_KEY, base_url)
            async for command in read_commands():
                CLOCK.reset()
                began, worked = time.perf_counter(), time.process_time()
                last = await sync_once(opened, SyncMode(command))
                seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - worked
                await CLOCK.cleared.wait()
                tell(
                    done=last.status is SyncState.COMPLETED,
                    text=last.current_step,
                    mode=last.mode.value,
                    seconds=seconds,
                    cpu_seconds=cpu_seconds,
                    patients=last.patients_found,
                    appointments=last.appointments_found,
                    active=last.active_patients_stored,
                    receipt=to_json(last.receipt) if last.receipt is not None else None,
                    database_megabytes=database_megabytes(path),
                    peak_megabytes=peak_megabytes(),
                    pages={name: asdict(times) for name, times in CLOCK.pages.items()},
                    writes=CLOCK.writes,
                    gap=CLOCK.gap,
                    gap_step=CLOCK.gap_step,
                )


if __name__ == "__main__":
    measure()
    asyncio.run(run(sys.argv[1]))
