"""Measures saturated servers: how many frames a second reach a thousand watchers, of one sync or of a thousand.

The next state is published as soon as all watchers have the last, so that none is skipped by any server. States are
published in memory, without a commit. The rounds of the servers alternate, and medians are shown.
"""

import time
from dataclasses import dataclass
from statistics import median

from tests.bench.live.competitors import BARE, CACHES, NODE, OURS, STOCK, Competitor, competitors, publish, settle
from tests.bench.live.cores import describe_cores
from tests.bench.live.load import Load
from tests.bench.live.report import Report, Sizes
from tests.bench.table import ratio, show_progress

BUSY = 0.9
"""From this share of a core on, a process counts as saturated."""
MADE_BEFOREHAND = 20_000
"""States that are made before a round, so that making them is not measured."""


@dataclass(frozen=True, slots=True)
class Rate:
    """A round.

    Attributes:
        cpu_seconds: Processor time of the server per frame.
        server_share: The server's share of its core.
        load_share: The load's share of its core.
    """

    frames_per_second: float
    cpu_seconds: float
    server_share: float
    load_share: float


def measure_one_sync(sizes: Sizes) -> Report:
    return _measure(sizes, 1)


def measure_many_syncs(sizes: Sizes) -> Report:
    return _measure(sizes, sizes.watchers)


def _measure(sizes: Sizes, syncs: int) -> Report:
    names = (OURS, BARE, *((NODE,) if sizes.has_node else ()), CACHES, STOCK)
    rates: dict[str, list[Rate]] = {name: [] for name in names}
    load = Load()
    try:
        with competitors(load, sizes.watchers, syncs, names) as (found, missing):
            size = len(found[0].group.newest)
            for number in range(sizes.rounds):
                for one in found:
                    show_progress(f"Round {number + 1} of {sizes.rounds}, {sizes.watchers:,} watchers: {one.name}")
                    rates[one.name].append(saturate(load, one, sizes, syncs))
    finally:
        load.close()
    which = "one sync" if syncs == 1 else f"{syncs:,} syncs"
    title = f"{sizes.watchers:,} watchers of {which}, saturated, frames of {size} bytes"
    report = Report(title, ["", "frames/s", "CPU µs/frame", "server %", "load %", "CPU / ours"])
    _fill(report, {name: found for name, found in rates.items() if found})
    report.notes += [describe_cores(), *([missing] if missing else [])]
    return report


def saturate(load: Load, one: Competitor, sizes: Sizes, syncs: int) -> Rate:
    """Publish without pause for some seconds."""
    one.server.resume()
    settle(load, one.server)
    rounds = min(sizes.prepared, max(1, MADE_BEFOREHAND // syncs))
    one.server.tell(f"prepare {rounds}")
    frames, used, before = one.group.frames, time.process_time(), one.server.usage()
    until = time.monotonic() + sizes.seconds
    for _ in range(rounds):
        publish(load, one)
        if time.monotonic() > until:
            break
    after = one.server.usage()
    used, frames, seconds = time.process_time() - used, one.group.frames - frames, after.at - before.at
    one.server.pause()
    return Rate(frames / seconds, (after.cpu - before.cpu) / frames, after.share_since(before), used / seconds)


def _fill(report: Report, rates: dict[str, list[Rate]]) -> None:
    ours = median(rate.cpu_seconds for rate in rates[OURS])
    for name, rounds in rates.items():
        cpu = median(rate.cpu_seconds for rate in rounds)
        frames = median(rate.frames_per_second for rate in rounds)
        server, load = median(rate.server_share for rate in rounds), median(rate.load_share for rate in rounds)
        report.rows.append(
            [name, f"{frames:,.0f}", f"{cpu * 1e6:.1f}", f"{server:.0%}", f"{load:.0%}", ratio(cpu, ours)]
        )
        report.figures[name] = {
            "frames_per_second": frames,
            "cpu_microseconds_per_frame": cpu * 1e6,
            "server_share": server,
            "load_share": load,
            "cpu_to_ours": cpu / ours,
        }
        if load >= BUSY:
            report.notes.append(f"{name}: the load was busy, so the server may be faster than shown.")
        elif server < BUSY:
            report.notes.append(
                f"{name}: the server had {server:.0%} of its core; other processes or waiting took the rest. Compare "
                "processor times."
            )
