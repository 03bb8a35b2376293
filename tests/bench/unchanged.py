"""Measures what an unchanged incremental sync costs on PostgreSQL: CPU time of the worker, statements and requests.

``scale`` calls it. PostgreSQL counts the statements of all processes, those of the start of each sync and of the queue
included. The begins and ends of transactions are shown apart.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psycopg
from sqlalchemy import make_url

from routiq_gql.runtime import Runtime
from routiq_gql.security.viewer import LOCAL_OPERATOR
from routiq_gql.sync.model import SyncState
from tests.bench.table import print_table

COUNTS_STATEMENTS = "shared_preload_libraries=pg_stat_statements"
"""The setting of a server whose statements ``StatementCounter`` counts."""
CLINICS = 10_000
EVERY_SECONDS = 15 * 60
MOST_CORES, MOST_STATEMENTS = 1.0, 2_000.0
"""Of all workers together, and a second, for so many clinics that are synced so often."""
POLL_SECONDS = 0.5


class StatementCounter:
    """Counts the statements of a server that was started with ``COUNTS_STATEMENTS``."""

    def __init__(self, url: str) -> None:
        self._url = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
        self._execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")

    def count(self) -> tuple[int, int]:
        """Statements so far, and begins and ends of transactions so far; without those of the benchmark."""
        statements, ends = self._execute(COUNT) or (0, 0)
        return int(statements), int(ends)

    def running_syncs(self) -> int:
        (running,) = self._execute("SELECT count(*) AS of_benchmark FROM syncs WHERE completed_at IS NULL") or (0,)
        return int(running)

    def _execute(self, statement: str) -> tuple[int, ...] | None:
        with psycopg.connect(self._url, autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchone() if cursor.description else None


COUNT = """
SELECT coalesce(sum(calls) FILTER (WHERE NOT ends), 0), coalesce(sum(calls) FILTER (WHERE ends), 0) FROM (
    SELECT calls, query ~ '^(BEGIN|COMMIT|ROLLBACK)' AS ends FROM pg_stat_statements
    WHERE query NOT LIKE '%pg_stat_statements%' AND query NOT LIKE '%of_benchmark%'
) AS counted
"""


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost of an unchanged incremental sync, as a mean."""

    syncs: int
    cpu_seconds: float
    statements: float
    transaction_ends: float
    requests: float
    seconds: float


def cpu_seconds(pids: Sequence[int]) -> float:
    """The CPU time of processes so far; 0 where the system does not show it."""
    ticks = 0
    for pid in pids:
        if (stat := Path(f"/proc/{pid}/stat")).exists():
            ticks += sum(map(int, stat.read_text().rpartition(")")[2].split()[11:13]))
    return ticks / 100  # the clock tick of Linux


async def measure_unchanged(
    runtime: Runtime, organizations: Sequence[str], pids: Sequence[int], counter: StatementCounter
) -> Cost:
    """Sync each organization twice, and measure the second time."""
    await _sync_all(runtime, organizations, counter)
    cpu, (statements, ends), began = cpu_seconds(pids), counter.count(), time.monotonic()
    await _sync_all(runtime, organizations, counter)
    number, seconds, used = len(organizations), time.monotonic() - began, cpu_seconds(pids) - cpu
    all_statements, all_ends = counter.count()
    requests = 0
    for organization in organizations:
        last = (await runtime.syncs.dashboard(LOCAL_OPERATOR, organization)).last_sync
        if last is None or last.status is not SyncState.COMPLETED or last.receipt is None:
            raise SystemExit(f"A sync went wrong: {last.failure if last is not None else None}")
        requests += last.receipt.requests
    return Cost(
        syncs=number,
        cpu_seconds=used / number,
        statements=(all_statements - statements) / number,
        transaction_ends=(all_ends - ends) / number,
        requests=requests / number,
        seconds=seconds / number,
    )


async def _sync_all(runtime: Runtime, organizations: Sequence[str], counter: StatementCounter) -> None:
    for organization in organizations:
        await runtime.syncs.start(LOCAL_OPERATOR, organization)
    while await asyncio.to_thread(counter.running_syncs):
        await asyncio.sleep(POLL_SECONDS)


def print_unchanged(cost: Cost) -> None:
    """Show the cost, and what follows for many clinics."""
    a_second = CLINICS / EVERY_SECONDS
    rows = [
        ["CPU ms of the worker", f"{cost.cpu_seconds * 1000:.0f}", f"{MOST_CORES / a_second * 1000:.0f}"],
        ["statements", f"{cost.statements:.0f}", f"{MOST_STATEMENTS / a_second:.0f}"],
        ["begins and ends of transactions", f"{cost.transaction_ends:.0f}", ""],
        ["requests", f"{cost.requests:.1f}", "15"],
    ]
    print_table(f"An unchanged incremental sync, mean of {cost.syncs}", ["", "measured", "at most"], rows)
    follows = [
        ["cores of workers", f"{cost.cpu_seconds * a_second:.2f}", f"{MOST_CORES:g}"],
        ["statements a second", f"{cost.statements * a_second:.0f}", f"{MOST_STATEMENTS:g}"],
        ["begins and ends of transactions a second", f"{cost.transaction_ends * a_second:.0f}", ""],
    ]
    title = f"What follows for {CLINICS:,} clinics every {EVERY_SECONDS // 60} minutes: {a_second:.1f} syncs a second"
    print_table(title, ["", "needed", "at most"], follows)
