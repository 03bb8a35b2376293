"""``make bench-scale``: syncs on PostgreSQL with 1, 2 and 4 worker processes, on this machine. See ``--help``.

First as many full syncs as the machine can do, with a Cliniko without latency. Then the cost of incremental syncs
of unchanged clinics, and what follows for many clinics. Then many running syncs that mostly wait for
Cliniko, as real ones do, and the delay until another process sees their changes. These start one after the other, as
schedules and users do, and count from the start of the last until the end of the first; the others are cancelled then.
All of it runs on one machine, emulated Cliniko and PostgreSQL too, so more workers help only while cores are free.
"""

import argparse
import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from routiq_gql.emulator import EMULATED_API_KEY
from routiq_gql.logs import configure_logging
from routiq_gql.runtime import Runtime, open_runtime
from routiq_gql.security.viewer import LOCAL_OPERATOR
from routiq_gql.serving.server import tune_gc
from routiq_gql.settings import Settings
from routiq_gql.sync.model import SyncMode, SyncState
from tests.bench.children import fork_children, start
from tests.bench.table import end_progress, milliseconds, print_table, show_progress
from tests.bench.unchanged import COUNTS_STATEMENTS, StatementCounter, measure_unchanged, print_unchanged
from tests.postgres import Cluster

KEYS = "bench:YmVuY2hiZW5jaGJlbmNoYmVuY2hiZW5jaGJlbmNoYmU="
PATIENTS = 300
"""Three pages of patients, as many of appointments: some 20 requests a sync."""
PATIENTS_UNDER_WAY = 1_200
"""Enough pages for a sync that takes more than a minute."""
ANSWERS_WHILE_STARTING = 10
"""The starts of running syncs are spread over the time of this many responses of Cliniko."""
LIMIT_SECONDS = 900


@dataclass
class Seen:
    """The changes received by a watcher in another process.

    Attributes:
        changes: When each change arrived here, on this process's clock, and how many seconds after it was made.
    """

    changes: list[tuple[float, float]] = field(default_factory=list)

    def between(self, first: float, last: float) -> "Seen":
        """The changes that arrived within this time."""
        return Seen([change for change in self.changes if first <= change[0] <= last])

    def percentile(self, percent: float) -> float:
        ordered = sorted(delay for _, delay in self.changes)
        return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))] if ordered else 0.0


@asynccontextmanager
async def workers(settings: Settings, number: int, runtime: Runtime) -> AsyncIterator[list[int]]:
    """Worker processes that are registered in the queue, by their numbers in the system."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("ROUTIQ_")},
        "ROUTIQ_DATABASE_URL": settings.database_url,
        "ROUTIQ_ENCRYPTION_KEYS": KEYS,
        "ROUTIQ_CLINIKO_REQUESTS_PER_MINUTE": "0",
        "ROUTIQ_WORKER_MAX_SYNCS": str(settings.worker_max_syncs),
        "ROUTIQ_LOG_LEVEL": "WARNING",
    }
    processes = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "routiq_gql", "worker"), env=environment, stdout=asyncio.subprocess.DEVNULL
        )
        for _ in range(number)
    ]
    try:
        async with asyncio.timeout(LIMIT_SECONDS):
            while (await runtime.engine.queue_state()).workers < number:
                await asyncio.sleep(0.1)
        yield [process.pid for process in processes]
    finally:
        for process in processes:
            process.terminate()
        await asyncio.gather(*(process.wait() for process in processes))


async def follow(runtime: Runtime, sync_id: str, seen: Seen) -> int:
    """Watch a sync to its end; returns how often it changed."""
    version = 0
    async for snapshot in runtime.syncs.watch(LOCAL_OPERATOR, sync_id):
        if version:  # the first was read, not published
            seen.changes.append((time.monotonic(), (datetime.now(UTC) - snapshot.last_updated).total_seconds()))
        version = snapshot.version
    if snapshot.status not in {SyncState.COMPLETED, SyncState.CANCELLED}:
        raise SystemExit(f"A sync went wrong: {snapshot.failure}")
    return version


async def run_all(runtime: Runtime, organizations: list[str]) -> tuple[float, int]:
    """Sync every organization once; returns seconds and changes."""
    began = time.monotonic()
    async with asyncio.timeout(LIMIT_SECONDS):
        started = [await runtime.syncs.start(LOCAL_OPERATOR, one, SyncMode.FULL) for one in organizations]
        changes = await asyncio.gather(*(follow(runtime, one.sync.sync_id, Seen()) for one in started))
    return time.monotonic() - began, sum(changes)


@dataclass(frozen=True, slots=True)
class Watched:
    """The time in which all syncs ran: its seconds, the processor seconds of this process, and the changes it saw."""

    seconds: float
    cpu_seconds: float
    seen: Seen


async def watch_all(runtime: Runtime, organizations: list[str], spread_seconds: float) -> Watched:
    """Run a sync of every organization, and watch them all."""
    seen = Seen()
    following: dict[asyncio.Task[int], str] = {}
    async with asyncio.timeout(LIMIT_SECONDS):
        for organization in organizations:
            started = await runtime.syncs.start(LOCAL_OPERATOR, organization, SyncMode.FULL)
            following[asyncio.create_task(follow(runtime, started.sync.sync_id, seen))] = started.sync.sync_id
            await asyncio.sleep(spread_seconds / len(organizations))
        began, used = time.monotonic(), time.process_time()
        _, running = await asyncio.wait(following, return_when=asyncio.FIRST_COMPLETED)
        ended, used = time.monotonic(), time.process_time() - used
        for one in running:
            await runtime.syncs.cancel(LOCAL_OPERATOR, following[one])
        await asyncio.gather(*following)
    return Watched(ended - began, used, seen.between(began, ended))


async def measure(counts: list[int], busy: int, running: int, latency_seconds: float) -> None:
    """Measure and show everything."""
    throughput, delays, unchanged = [], [], None
    with Cluster(COUNTS_STATEMENTS, on_disk=True) as cluster:
        settings = Settings(
            database_url=cluster.url,
            encryption_keys=KEYS,
            cliniko_requests_per_minute=0,
            worker_max_syncs=running,
            starts_per_minute=1000,
            log_level="WARNING",
        )
        configure_logging(settings)
        async with (
            start("emulated_clinic", str(PATIENTS)) as quick,
            start("emulated_clinic", str(PATIENTS_UNDER_WAY), str(latency_seconds)) as slow,
            open_runtime(settings, run_syncs=False) as runtime,
            AsyncExitStack() as stack,
        ):
            tune_gc()  # as processes that serve do
            addresses = [(await child.receive())["base_url"] for child in (quick, slow)]
            for number in counts:
                async with workers(settings, number, runtime) as pids:
                    show_progress(f"Workers: {number}. {busy} syncs as fast as they can")
                    names = await connect(runtime, addresses[0], busy)
                    await run_all(runtime, names[: max(1, busy // 4)])  # warm-up
                    seconds, changes = await run_all(runtime, names)
                    throughput.append([str(number), f"{busy / seconds:.1f}", f"{changes / seconds:.0f}"])
                    if unchanged is None:
                        show_progress(f"Workers: {number}. {busy} syncs of clinics that have not changed")
                        unchanged = await measure_unchanged(runtime, names, pids, StatementCounter(cluster.url))
                    show_progress(f"Workers: {number}. {running} syncs under way")
                    names = await connect(runtime, addresses[1], running)
                    watched = await watch_all(runtime, names, ANSWERS_WHILE_STARTING * latency_seconds)
                    delays.append(
                        [str(number), f"{watched.seconds:.0f}", f"{len(watched.seen.changes) / watched.seconds:.0f}"]
                        + [milliseconds(watched.seen.percentile(percent)) for percent in (50, 95, 99, 100)]
                    )
            await stack.aclose()
    end_progress()
    if unchanged is not None:
        print_unchanged(unchanged)
    print_table(
        f"{busy} syncs of {PATIENTS} patients, Cliniko answers at once", ["workers", "syncs/s", "updates/s"], throughput
    )
    print_table(
        f"{running} syncs under way, Cliniko takes {latency_seconds:g} s for an answer: until another process sees it",
        ["workers", "seconds", "seen/s", "p50 ms", "p95 ms", "p99 ms", "longest ms"],
        delays,
    )
    print(f"\nOn one machine with {os.cpu_count()} cores, which Cliniko, PostgreSQL and the watcher use too.")


async def connect(runtime: Runtime, base_url: str, number: int) -> list[str]:
    names = [f"org_{one}" for one in range(number)]
    for name in names:
        await runtime.connections.connect(LOCAL_OPERATOR, name, EMULATED_API_KEY, base_url, check=False)
    return names


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.scale", description="Measure syncs on PostgreSQL with several workers."
    )
    parser.add_argument("--quick", action="store_true", help="a short look: few syncs, one worker")
    parser.add_argument("--syncs", type=int, default=40, help="syncs that are run as fast as they can (40)")
    parser.add_argument("--running", type=int, default=200, help="syncs that are under way at the same time (200)")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4], help="numbers of workers (1 2 4)")
    given = parser.parse_args()
    if given.quick:
        fork_children()
    asyncio.run(measure([1], 4, 6, 0.2) if given.quick else measure(given.workers, given.syncs, given.running, 3.0))


if __name__ == "__main__":
    main()
