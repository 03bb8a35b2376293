"""Keeps the requests of an API key below Cliniko's rate limit and announces every wait before it begins.

Cliniko counts per user, so all clients with the same key share a ``Pacer``. Requests are spaced evenly, with small
bursts. aiolimiter paces as well, but can neither report the length of a wait in advance nor accept a reset time; both
are shown to users as progress.
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
"""Requests that may follow each other at once after a pause. With 180 a minute these stay below Cliniko's 200."""
ANNOUNCED_ABOVE_SECONDS = 1.0
"""Shorter waits are neither logged nor shown."""


@dataclass(frozen=True, slots=True)
class Wait:
    """A wait that is about to begin.

    Attributes:
        seconds: Its duration.
        resumes_at: Its end, in UTC.
        message: A sentence for users, such as ``Waiting for Cliniko's rate limit, resuming in 23 s``.
    """

    reason: Literal["rate_limit", "retry"]
    seconds: float
    resumes_at: datetime
    message: str


OnWait = Callable[[Wait], AbstractAsyncContextManager[None]]
"""Makes a context that is entered before a wait begins and left after it, before the next request."""


async def wait_openly(
    seconds: float, reason: Literal["rate_limit", "retry"], message: str, on_wait: OnWait | None
) -> None:
    """Wait ``seconds`` from now, within the context of ``on_wait`` if that is more than a second.

    The time to enter the context is part of the wait. If it raises, there is no wait and the error propagates.
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
    """The message for users while a request waits for its turn."""
    return f"Waiting for Cliniko's rate limit, resuming in {ceil(seconds)} s"


class Pacer:
    """Spaces the requests of an API key within one process.

    Args:
        requests_per_minute: 0 turns spacing off; ``hold`` still applies.

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
        """The monotonic time from which this pacer behaves like a new one."""
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

    async def wait_turns(self, count: int, on_wait: OnWait | None = None) -> None:
        """Return when ``count`` requests may be sent at once, at most ``BURST``."""
        for _ in range(count):
            await self.wait_turn(on_wait)

    def hold(self, seconds: float) -> None:
        """Send no request of this key for ``seconds``, because Cliniko reported that the limit is reached."""
        self._held_until = max(self._held_until, time.monotonic() + seconds)
        # After the reset, requests are spaced evenly, without a burst.
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


def pace_digest(api_key: str) -> bytes:
    """The digest of a key with or without its shard, by which its requests are counted.

    Raises:
        InvalidApiKey: The text can't be a key.
    """
    return hashlib.sha256(key_without_shard(api_key).encode()).digest()


class PacerRegistry:
    """One pacer per API key, with or without its shard. Stores digests of keys, not keys.

    A pacer is dropped when no client holds it and it would behave like a new one.

    Args:
        make: Makes a pacer from the key's digest, for a pace shared across processes.
    """

    def __init__(self, requests_per_minute: int, make: Callable[[bytes], Pacer] | None = None) -> None:
        self._make = make or (lambda _digest: Pacer(requests_per_minute))
        self._pacers: WeakValueDictionary[bytes, Pacer] = WeakValueDictionary()
        self._used: dict[bytes, Pacer] = {}  # pacers that may still delay a request

    def __len__(self) -> int:
        """How many pacers there are at the moment."""
        return len(self._pacers)

    def pacer_for(self, api_key: str) -> Pacer:
        """The pacer shared by all clients with this key.

        Raises:
            InvalidApiKey: The text can't be a key.
        """
        digest = pace_digest(api_key)
        now = time.monotonic()
        for known in [known for known, pacer in self._used.items() if pacer.matters_until <= now]:
            del self._used[known]
        pacer = self._pacers.get(digest)
        if pacer is None:
            pacer = self._pacers[digest] = self._make(digest)
            pacer.on_use = partial(self._used.__setitem__, digest)
        return pacer
