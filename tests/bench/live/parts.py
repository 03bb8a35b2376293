"""The parts of the live benchmark by name, each with its own servers."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from tests.bench.live.connecting import measure_connecting
from tests.bench.live.cores import keep_apart, most_sockets, raise_file_limit
from tests.bench.live.elsewhere import measure_elsewhere
from tests.bench.live.events import measure_events
from tests.bench.live.fan_out import measure_many_syncs, measure_one_sync
from tests.bench.live.idle import measure_idle
from tests.bench.live.latency import measure_latency
from tests.bench.live.reads import measure_reads
from tests.bench.live.report import Report, Sizes
from tests.bench.live.stalled import measure_stalled
from tests.bench.table import show_progress

LIVE: dict[str, Callable[[Sizes], Report]] = {
    "one-sync": measure_one_sync,
    "many-syncs": measure_many_syncs,
    "latency": measure_latency,
    "idle": measure_idle,
    "events": measure_events,
    "connecting": measure_connecting,
    "reads": measure_reads,
    "stalled": measure_stalled,
}
POSTGRES: dict[str, Callable[[Sizes], Report]] = {"elsewhere": measure_elsewhere}
"""Parts that need PostgreSQL's programs, and whose processes use all cores."""


@contextmanager
def ready(sizes: Sizes) -> Iterator[Sizes]:
    """Keep this process, the load, to its core while the block runs; yields the sizes that the system's limits allow.

    Raises:
        CoreShortage: This machine can't run the live part.
    """
    most = most_sockets() // 2  # two servers with as many watchers are open at the same time
    if sizes.many_watchers > most:
        show_progress(f"The limit of open files allows {most:,} watchers instead of {sizes.many_watchers:,}.")
        sizes = replace(sizes, many_watchers=most, watchers=min(sizes.watchers, most // 3))
    raise_file_limit()
    with keep_apart():
        yield sizes
