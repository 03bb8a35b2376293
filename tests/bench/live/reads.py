"""Measures reads over HTTP: the status of a running sync by REST and by GraphQL, beside a bare JSON route.

Sixteen connections are kept alive, and each sends its next request when it has the last response. The bare route is
Starlette's on the product's protocol class and responds with an equal object.
"""

import json
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from statistics import median

from tests.bench.live.competitors import BARE, CACHES, OURS, STOCK
from tests.bench.live.cores import describe_cores
from tests.bench.live.fan_out import BUSY
from tests.bench.live.report import Report, Sizes
from tests.bench.live.requests import Requests, get, post
from tests.bench.live.servers import Server, start
from tests.bench.live.states import ASK_STATUS
from tests.bench.table import ratio, show_progress

CONNECTIONS = 16
WARM_UP_SECONDS = 0.5
REST, GRAPHQL = f"{OURS}: REST status", f"{OURS}: GraphQL syncStatus"


@dataclass(slots=True)
class Reader:
    """Requests to a server, and their cost in each round."""

    server: Server
    request: bytes
    rates: list[float] = field(default_factory=list)
    cpu_seconds: list[float] = field(default_factory=list)
    server_shares: list[float] = field(default_factory=list)
    load_shares: list[float] = field(default_factory=list)

    def measure(self, seconds: float) -> None:
        self.server.resume()
        requests = Requests(self.server.port, self.request, CONNECTIONS)
        requests.run(min(WARM_UP_SECONDS, seconds))
        used, before = time.process_time(), self.server.usage()
        count = requests.run(seconds)
        used, after = time.process_time() - used, self.server.usage()
        requests.close()
        self.server.pause()
        self.rates.append(count / (after.at - before.at))
        self.cpu_seconds.append((after.cpu - before.cpu) / count)
        self.server_shares.append(after.share_since(before))
        self.load_shares.append(used / (after.at - before.at))


def measure_reads(sizes: Sizes) -> Report:
    with ExitStack() as stack:
        readers, size = _open(stack)
        for number in range(sizes.rounds):
            for name, reader in readers.items():
                show_progress(f"Round {number + 1} of {sizes.rounds}, {CONNECTIONS} connections: {name}")
                reader.measure(sizes.seconds)
        return _report(readers, size)


def _open(stack: ExitStack) -> tuple[dict[str, Reader], int]:
    """The readers, and the bytes of the object that they read by REST."""
    show_progress("Starting servers for requests")
    ours = stack.enter_context(start(OURS, "routiq_server", "1"))
    sync_id = ours.hello["sync_ids"][0]
    rest = get(ours.port, f"/api/v1/sync/status/{sync_id}")
    requests = Requests(ours.port, rest, 1)
    requests.run(0)
    requests.close()
    bare = stack.enter_context(start(BARE, "bare_server", "{}", requests.body.decode()))
    readers = {
        REST: Reader(ours, rest),
        GRAPHQL: Reader(ours, post(ours.port, "/graphql", _ask(sync_id))),
        f"{BARE}: JSON route of Starlette": Reader(bare, get(bare.port, "/status")),
    }
    for name, arguments in ((CACHES, ["1", "caches"]), (STOCK, ["1"])):
        server = stack.enter_context(start(name, "stock_server", *arguments))
        request = post(server.port, "/graphql", _ask(server.hello["sync_ids"][0]))
        readers[f"{name}: GraphQL syncStatus"] = Reader(server, request)
    for reader in readers.values():
        reader.server.pause()
    return readers, len(requests.body)


def _ask(sync_id: str) -> bytes:
    return json.dumps({"query": ASK_STATUS, "variables": {"syncId": sync_id}}).encode()


def _report(readers: dict[str, Reader], size: int) -> Report:
    title = f"Reads of a running sync over HTTP, {CONNECTIONS} connections, {size} bytes of JSON by REST"
    report = Report(title, ["", "requests/s", "CPU µs", "server %", "load %", "rate / bare", "bare CPU / CPU"])
    bare = next(reader for name, reader in readers.items() if name.startswith(BARE))
    bare_rate, bare_cpu = median(bare.rates), median(bare.cpu_seconds)
    for name, reader in readers.items():
        rate, cpu = median(reader.rates), median(reader.cpu_seconds)
        server, load = median(reader.server_shares), median(reader.load_shares)
        report.rows.append(
            [
                *(name, f"{rate:,.0f}", f"{cpu * 1e6:.0f}", f"{server:.0%}", f"{load:.0%}"),
                *(ratio(rate, bare_rate), ratio(bare_cpu, cpu)),
            ]
        )
        report.figures[name] = {
            "requests_per_second": rate,
            "cpu_microseconds_per_request": cpu * 1e6,
            "server_share": server,
            "load_share": load,
            "rate_to_bare": rate / bare_rate,
            "bare_cpu_to_cpu": bare_cpu / cpu,
        }
        if load >= BUSY:
            report.notes.append(f"{name}: the load was busy, so the server may be faster than shown.")
    report.notes.append(describe_cores())
    return report
