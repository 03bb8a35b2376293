"""Limits the share of each organization in the connection pool and the event loop, so that others are served meanwhile.

Pool and loop serve requests in order: an organization with hundreds of reads would delay all others. The endpoints
enter ``using(share)`` for an organization's request; every transaction begun inside first waits for a place in that
share. Syncs and the tasks of the process itself have no share.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, nullcontext
from contextvars import ContextVar
from weakref import WeakSet, WeakValueDictionary

OPERATION_CONNECTIONS = 5
"""For the queries and mutations of an organization. SQLite's pool has 15 connections, PostgreSQL's 20."""
WATCH_CONNECTIONS = 3
"""For the events of its subscriptions, so that they don't wait behind its queries."""
FOLLOW_CONNECTIONS = 2
"""For followers of its syncs' logs."""

LARGE_COST = 100
"""An operation above this cost is large: it requests more than a page."""
LARGE_AT_ONCE = 2
"""Large operations of an organization at the same time. With more, none is faster, and all are late."""
PAUSE = 2
"""Pause after a turn, relative to the turn. With 2, an organization with large operations uses at most a third of the
event loop while other shares are in use: a short read of theirs waits for the loop some twenty times."""
LONGEST_PAUSE_SECONDS = 0.1

_IN_USE: "WeakSet[Share]" = WeakSet()


class Share:
    """The share of an organization; see ``using``."""

    def __init__(self, connections: int) -> None:
        self.connections = asyncio.Semaphore(connections)
        self._large = asyncio.Semaphore(LARGE_AT_ONCE)
        self._turn = asyncio.Lock()
        self._began = self._pauses_until = 0.0
        _IN_USE.add(self)

    async def turn(self) -> None:
        """Wait for an iteration of the event loop in which no other task of this share resumes from here.

        Making the objects of a hundred rows blocks the loop for milliseconds. While other shares are in use, a pause of
        ``PAUSE`` times as long follows, in which their statements can be read.
        """
        loop = asyncio.get_running_loop()
        async with self._turn:
            pause = self._pauses_until - loop.time() if len(_IN_USE) > 1 else 0
            await asyncio.sleep(max(pause, 0))
            self._began = loop.time()
            loop.call_soon(self._end_turn)  # runs directly after the caller's work up to its next wait

    def _end_turn(self) -> None:
        now = asyncio.get_running_loop().time()
        self._pauses_until = now + min(PAUSE * (now - self._began), LONGEST_PAUSE_SECONDS)

    def room_for(self, cost: int) -> AbstractAsyncContextManager[None]:
        """A context to hold while an operation of this cost is executed."""
        return self._large if cost > LARGE_COST else nullcontext()


class Shares:
    """The shares of all organizations; unused shares are dropped."""

    def __init__(self, connections: int) -> None:
        self._connections = connections
        self._shares: WeakValueDictionary[str, Share] = WeakValueDictionary()

    def of(self, organization: str) -> Share:
        """The organization's share; the same object while it is referenced."""
        share = self._shares.get(organization)
        if share is None:
            share = self._shares[organization] = Share(self._connections)
        return share


class _Use:
    """A ``using`` block. Tasks started in it inherit it, and may outlive it."""

    def __init__(self, share: Share) -> None:
        self.share: Share | None = share


_USE: ContextVar[_Use | None] = ContextVar("share", default=None)


@contextmanager
def using(share: Share) -> Iterator[None]:
    """Make transactions of this block, and of tasks started in it until it ends, wait for a place in ``share``."""
    use = _Use(share)
    token = _USE.set(use)
    try:
        yield
    finally:
        use.share = None
        _USE.reset(token)


@asynccontextmanager
async def place() -> AsyncIterator[None]:
    """Hold a connection's place in the current share, if any; then wait for a turn."""
    share = _used()
    if share is None:
        yield
        return
    async with share.connections:
        yield
    await share.turn()


async def turn() -> None:
    """Wait for a turn in the current share, if any, before work that takes milliseconds."""
    share = _used()
    if share is not None:
        await share.turn()


def _used() -> Share | None:
    use = _USE.get()
    return use.share if use is not None else None
