"""Keeps the requests of one API key below Cliniko's rate limit, and tells of every wait before it begins.

Cliniko counts per user, so every client with the same key shares one ``Pacer``. Requests are spaced evenly with room
for a handful back to back. aiolimiter spaces just as well but can't say how long a wait will be before it begins, nor
be told of a reset time, and both are what people see as progress.
"""

import asyncio
import hashlib
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from math import ceil
from typing import Literal
from weakref import WeakValueDictionary

from routiq_gql.cliniko.keys import key_without_shard

BURST = 5
"""Requests that may follow each other at once after a pause; 180 a minute plus these stay below Cliniko's 200."""
ANNOUNCED_ABOVE_SECONDS = 1.0
"""Shorter waits are not worth a line in anyone's log."""


@dataclass(frozen=True, slots=True)
class Wait:
    """A wait that is about to begin.

    Attributes:
        seconds: How long it will take.
        resumes_at: When it ends, in UTC.
        message: A sentence for people, such as ``Waiting for Cliniko's rate limit, resuming in 23 s``.
    """

    reason: Literal["rate_limit", "retry"]
    seconds: float
    resumes_at: datetime
    message: str


OnWait = Callable[[Wait], AbstractAsyncContextManager[None]]
"""Makes a context that is entered before a wait begins and left when it is over, before the next request is sent."""


async def wait_openly(
    seconds: float, reason: Literal["rate_limit", "retry"], message: str, on_wait: OnWait | None
) -> None:
    """Wait ``seconds`` from now, within the context of ``on_wait`` when they are more than one.

    The time that entering takes is part of the wait. If it raises, there is no wait and the error is propagated.
    """
    end = time.monotonic() + seconds
    if on_wait is None or seconds <= ANNOUNCED_ABOVE_SECONDS:
        await asyncio.sleep(seconds)
        return
    resumes_at = datetime.now(UTC) + timedelta(milliseconds=ceil(seconds * 1000))
    resumes_at = resumes_at.replace(microsecond=resumes_at.microsecond // 1000 * 1000)
    async with on_wait(Wait(reason, seconds, resumes_at, message)):
        await asyncio.sleep(max(0.0, end - time.monotonic()))


def rate_limit_message(seconds: float) -> str:
    """What people read while a request waits so long for its turn."""
    return f"Waiting for Cliniko's rate limit, resuming in {ceil(seconds)} s"


class Pacer:
    """Spaces the requests of one API key within one process.

    Args:
        requests_per_minute: 0 does not space at all; a ``hold`` is respected all the same.

    Attributes:
        on_use: Called when ``matters_until`` has changed; for the registry.
    """

    def __init__(self, requests_per_minute: int) -> None:
        self.requests_per_minute = requests_per_minute
        self._interval = 60 / requests_per_minute if requests_per_minute else 0.0
        self._free_at = 0.0  # monotonic time from which a whole burst is allowed again
        self._held_until = 0.0
        self.on_use: Callable[[Pacer], None] = _nothing

    @property
    def matters_until(self) -> float:
        """The monotonic time from which this pacer is like a new one."""
        return max(self._free_at, self._held_until)

    async def wait_turn(self, on_wait: OnWait | None = None) -> None:
        """Return when the next request may be sent. Turns are given in the order of the calls.

        A turn that is cancelled while waiting is lost, which errs on the slow side.
        """
        while True:
            turn = self._take_turn()
            seconds = turn - time.monotonic()
            if seconds > 0:
                await wait_openly(seconds, "rate_limit", rate_limit_message(seconds), on_wait)
            if turn >= self._held_until:
                return

    def hold(self, seconds: float) -> None:
        """Let no request of this key through for ``seconds``: Cliniko said that the limit is reached."""
        self._held_until = max(self._held_until, time.monotonic() + seconds)
        # After the reset requests start evenly spaced, not with a burst.
        self._free_at = max(self._free_at, self._held_until + (BURST - 1) * self._interval)
        self.on_use(self)

    def _take_turn(self) -> float:
        now = time.monotonic()
        turn = max(now, self._held_until, self._free_at - (BURST - 1) * self._interval)
        self._free_at = max(self._free_at, turn) + self._interval
        self.on_use(self)
        return turn


def _nothing(_pacer: Pacer) -> None:
    pass


class PacerRegistry:
    """One pacer per API key. Keys are remembered as digests only; with and without its shard, a key is the same.

    A pacer is dropped when no client has it and it would let the next request through as a new one would.

    Args:
        make: Makes the pacer of a key from the key's digest, for those who share a pace beyond this process.
    """

    def __init__(self, requests_per_minute: int, make: Callable[[bytes], Pacer] | None = None) -> None:
        self._make = make or (lambda _digest: Pacer(requests_per_minute))
        self._pacers: WeakValueDictionary[bytes, Pacer] = WeakValueDictionary()
        self._used: dict[bytes, Pacer] = {}  # those that may still matter

    def __len__(self) -> int:
        """How many pacers there are at the moment."""
        return len(self._pacers)

    def pacer_for(self, api_key: str) -> Pacer:
        """The pacer that everyone with this key shares.

        Raises:
            InvalidApiKey: The text can't be a key.
        """
        digest = hashlib.sha256(key_without_shard(api_key).encode()).digest()
        now = time.monotonic()
        for known in [known for known, pacer in self._used.items() if pacer.matters_until <= now]:
            del self._used[known]
        pacer = self._pacers.get(digest)
        if pacer is None:
            pacer = self._pacers[digest] = self._make(digest)
            pacer.on_use = partial(self._used.__setitem__, digest)
        return pacer
