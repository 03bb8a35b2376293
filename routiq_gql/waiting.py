"""Waiting for an event under a time limit."""

import asyncio


async def set_within(event: asyncio.Event, seconds: float) -> bool:
    """Wait until ``event`` is set; false after ``seconds`` without it."""
    try:
        async with asyncio.timeout(seconds):
            return await event.wait()
    except TimeoutError:
        return False
