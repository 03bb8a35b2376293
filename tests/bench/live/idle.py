"""Measures what idle watchers cost: statements, processor time and memory, beside idle sockets of a bare application.

Each kind has a server of its own. Its figures without watchers are taken away, so that those of its engine don't count.
The watchers follow the syncs of a thousand organizations, which don't change; both servers send pings.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.bench.live.competitors import BARE, OURS, settle
from tests.bench.live.cores import describe_cores
from tests.bench.live.load import Group, Load, subscribing
from tests.bench.live.report import Report, Sizes
from tests.bench.live.requests import get
from tests.bench.live.servers import Server, start
from tests.bench.live.states import WATCH_DASHBOARD, WATCH_LOG, WATCH_SYNC, organization, subscribe
from tests.bench.table import ratio, show_progress

WARM_UP_WATCHERS = 100
"""They stay, so that memory which is taken once is not counted."""
MOST_STATEMENTS = 3.0
"""Per second, for all watchers of any kind."""
MOST_KILOBYTES = 60.0
"""Per watcher; the margin is wide, since an allocator takes memory in large pieces."""
FRAME = '{"id":"1","type":"next","payload":{"data":{"syncProgress":{"version":1}}}}'

Scripts = Callable[[Server], list[list[bytes]]]


@dataclass(frozen=True, slots=True)
class Idle:
    """The cost of the watchers of a kind, beyond the server without them.

    Attributes:
        statements: Per second.
        share: Of a core.
        resting_share: Of a core, without watchers.
        bytes: Of memory, for each watcher.
    """

    statements: float
    share: float
    resting_share: float
    bytes: float


def measure_idle(sizes: Sizes) -> Report:
    kinds: dict[str, Scripts] = {
        "syncProgress": lambda server: _subscribing(server, WATCH_SYNC, syncId=_sync_ids(server)),
        "dashboardUpdated": lambda server: _subscribing(server, WATCH_DASHBOARD, organizationId=_organizations(server)),
        "syncLog": lambda server: _subscribing(server, WATCH_LOG, syncId=_sync_ids(server)),
        "REST stream": lambda server: [[get(server.port, f"/api/v1/sync/stream/{one}")] for one in _sync_ids(server)],
    }
    found = {BARE: _measure(sizes, BARE, lambda server: subscribing(server.port, [b"{}"]))}
    for kind, scripts in kinds.items():
        found[f"{OURS}: {kind}"] = _measure(sizes, kind, scripts)
    return _report(sizes, found)


def _measure(sizes: Sizes, kind: str, scripts: Scripts) -> Idle:
    module, argument = ("bare_server", FRAME) if kind == BARE else ("routiq_server", str(sizes.organizations))
    show_progress(f"{sizes.many_watchers:,} idle watchers: {kind}")
    load = Load()
    with start(kind, module, argument) as server:
        try:
            group = Group(server.port, scripts(server), is_stream=kind == "REST stream")
            load.read_for(sizes.idle_seconds / 10)
            at_rest = server.usage()
            load.read_for(sizes.idle_seconds / 3)
            still = server.usage()
            load.open(group, WARM_UP_WATCHERS)
            before = server.usage("collect")
            load.open(group, sizes.many_watchers)
            after = server.usage("collect")
            settle(load, server)
            first = server.usage()
            load.read_for(sizes.idle_seconds)
            last = server.usage()
        finally:
            load.close()
    resting = still.share_since(at_rest)
    return Idle(
        statements=last.statements_since(first) - still.statements_since(at_rest),
        share=last.share_since(first) - resting,
        resting_share=resting,
        bytes=(after.rss - before.rss) / sizes.many_watchers,
    )


def _sync_ids(server: Server) -> list[str]:
    return list(server.hello["sync_ids"])


def _organizations(server: Server) -> list[str]:
    return [organization(number) for number in range(len(_sync_ids(server)))]


def _subscribing(server: Server, query: str, **of_each: Sequence[str]) -> list[list[bytes]]:
    ((name, values),) = of_each.items()
    return subscribing(server.port, [subscribe(query, **{name: value}) for value in values])


def _report(sizes: Sizes, found: dict[str, Idle]) -> Report:
    title = (
        f"{sizes.many_watchers:,} idle watchers of {sizes.organizations:,} organizations, for {sizes.idle_seconds:g} s"
    )
    report = Report(title, ["", "statements/s", "CPU %", "without %", "CPU / bare", "KB each", "KB / bare"])
    bare = found[BARE]
    for name, idle in found.items():
        report.rows.append(
            [
                *(name, f"{idle.statements:.1f}", f"{idle.share:.2%}", f"{idle.resting_share:.2%}"),
                *(ratio(idle.share, bare.share), f"{idle.bytes / 1000:.1f}", ratio(idle.bytes, bare.bytes)),
            ]
        )
        report.figures[name] = {
            "statements_per_second": idle.statements,
            "core_share": idle.share,
            "core_share_without_watchers": idle.resting_share,
            "bytes_per_watcher": idle.bytes,
        }
        if not sizes.checks_limits:
            continue
        if idle.statements > MOST_STATEMENTS:
            report.broken.append(
                f"{name}: idle watchers caused {idle.statements:.1f} statements a second; at most {MOST_STATEMENTS:g} "
                "are allowed."
            )
        if idle.bytes > MOST_KILOBYTES * 1000:
            report.broken.append(
                f"{name}: an idle watcher took {idle.bytes / 1000:.0f} KB; at most {MOST_KILOBYTES:g} are allowed."
            )
    report.notes += [
        "Statements and processor time are those beyond the same server without watchers (“without”).",
        describe_cores(),
    ]
    return report
