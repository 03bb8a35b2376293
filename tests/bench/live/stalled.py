"""Measures the effect of a watcher that stops reading on a thousand others, and how the server treats it.

The stalled watcher's frames are large and its receive buffer is small, so that it stalls the server within seconds. It
reads again before ``ROUTIQ_SEND_TIMEOUT`` and must get the newest state; the second time it does not.
"""

import math
import time
from dataclasses import dataclass

from tests.bench.children import ChildBroke
from tests.bench.live.competitors import OURS, Competitor, publish, scripts, settle
from tests.bench.live.cores import describe_cores
from tests.bench.live.latency import percentiles, update
from tests.bench.live.load import Group, Load, subscribing
from tests.bench.live.report import Report, Sizes
from tests.bench.live.servers import start
from tests.bench.live.states import frame_end, subscribe
from tests.bench.table import milliseconds, show_progress

SEND_TIMEOUT_SECONDS, QUICK_SEND_TIMEOUT_SECONDS = 15, 2
"""Below the time after which a websocket is reset whose peer answers no ping."""
UPDATES, QUICK_UPDATES = 40, 4
"""For each figure of the others, at most."""
FILLING = 12
"""Updates after which the buffers of the stalled watcher are full."""
RECEIVE_BUFFER = 4096
ALIASES, ALIAS_CHARACTERS = 45, 200


@dataclass(frozen=True, slots=True)
class Phase:
    """The latencies of the others, and the server's memory at the end."""

    latencies: list[float]
    rss: int


def measure_stalled(sizes: Sizes) -> Report:
    timeout = SEND_TIMEOUT_SECONDS if sizes.checks_limits else QUICK_SEND_TIMEOUT_SECONDS
    show_progress(f"{sizes.watchers:,} watchers, of which one stops reading")
    load = Load()
    with start(OURS, "routiq_server", "1", str(timeout)) as server:
        try:
            one = Competitor(OURS, server, Group(server.port, scripts(server)))
            load.open(one.group, sizes.watchers)
            slow = Group(server.port, _large(server.port, server.hello["sync_ids"][0]), receive_buffer=RECEIVE_BUFFER)
            load.open(slow, 1)
            settle(load, server)
            publish(load, one)
            before = _follow(load, one, sizes)
            stalled = slow.watchers[0]
            load.stop_reading(stalled)
            until = time.monotonic() + 0.7 * timeout
            for _ in range(FILLING):
                update(load, one, sizes.pace_seconds)
            during = _follow(load, one, sizes, until)
            frames, missed = slow.frames, FILLING + len(during.latencies) // sizes.watchers
            slow.expect(frame_end(one.version))
            load.read_again(stalled)
            load.until_all(slow)
            frames = slow.frames - frames
            slow.may_close = True
            load.stop_reading(stalled)
            began, until = time.monotonic_ns(), time.monotonic() + 3 * timeout
            while not stalled.closed_at:
                update(load, one, sizes.pace_seconds)
                if time.monotonic() > until:
                    raise ChildBroke("A stalled watcher was not disconnected.")
        finally:
            load.close()
    return _report(sizes, before, during, (frames, missed), ((stalled.closed_at - began) / 1e9, timeout))


def _follow(load: Load, one: Competitor, sizes: Sizes, until: float = math.inf) -> Phase:
    """Make some updates, and at least one of them, until a moment of the monotonic clock."""
    latencies = []
    for _ in range(UPDATES if sizes.checks_limits else QUICK_UPDATES):
        latencies += update(load, one, sizes.pace_seconds)
        if time.monotonic() > until:
            break
    return Phase(latencies, one.server.usage().rss)


def _large(port: int, sync_id: str) -> list[list[bytes]]:
    aliases = " ".join(f"{f'a{number}_':x<{ALIAS_CHARACTERS}}: currentStep" for number in range(ALIASES))
    query = f"subscription ($syncId: ID!) {{ syncProgress(syncId: $syncId) {{ {aliases} version }} }}"
    return subscribing(port, [subscribe(query, syncId=sync_id)])


def _report(sizes: Sizes, before: Phase, during: Phase, woken: tuple[int, int], dropped: tuple[float, float]) -> Report:
    title = f"{sizes.watchers:,} watchers, and one that stops reading, an update every {sizes.pace_seconds:g} s"
    report = Report(title, ["the others", "p50 ms", "p99 ms", "server MB"])
    for name, phase in {"while it reads": before, "while it does not read": during}.items():
        p50, p99 = percentiles(phase.latencies)
        report.rows.append([name, milliseconds(p50), milliseconds(p99), f"{phase.rss / 1e6:.1f}"])
        report.figures[name] = {"p50_seconds": p50, "p99_seconds": p99, "rss_bytes": phase.rss}
    (frames, missed), (seconds, timeout) = woken, dropped
    report.notes += [
        f"When it read again, it got the newest state as frame {frames} of {missed} published states.",
        f"Then it stopped for good, and was disconnected after {seconds:.1f} s; ROUTIQ_SEND_TIMEOUT was {timeout:g} s.",
        describe_cores(),
    ]
    report.figures["the stalled watcher"] = {
        "frames_on_waking": frames,
        "states_missed": missed,
        "disconnected_after_seconds": seconds,
        "send_timeout_seconds": timeout,
    }
    return report
