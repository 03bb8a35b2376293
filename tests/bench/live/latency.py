"""Measures how soon a state reaches five thousand watchers of one sync, with one update a second.

The product stores each state in its database; the time counts from right after the commit. The bare application sends
prepared text of the same length. The updates of the two come in turns of some seconds, and neither is paused.
"""

import time
from collections.abc import Sequence
from statistics import quantiles

from tests.bench.live.competitors import BARE, OURS, Competitor, competitors, publish, settle
from tests.bench.live.cores import describe_cores
from tests.bench.live.load import Load
from tests.bench.live.report import Report, Sizes
from tests.bench.table import milliseconds, ratio, show_progress

UPDATE_SECONDS = 1.0
MOST_TURNS = 3


def measure_latency(sizes: Sizes) -> Report:
    latencies: dict[str, list[float]] = {OURS: [], BARE: []}
    shares: dict[str, list[float]] = {OURS: [], BARE: []}
    turns = min(MOST_TURNS, sizes.updates)
    load = Load()
    try:
        with competitors(load, sizes.many_watchers, 1, (OURS, BARE), commits=True, pauses=False) as (found, _):
            size = len(found[0].group.newest)
            for turn in range(turns):
                for one in found:
                    show_progress(f"Turn {turn + 1} of {turns}, an update a second: {one.name}")
                    settle(load, one.server)
                    publish(load, one)  # not counted
                    before = one.server.usage()
                    for _ in range(sizes.updates // turns):
                        latencies[one.name] += update(load, one, UPDATE_SECONDS)
                    shares[one.name].append(one.server.usage().share_since(before))
    finally:
        load.close()
    title = f"{sizes.many_watchers:,} watchers of one sync, an update a second, frames of {size} bytes: commit to frame"
    report = Report(title, ["", "p50 ms", "p99 ms", "longest ms", "server %", "p99 / bare"])
    _, bare_p99 = percentiles(latencies[BARE])
    for name, times in latencies.items():
        p50, p99 = percentiles(times)
        share = sum(shares[name]) / turns
        report.rows.append(
            [name, milliseconds(p50), milliseconds(p99), milliseconds(max(times)), f"{share:.0%}", ratio(p99, bare_p99)]
        )
        report.figures[name] = {
            "p50_seconds": p50,
            "p99_seconds": p99,
            "longest_seconds": max(times),
            "server_share": share,
            "p99_to_bare": p99 / bare_p99,
        }
    report.notes.append(describe_cores())
    return report


def update(load: Load, one: Competitor, seconds: float) -> list[float]:
    """The latencies of an update in seconds, which are read within the time until the next update."""
    began = time.monotonic()
    at = publish(load, one)
    load.read_for(began + seconds - time.monotonic())
    return [(arrived - at) / 1e9 for arrived in one.group.arrivals]


def percentiles(times: Sequence[float]) -> tuple[float, float]:
    hundredths = quantiles(times, n=100, method="inclusive")
    return hundredths[49], hundredths[98]
