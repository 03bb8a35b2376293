"""Measures what memory remains of each event of a long subscription: nothing should.

Once for plain fields, and once with a field that is resolved for each event, which takes the general way of execution.
"""

from tests.bench.live.competitors import OURS, Competitor, publish
from tests.bench.live.load import Group, Load, subscribing
from tests.bench.live.report import Report, Sizes
from tests.bench.live.servers import start
from tests.bench.live.states import WATCH_SYNC, WATCH_SYNC_AND_LOG, subscribe
from tests.bench.table import show_progress

WATCHERS = 2
WARM_UP = 0.1
"""Events before memory is measured, as a part of all."""
MOST_BYTES = 200.0
"""Per event. An allocator takes memory in large pieces, so that a few bytes per event mean nothing."""


def measure_events(sizes: Sizes) -> Report:
    title = f"Memory that remains of {sizes.events:,} events of a subscription"
    report = Report(title, ["", "bytes/event", "MB before", "MB after", "CPU µs/event"])
    for name, query in {"plain fields": WATCH_SYNC, "with the field log": WATCH_SYNC_AND_LOG}.items():
        show_progress(f"{sizes.events:,} events, {name}")
        load = Load()
        with start(OURS, "routiq_server", "1") as server:
            group = Group(server.port, subscribing(server.port, [subscribe(query, syncId=server.hello["sync_ids"][0])]))
            try:
                load.open(group, WATCHERS)
                one = Competitor(OURS, server, group)
                for _ in range(int(sizes.events * WARM_UP)):
                    publish(load, one)
                before = server.usage("collect")
                for _ in range(sizes.events):
                    publish(load, one)
                after = server.usage("collect")
            finally:
                load.close()
        left, cpu = (after.rss - before.rss) / sizes.events, (after.cpu - before.cpu) / sizes.events
        report.rows.append(
            [name, f"{left:.0f}", f"{before.rss / 1e6:.1f}", f"{after.rss / 1e6:.1f}", f"{cpu * 1e6:.0f}"]
        )
        report.figures[name] = {"bytes_per_event": left, "cpu_microseconds_per_event": cpu * 1e6}
        if sizes.checks_limits and left > MOST_BYTES:
            report.broken.append(
                f"Each event of a subscription {name} left {left:.0f} bytes; at most {MOST_BYTES:g} are allowed."
            )
    return report
