"""``Flusher``: writes entries of the audit log that wait in memory, soon and in the background, and at the end."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from routiq_gql.errors import StorageError
from routiq_gql.supervision import SupervisedTask

FLUSH_SECONDS = 1.0
CLOSE_SECONDS = 5.0
"""How long closing waits for a write in progress."""


class Flusher:
    """Calls ``flush`` every second while ``is_waiting``. Close it, or the last entries are not written.

    Args:
        flush: Writes the waiting entries that are due; ``flush(True)`` writes all of them.

    Attributes:
        writing: ``flush`` holds it from its first statement until it has recorded the commit.
    """

    def __init__(
        self, task: SupervisedTask, flush: Callable[[bool], Awaitable[None]], is_waiting: Callable[[], bool]
    ) -> None:
        self._task = task
        self._flush = flush
        self._is_waiting = is_waiting
        self._flushing: asyncio.Task[None] | None = None
        self.writing = asyncio.Lock()

    def wake(self) -> None:
        """Note that an entry waits."""
        if self._flushing is None or self._flushing.done():
            self._flushing = asyncio.create_task(self._task.until_done(self._flush_until_empty), name=self._task.name)

    async def close(self) -> None:
        """Write the remaining entries."""
        if self._flushing is not None:
            # A task cancelled during its commit may have written its rows; they would be written again below.
            with suppress(TimeoutError):
                async with asyncio.timeout(CLOSE_SECONDS), self.writing:
                    self._flushing.cancel()
            self._flushing.cancel()
            with suppress(asyncio.CancelledError):
                await self._flushing
        with suppress(StorageError):  # it is logged already
            await self._flush(True)

    async def _flush_until_empty(self) -> None:
        while self._is_waiting():
            await asyncio.sleep(FLUSH_SECONDS)
            await self._flush(False)
            self._task.succeeded()
