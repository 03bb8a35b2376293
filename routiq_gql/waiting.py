"""Waits that end early: at a time limit, or from outside."""

import asyncio
from types import TracebackType
from typing import Self


async def set_within(event: asyncio.Event, seconds: float) -> bool:
    """Wait until ``event`` is set; false after ``seconds`` without it."""
    try:
        async with asyncio.timeout(seconds):
            return await event.wait()
    except TimeoutError:
        return False


class Interruptible:
    """A block that others can end: it then leaves at its next ``await``, without an error."""

    def __init__(self) -> None:
        self._timeout = asyncio.timeout(None)
        self._is_over = False

    def interrupt(self, *_: object) -> None:
        """End the block. Idempotent, and without effect after its end."""
        if not self._is_over:
            self._is_over = True
            self._timeout.reschedule(asyncio.get_running_loop().time())

    async def __aenter__(self) -> Self:
        await self._timeout.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        self._is_over = True
        try:
            await self._timeout.__aexit__(kind, error, trace)
        except TimeoutError:
            return True
        return False
