"""What one organization may take of the connection pool and of the event loop, so that others are served meanwhile.

Both serve requests in order, and an organization with hundreds of reads under way would keep all others waiting. The
endpoints enter ``using(share)`` around what they do for an organization; every transaction begun inside then waits for
a place in that share first. Syncs and the tasks of the process itself have no share.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, nullcontext
from contextvars import ContextVar
from weakref import WeakSet, WeakValueDictionary

OPERATION_CONNECTIONS = 5
"""For the queries and mutations of one organization. SQLite's pool has 15 connections, PostgreSQL's 20."""
WATCH_CONNECTIONS = 3
"""For the events of its subscriptions, so that they don't wait behind its queries."""
FOLLOW_CONNECTIONS = 2
"""For those who follow a log of its syncs."""

LARGE_COST = 100
"""An operation that costs more is large: it asks for more than a page."""
LARGE_AT_ONCE = 2
"""More large operations of one organization at the same time make none of them faster, and all of them too late."""
PAUSE = 2
"""A third of the event loop is left to an organization with large operations while others have any: a short read of
theirs waits for the loop some twenty times, and each time may find it taken."""
LONGEST_PAUSE_SECONDS = 0.1

_IN_USE: "WeakSet[Share]" = WeakSet()


class Share:
    """One organization's part; see ``using``."""

    def __init__(self, connections: int) -> None:
        self.connections = asyncio.Semaphore(connections)
        self._large = asyncio.Semaphore(LARGE_AT_ONCE)
        self._turn = asyncio.Lock()
        self._began = self._pauses_until = 0.0
        _IN_USE.add(self)

    async def turn(self) -> None:
        """Wait for an iteration of the event loop in which nothing else of this share is resumed from here.

        Making objects of a hundred rows takes milliseconds in which nothing else runs. While other shares are in use,
        a pause of ``PAUSE`` times as long comes after it, in which their statements can be read.
        """
        loop = asyncio.get_running_loop()
        async with self._turn:
            pause = self._pauses_until - loop.time() if len(_IN_USE) > 1 else 0
            await asyncio.sleep(max(pause, 0))
            self._began = loop.time()
            loop.call_soon(self._end_turn)  # runs right after what the caller does before it waits again

    def _end_turn(self) -> None:
        now = asyncio.get_running_loop().time()
        self._pauses_until = now + min(PAUSE * (now - self._began), LONGEST_PAUSE_SECONDS)

    def room_for(self, cost: int) -> AbstractAsyncContextManager[None]:
        """To be held while an operation of this cost is executed."""
        return self._large if cost > LARGE_COST else nullcontext()


class Shares:
    """The shares of all organizations; a share that is not in use is forgotten."""

    def __init__(self, connections: int) -> None:
        self._connections = connections
        self._shares: WeakValueDictionary[str, Share] = WeakValueDictionary()

    def of(self, organization: str) -> Share:
        """The organization's share, the same one for as long as it is referred to."""
        share = self._shares.get(organization)
        if share is None:
            share = self._shares[organization] = Share(self._connections)
        return share


class _Use:
    """One ``using`` block. Tasks that it started inherit it, and may live on after it has ended."""

    def __init__(self, share: Share) -> None:
        self.share: Share | None = share


_USE: ContextVar[_Use | None] = ContextVar("share", default=None)


@contextmanager
def using(share: Share) -> Iterator[None]:
    """Let transactions wait for a place in ``share``: those of this block, and of tasks it started until it ends."""
    use = _Use(share)
    token = _USE.set(use)
    try:
        yield
    finally:
        use.share = None
        _USE.reset(token)


@asynccontextmanager
async def place() -> AsyncIterator[None]:
    """A place for a connection in the share that is in use here, if one is; afterwards, a turn."""
    share = _used()
    if share is None:
        yield
        return
    async with share.connections:
        yield
    await share.turn()


async def turn() -> None:
    """Wait for a turn before something that takes milliseconds, in the share that is in use here, if one is."""
    share = _used()
    if share is not None:
        await share.turn()


def _used() -> Share | None:
    use = _USE.get()
    return use.share if use is not None else None
