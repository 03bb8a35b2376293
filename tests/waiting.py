"""The time limit of every wait in a test, and waiting until a condition holds."""

import asyncio
from collections.abc import Callable

LIMIT_SECONDS = 100
"""Far more than anything here takes, so that only a real fault runs into it."""


async def until(condition: Callable[[], bool]) -> None:
    """Return as soon as ``condition`` holds."""
    async with asyncio.timeout(LIMIT_SECONDS):
        while not condition():
            await asyncio.sleep(0.01)
