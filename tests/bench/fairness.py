"""``make bench-fairness``: the effect on one organization when another attacks the server.

A server with a small descriptor limit holds two organizations. Half-open connections fill it, and an organization runs
the costliest allowed operations without pause, while a client of the other requests its dashboard over new connections.
Shown are the client's latencies before and during the attack, the server's memory and its log.
"""

import argparse
import asyncio
import os
import resource
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles

from routiq_gql.clock import utc_now
from routiq_gql.database.engine import Database
from routiq_gql.database.schema import upgrade
from routiq_gql.database.syncs import NewLine, end_sync, insert_sync
from routiq_gql.security.token_file import TokenFile
from routiq_gql.sync.mapping import first_values
from routiq_gql.sync.model import LogLevel, SyncMode, SyncState, SyncStep
from tests.bench.attacker import read_answer
from tests.bench.children import ROOT, ChildBroke, fork_children, start
from tests.bench.table import end_progress, milliseconds, print_table, ratio, show_progress

DESCRIPTORS = 1024
"""A common soft limit. The hard limit is set to the same, so that the server can't raise it."""
HALF_OPEN = 1_000
SYNCS, LINES = 120, 100
"""Of each organization: more than a page of history, and a full page of log each."""
INTERVAL_SECONDS = 0.1
MOST_SECONDS = 0.5
"""The 99th percentile of the other organization's dashboard."""
MOST_MEGABYTES = 60
"""The growth of memory between the first and the last third of the attack."""
MOST_LOG_BYTES = 1_000_000

VICTIM, ATTACKER = "org_victim", "org_attacker"
HOST = "routiq.example.com"
DASHBOARD = f"/api/v1/sync/dashboard/{VICTIM}"


@dataclass(frozen=True, slots=True)
class Calm:
    """The client's measurements: latencies in seconds, and how many responses had another status than 200."""

    latencies: list[float]
    refused: int

    @property
    def percentiles(self) -> tuple[float, float]:
        hundredths = quantiles(self.latencies, n=100, method="inclusive")
        return hundredths[49], hundredths[98]


async def fill(url: str) -> None:
    """Make two organizations with ended syncs, each with a log."""
    database = Database(url)
    try:
        await upgrade(database)
        lines = [NewLine(LogLevel.INFO.value, SyncStep.STORING.value, f"Line {number}") for number in range(LINES)]
        for organization in (VICTIM, ATTACKER):
            for _ in range(SYNCS):
                async with database.writing() as connection:
                    now = utc_now()
                    row = await insert_sync(connection, organization, first_values(SyncMode.FULL, now))
                    assert row is not None
                    await end_sync(connection, row.key, {"status": SyncState.COMPLETED.value}, lines)
    finally:
        await database.close()


async def ask_repeatedly(port: int, token: str, seconds: float) -> Calm:
    """Request the dashboard ten times a second, each time over a new connection."""
    request = (
        f"GET {DASHBOARD} HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
    ).encode()
    latencies, refused, until = [], 0, time.monotonic() + seconds
    while time.monotonic() < until:
        began = time.monotonic()
        try:
            async with asyncio.timeout(30):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(request)
                status = await read_answer(reader)
                writer.close()
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            status = 0
        refused += status != 200
        latencies.append(time.monotonic() - began)
        await asyncio.sleep(max(0.0, INTERVAL_SECONDS - latencies[-1]))
    return Calm(latencies, refused)


def megabytes_of(pid: int) -> float:
    """Resident memory of a process. Source: proc(5), ``/proc/[pid]/statm``."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


async def sample_memory(pid: int, samples: list[float]) -> None:
    while True:
        samples.append(megabytes_of(pid))
        await asyncio.sleep(0.5)


async def run(seconds: float) -> int:
    """Measure and show everything; returns the exit code."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        show_progress("Filling the database")
        url = f"sqlite+aiosqlite:///{home}/routiq.db"
        await fill(url)
        tokens = TokenFile(home / "tokens")
        (_, victim), (_, attacker) = tokens.add(VICTIM), tokens.add(ATTACKER)
        environment = {name: value for name, value in os.environ.items() if not name.startswith("ROUTIQ_")} | {
            "ROUTIQ_DATABASE_URL": url,
            "ROUTIQ_AUTH": "token",
            "ROUTIQ_TOKENS_FILE": str(home / "tokens"),
            "ROUTIQ_ALLOWED_HOSTS": HOST,
        }
        log = home / "log"
        with log.open("wb") as written:
            server = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "routiq_gql", "serve", "--port", "0"),
                cwd=ROOT,
                env=environment,
                stdout=asyncio.subprocess.PIPE,
                stderr=written,
                preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS)),
            )
        try:
            port = await _port_of(server)
            show_progress("A client alone")
            before = await ask_repeatedly(port, victim, seconds / 3)
            samples: list[float] = []
            async with start("attacker", str(port), HOST, ATTACKER, attacker, str(HALF_OPEN)) as load:
                await load.receive()
                show_progress("The same client under attack")
                sampling = asyncio.create_task(sample_memory(server.pid, samples))
                log_before = log.stat().st_size
                during = await ask_repeatedly(port, victim, seconds)
                sampling.cancel()
                load.send("report")
                told = await load.receive()
            log_bytes = log.stat().st_size - log_before
        finally:
            server.terminate()
            await server.wait()
    end_progress()
    return _show(before, during, samples, log_bytes, told)


async def _port_of(server: asyncio.subprocess.Process) -> int:
    assert server.stdout is not None
    async with asyncio.timeout(60):
        async for line in server.stdout:
            if b"http://" in line:
                return int(line.split(b"http://")[1].split(b":")[1].split(b"/")[0].split()[0])
    raise ChildBroke("The server ended before it said where it listens.")


def _show(before: Calm, during: Calm, samples: list[float], log_bytes: int, told: dict[str, float]) -> int:
    rows = []
    for name, found in (("alone", before), ("under attack", during)):
        p50, p99 = found.percentiles
        rows.append(
            [
                name,
                str(len(found.latencies)),
                str(found.refused),
                milliseconds(p50),
                milliseconds(p99),
                milliseconds(max(found.latencies)),
                ratio(p99, before.percentiles[1]),
            ]
        )
    head = ["", "requests", "not 200", "p50 ms", "p99 ms", "longest ms", "p99 / alone"]
    print_table("The other organization's dashboard, over a new connection each time", head, rows)
    third = max(1, len(samples) // 3)
    first, last = max(samples[:third]), max(samples[-third:])
    print_table(
        f"The server during the attack, with {DESCRIPTORS:,} descriptors",
        ["", "", ""],
        [
            ["half-open connections opened", f"{told['opened']:,.0f}", f"{told['held']:,.0f} held at the end"],
            ["costliest operations", f"{told['answered']:,.0f} answered", f"{told['refused']:,.0f} refused"],
            ["memory, first and last third", f"{first:.0f} MB", f"{last:.0f} MB"],
            ["log", f"{log_bytes:,} bytes", ""],
        ],
    )
    problems = []
    if during.percentiles[1] > MOST_SECONDS:
        problems.append(f"the 99th percentile is above {MOST_SECONDS} s")
    if during.refused:
        problems.append(f"{during.refused} requests of the other organization had no answer")
    if last - first > MOST_MEGABYTES:
        problems.append(f"memory grew by {last - first:.0f} MB")
    if log_bytes > MOST_LOG_BYTES:
        problems.append(f"the log grew by {log_bytes:,} bytes")
    if problems:
        print(f"\nNot fair: {'; '.join(problems)}.", file=sys.stderr)
    return int(bool(problems))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.fairness", description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="six seconds of attack instead of sixty")
    is_quick = parser.parse_args().quick
    if is_quick:
        fork_children()
    try:
        return asyncio.run(run(6 if is_quick else 60))
    except ChildBroke as problem:
        end_progress()
        print(problem, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
