"""Runs a command's coroutine; Ctrl-C and SIGTERM cancel it, so that it can clean up."""

import asyncio
import signal
from collections.abc import Coroutine
from types import FrameType
from typing import TypeVar

from routiq_gql.cli.exit_codes import Stopped

T = TypeVar("T")


def run(command: Coroutine[object, None, T]) -> T:
    """The result of ``command``.

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

    # Plain handlers rather than the loop's, because a running server replaces the loop's handlers.
    previous = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        return await task
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
