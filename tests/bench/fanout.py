"""Measures how fast a sync's snapshots reach many watchers: the product, plain Strawberry, and bare websockets.

First ten snapshots a second, the maximum within a step: the latency for a watcher. Then each snapshot as soon as all
watchers have the previous one, so that none is skipped: the throughput of the server.
"""

import asyncio
from contextlib import ExitStack
from dataclasses import dataclass, field
from statistics import quantiles
from typing import Any

from tests.bench.children import Child, ChildBroke, start
from tests.bench.frames import Watcher
from tests.bench.table import milliseconds, print_table, ratio, show_progress

INTERVAL_SECONDS = 0.1
LIMIT_SECONDS = 60

SUBSCRIPTION = """subscription ($syncId: ID!) { syncProgress(syncId: $syncId) {
  id organizationId syncId mode status step progressPercentage currentStep totalSteps currentStepNumber
  patientsFound appointmentsFound activePatientsIdentified activePatientsStored startedAt completedAt
  estimatedCompletion resumesAt errors failure { code step message whatToDo retryable } lastUpdated version
} }"""


@dataclass(frozen=True, slots=True)
class FanOut:
    """Measurements of a server: latencies and the length of each round in seconds, and processor time per frame."""

    latencies: list[float]
    round_seconds: list[float]
    cpu_seconds_per_frame: float
    watchers: int
    frame: str

    @property
    def percentiles(self) -> tuple[float, float]:
        hundredths = quantiles(self.latencies, n=100)
        return hundredths[49], hundredths[98]

    @property
    def frames_per_second(self) -> float:
        return self.watchers * len(self.round_seconds) / sum(self.round_seconds)


@dataclass
class Audience:
    """All watchers of a server, and when each version reached each of them."""

    watchers: list[Watcher] = field(default_factory=list)
    arrivals: dict[int, list[int]] = field(default_factory=dict)
    _newest: dict[Watcher, int] = field(default_factory=dict)
    _behind: set[Watcher] = field(default_factory=set)
    _awaited: int = 0
    _complete: asyncio.Event = field(default_factory=asyncio.Event)

    def note(self, watcher: Watcher, version: int, at: int) -> None:
        self.arrivals.setdefault(version, []).append(at)
        self._newest[watcher] = version
        if version >= self._awaited:
            self._behind.discard(watcher)
            if not self._behind:
                self._complete.set()

    async def all_have(self, version: int) -> None:
        """Return once every watcher has had this version or a newer version."""
        self._awaited = version
        self._behind = {watcher for watcher in self.watchers if self._newest.get(watcher, 0) < version}
        self._complete.clear()
        if self._behind:
            async with asyncio.timeout(LIMIT_SECONDS):
                await self._complete.wait()

    async def join(self, count: int, port: int, sync_id: str) -> None:
        """Add ``count`` watchers; with ``sync_id``, by a GraphQL subscription, whose first frame is awaited."""
        loop = asyncio.get_running_loop()
        protocol = "graphql-transport-ws" if sync_id else None
        async with asyncio.timeout(LIMIT_SECONDS):
            for _ in range(count):
                watcher = Watcher(f"127.0.0.1:{port}", "/graphql", protocol, self.note)
                await loop.create_connection(lambda w=watcher: w, "127.0.0.1", port)  # type: ignore[misc]
                await watcher.is_open.wait()
                self.watchers.append(watcher)
                if sync_id:
                    watcher.send({"type": "connection_init"})
                    await watcher.texts.get()
                    query = {"query": SUBSCRIPTION, "variables": {"syncId": sync_id}}
                    watcher.send({"id": "1", "type": "subscribe", "payload": query})
        if sync_id:
            await self.all_have(1)


async def measure_fan_out(watchers: int, snapshots: int) -> dict[str, FanOut]:
    """The same for three servers, by their names."""
    measured = {}
    show_progress(f"{watchers} watchers of one sync: Routiq")
    measured["Routiq"] = await _measure(watchers, snapshots, "fanout_server")
    show_progress(f"{watchers} watchers of one sync: Strawberry as it comes")
    measured["stock Strawberry"] = await _measure(watchers, snapshots, "other_server", "strawberry")
    show_progress(f"{watchers} watchers of one sync: bare websockets")
    frame = measured["Routiq"].frame
    measured["bare websockets"] = await _measure(watchers, snapshots, "other_server", "websockets", frame)
    return measured


async def _measure(watchers: int, snapshots: int, module: str, *arguments: str) -> FanOut:
    audience = Audience()
    async with start(module, *arguments) as server:
        with ExitStack() as stack:
            told = await server.receive()
            await audience.join(watchers, told["port"], told["sync_id"])
            for watcher in audience.watchers:
                stack.callback(watcher.close)
            return await _show_snapshots(audience, server, snapshots)


async def _show_snapshots(audience: Audience, server: Child, snapshots: int) -> FanOut:
    latencies: list[float] = []
    for _ in range(snapshots):
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.sleep(INTERVAL_SECONDS))
            told = await _show_one(audience, server)
        latencies += [(arrived - told["at"]) / 1e9 for arrived in audience.arrivals[told["version"]]]
    rounds: list[float] = []
    cpu_before = float(told["cpu"])
    frames_before = sum(len(arrived) for arrived in audience.arrivals.values())
    for _ in range(snapshots):
        told = await _show_one(audience, server)
        rounds.append((max(audience.arrivals[told["version"]]) - told["at"]) / 1e9)
    # The cost of the last snapshot comes after its report, and the cost before the first report is older.
    frames = sum(len(arrived) for arrived in audience.arrivals.values()) - frames_before
    cpu = float(told["cpu"]) - cpu_before
    if frames != snapshots * len(audience.watchers):
        raise ChildBroke(f"{frames} frames came instead of {snapshots * len(audience.watchers)}.")
    frame = audience.watchers[0].last_frame.decode()
    return FanOut(latencies, rounds, cpu / frames, len(audience.watchers), frame)


async def _show_one(audience: Audience, server: Child) -> dict[str, Any]:
    """Make a snapshot and wait until all watchers have it."""
    server.send("snapshot")
    told = await server.receive()
    await audience.all_have(told["version"])
    return told


def print_fan_out(measured: dict[str, FanOut]) -> None:
    """Show all three, each beside the product."""
    ours = measured["Routiq"]
    rows = []
    for name, found in measured.items():
        p50, p99 = found.percentiles
        rows.append(
            [
                name,
                milliseconds(p50),
                milliseconds(p99),
                f"{found.frames_per_second:,.0f}",
                f"{found.cpu_seconds_per_frame * 1e6:.0f}",
                ratio(p50, ours.percentiles[0]),
                ratio(found.frames_per_second, ours.frames_per_second),
                ratio(found.cpu_seconds_per_frame, ours.cpu_seconds_per_frame),
            ]
        )
    head = ["", "p50 ms", "p99 ms", "frames/s", "CPU µs/frame", "p50 / ours", "frames/s / ours", "CPU / ours"]
    title = f"One sync, {ours.watchers} watchers, frames of {len(ours.frame)} bytes: from commit to frame"
    print_table(title, head, rows)
