"""The servers that are compared in a part, all with the same watchers; each runs only while it is measured."""

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from tests.bench.live import node
from tests.bench.live.load import Group, Load, subscribing
from tests.bench.live.servers import Server, start, start_program
from tests.bench.live.states import FIRST_VERSION, WATCH_SYNC, frame_end, subscribe
from tests.bench.table import show_progress

OURS, STOCK, CACHES, NODE, BARE = "Routiq", "stock Strawberry", "Strawberry with caches", "Node graphql-ws", "bare ASGI"
SETTLE_SECONDS, MOST_SETTLE_SECONDS = 0.3, 6.0
CALM = 0.5
"""A server is calm below this share of a core."""


@dataclass(slots=True)
class Competitor:
    """A server with its watchers.

    Attributes:
        version: Of the newest state that was published.
        command: By which it publishes the next.
    """

    name: str
    server: Server
    group: Group
    version: int = FIRST_VERSION
    command: str = "publish"


@contextmanager
def competitors(
    load: Load, watchers: int, syncs: int, names: Sequence[str], *, commits: bool = False, pauses: bool = True
) -> Iterator[tuple[list[Competitor], str]]:
    """The named servers, paused, each with so many watchers of so many syncs; and a sentence if one is missing.

    Args:
        names: Ours comes first, as the bare server sends the same frames.
        commits: Whether our server commits each state.
        pauses: Whether each is paused. After a pause, the pings of all its sockets are due at the same time.
    """
    found, missing, frame = [], "", ""
    with ExitStack() as stack:
        for name in names:
            show_progress(f"{watchers:,} watchers of {name}")
            if name == NODE:
                folder, missing = node.packages()
                if folder is None:
                    continue
                starting = start_program(name, ["node", str(node.SERVER)], [str(folder), str(syncs)])
            elif name == BARE:
                starting = start(name, "bare_server", frame)
            elif name == OURS:
                starting = start(name, "routiq_server", str(syncs))
            else:
                starting = start(name, "stock_server", str(syncs), *(["caches"] if name == CACHES else []))
            server = stack.enter_context(starting)
            group = Group(server.port, scripts(server), keeps_newest=True)
            load.open(group, watchers)
            one = Competitor(name, server, group)
            if commits and name == OURS:
                one.version, one.command = int(server.hello["version"]), "commit"
            publish(load, one)
            if name == OURS:
                frame = group.newest.decode()
            group.keeps_newest = False
            if pauses:
                server.pause()
            found.append(one)
        yield found, missing


def settle(load: Load, server: Server) -> None:
    """Wait until the server has caught up after a pause, in which timers and pings waited."""
    until = time.monotonic() + MOST_SETTLE_SECONDS
    while time.monotonic() < until:
        before = server.usage()
        load.read_for(SETTLE_SECONDS)
        if server.usage().share_since(before) < CALM:
            return


def scripts(server: Server) -> list[list[bytes]]:
    """One for each sync of the server; the bare server answers to anything."""
    syncs = server.hello.get("sync_ids", [""])
    return subscribing(server.port, [subscribe(WATCH_SYNC, syncId=sync) for sync in syncs])


def publish(load: Load, one: Competitor) -> int:
    """Publish the next state of every sync, and wait until all watchers have it.

    Returns:
        When it was published, in nanoseconds of the monotonic clock.
    """
    one.version += 1
    one.group.expect(frame_end(one.version))
    one.server.ask(one.command)
    load.until_all(one.group)
    return int(one.server.answer()["at"])
