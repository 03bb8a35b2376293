"""A read of the database that all callers of the same moment share.

A caller joins a read that has not begun yet, never a read in progress. So it never gets a state older than its call.
While ``READS_AT_ONCE`` reads are in progress, none begins: a database that hangs gets no queue of reads whose callers
have given up.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")

READS_AT_ONCE = 2
"""Reads of the same thing in progress. A second one, so that a slow read does not delay all later callers."""


class JoinedRead(Generic[T]):
    """A read that simultaneous callers share.

    Args:
        read: Reads once, beginning with the call.
        name: The name of its asyncio task.
    """

    def __init__(self, read: Callable[[], Awaitable[T]], name: str) -> None:
        self._read = read
        self._name = name
        self._next: asyncio.Task[T] | None = None
        self._turn = asyncio.Semaphore(READS_AT_ONCE)

    async def __call__(self) -> T:
        """The result of a read that begins after this call. A caller that is cancelled cancels no other caller."""
        reading = self._next
        if reading is None:
            reading = self._next = asyncio.create_task(self._read_soon(), name=self._name)
            reading.add_done_callback(_note_failure)
        return await asyncio.shield(reading)

    async def _read_soon(self) -> T:
        await asyncio.sleep(0)  # all callers that were woken together join first
        async with self._turn:
            self._next = None
            return await self._read()


def _note_failure(reading: "asyncio.Task[T]") -> None:
    """Retrieve the error of a read whose callers have all left; asyncio would log it with its statement."""
    if not reading.cancelled():
        reading.exception()
