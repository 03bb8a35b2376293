"""Imported by Python at the start of a child process whose PYTHONPATH has this folder.

``CHAOS_CLOCK_SECONDS`` sets the wall clock of the process ahead or back. ``CHAOS_STALE_SECONDS`` plants a fault: the
process remembers each answer that it has read from the database for that long, so it sometimes shows an old state.
SIGUSR1 writes the stacks of all threads to the log.
"""

import faulthandler
import os
import signal
import time
from collections.abc import Awaitable, Callable
from typing import Any

import time_machine

faulthandler.register(signal.SIGUSR1)

if seconds := float(os.environ.get("CHAOS_CLOCK_SECONDS", "0")):
    time_machine.travel(time.time() + seconds, tick=True).start()


def _remembering(read: Callable[..., Awaitable[Any]], keep_seconds: float) -> Callable[..., Awaitable[Any]]:
    known: dict[str, tuple[float, Any]] = {}

    async def remembered(service: object, *arguments: object, **more: object) -> Any:
        key = repr((arguments, more))
        at, answer = known.get(key, (0.0, None))
        if time.monotonic() > at + keep_seconds:
            answer = await read(service, *arguments, **more)
            known[key] = time.monotonic(), answer
        return answer

    return remembered


if stale := float(os.environ.get("CHAOS_STALE_SECONDS", "0")):
    from routiq_gql.sync.service import SyncService

    for name in ("status", "dashboard", "history"):
        setattr(SyncService, name, _remembering(getattr(SyncService, name), stale))
