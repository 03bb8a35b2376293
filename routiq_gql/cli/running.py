"""Runs a command's coroutine, with Ctrl-C and SIGTERM as a cancellation that lets it clean up."""

import asyncio
import signal
from collections.abc import Coroutine
from types import FrameType
from typing import TypeVar

from routiq_gql.cli.exit_codes import Stopped

T = TypeVar("T")


def run(command: Coroutine[object, None, T]) -> T:
    """What ``command`` returns.

    Raises:
        Stopped: A signal ended it.
    """
    try:
        return asyncio.run(_cancelled_by_signals(command))
    except asyncio.CancelledError:
        raise Stopped from None


async def _cancelled_by_signals(command: Coroutine[object, None, T]) -> T:
    loop = asyncio.get_running_loop()
    task = asyncio.ensure_future(command)

    def stop(_number: int, _frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(task.cancel)

    # Plain handlers and not the loop's: while a server runs it puts its own in their place.
    previous = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        return await task
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
