"""Measures how a server takes a thousand watchers that come at once: connect, init, subscribe, first state.

At most 64 of them connect at the same time. The rounds of the servers alternate.
"""

from contextlib import ExitStack
from dataclasses import dataclass, field
from statistics import median

from tests.bench.live.competitors import BARE, CACHES, OURS, Competitor, publish, scripts
from tests.bench.live.cores import describe_cores
from tests.bench.live.load import AT_ONCE, Group, Load
from tests.bench.live.report import Report, Sizes
from tests.bench.live.servers import Server, start
from tests.bench.table import ratio, show_progress

CALM_SECONDS = 0.5
"""After the watchers of a round have left."""


@dataclass(slots=True)
class Arrivals:
    """Rounds of a server: seconds by the clock and of processor time, for all watchers."""

    server: Server
    seconds: list[float] = field(default_factory=list)
    cpu_seconds: list[float] = field(default_factory=list)

    def measure(self, load: Load, watchers: int) -> None:
        self.server.resume()
        group = Group(self.server.port, scripts(self.server))
        before = self.server.usage()
        load.open(group, watchers)
        after = self.server.usage()
        self.seconds.append(after.at - before.at)
        self.cpu_seconds.append(after.cpu - before.cpu)
        load.leave(group)
        load.read_for(CALM_SECONDS)  # the server notices that they left
        self.server.pause()


def measure_connecting(sizes: Sizes) -> Report:
    load = Load()
    with ExitStack() as stack:
        stack.callback(load.close)
        ours = stack.enter_context(start(OURS, "routiq_server", "1"))
        frame = first_frame(load, ours)
        servers = {
            OURS: Arrivals(ours),
            BARE: Arrivals(stack.enter_context(start(BARE, "bare_server", frame))),
            CACHES: Arrivals(stack.enter_context(start(CACHES, "stock_server", "1", "caches"))),
        }
        for one in servers.values():
            one.server.pause()
        for number in range(sizes.rounds + 1):  # the first is a warm-up
            for name, one in servers.items():
                show_progress(f"Round {number} of {sizes.rounds}, {sizes.watchers:,} watchers connect: {name}")
                one.measure(load, sizes.watchers)
                if number == 0:
                    one.seconds.clear()
                    one.cpu_seconds.clear()
    return _report(servers, sizes.watchers)


def first_frame(load: Load, server: Server) -> str:
    """A frame of the server's first sync."""
    group = Group(server.port, scripts(server)[:1], keeps_newest=True)
    load.open(group, 1)
    publish(load, Competitor(OURS, server, group))
    load.leave(group)
    return group.newest.decode()


def _report(servers: dict[str, Arrivals], watchers: int) -> Report:
    title = f"{watchers:,} × connect, init, subscribe and first state, {AT_ONCE} at a time"
    report = Report(title, ["", "seconds", "CPU s", "CPU µs each", "seconds / bare", "CPU / bare"])
    bare = servers[BARE]
    bare_seconds, bare_cpu = median(bare.seconds), median(bare.cpu_seconds)
    for name, one in servers.items():
        seconds, cpu = median(one.seconds), median(one.cpu_seconds)
        report.rows.append(
            [
                *(name, f"{seconds:.2f}", f"{cpu:.2f}", f"{cpu / watchers * 1e6:.0f}"),
                *(ratio(seconds, bare_seconds), ratio(cpu, bare_cpu)),
            ]
        )
        report.figures[name] = {
            "seconds": seconds,
            "cpu_seconds": cpu,
            "seconds_to_bare": seconds / bare_seconds,
            "cpu_to_bare": cpu / bare_cpu,
        }
    report.notes.append(describe_cores())
    return report
