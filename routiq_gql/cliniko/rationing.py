"""Keeps looks, and the syncs that follow from them, within a part of an API key's pace.

The other part is left to people's syncs and to other programs with the same key. A rate limit that is reached all the
same halves that part, since another program needs more. Both are stored before the request that follows, since other
processes may send requests with the same key, and this one may be killed.
"""

import time
from collections import deque
from collections.abc import Iterable
from typing import Protocol

from routiq_gql.cliniko.pacing import OnWait, Pacer, wait_openly

WINDOW_SECONDS = 62.0
"""A minute, and what requests may be late on their way to Cliniko."""
LATE_MILLISECONDS = 1000
"""Half of these two seconds: a request that is sent later than it was counted by more counts anew. The other half is
for the way."""
LEAST_PER_MINUTE = 4
"""A look's requests, which must fit."""


class Booking(Protocol):
    """Counts the requests of a ration where all processes find them."""

    async def book(self, count: int) -> float:
        """Count requests by ``Ration.note`` and store them, if they may be sent now. Otherwise the seconds to wait."""

    async def note_limit(self) -> None:
        """Store that Cliniko's rate limit was reached, unless that was done."""


class Ration:
    """The requests of the last minute, and how many there may be.

    Args:
        per_minute: 0 for any number.
        sent: When the latest requests were sent, in milliseconds since 1970.
        by_others: The same of other organizations with the key, which count too.

    Attributes:
        is_limited: Whether Cliniko's rate limit was reached meanwhile.
        booking: Stores the requests before they are sent; ``None`` to count them in this process only.
    """

    def __init__(self, per_minute: int, sent: Iterable[int] = (), by_others: Iterable[int] = ()) -> None:
        self.per_minute = per_minute
        self.is_limited = False
        self.booking: Booking | None = None
        self._sent = deque(sorted(sent), maxlen=max(per_minute, 1))
        self._by_others = list(by_others)

    @property
    def sent(self) -> list[int]:
        """When the requests of the last minute were sent, in milliseconds since 1970; not those of others."""
        self._forget()
        return list(self._sent)

    @property
    def counted_at(self) -> int:
        """When the latest request was counted, in milliseconds since 1970; 0 for none."""
        return self._sent[-1] if self._sent else 0

    def seconds_until(self, count: int = 1) -> float:
        """How long it takes until ``count`` more requests may be sent; 0 if they may be sent now."""
        self._forget()
        sent = sorted([*self._sent, *self._by_others]) if self._by_others else self._sent
        excess = len(sent) + count - self.per_minute
        if not self.per_minute or excess <= 0:
            return 0.0
        place = min(excess, len(sent)) - 1
        return max(0.0, sent[place] / 1000 + WINDOW_SECONDS - time.time()) if place >= 0 else 0.0

    def note(self, count: int = 1) -> None:
        """Count requests as sent now."""
        if self.per_minute:
            self._sent.extend([round(time.time() * 1000)] * count)

    def note_others(self, sent: Iterable[int]) -> None:
        """Count these requests of other organizations, in place of those that were known before."""
        self._by_others = list(sent)

    async def count_now(self, count: int = 1) -> float:
        """Count requests as sent now, and return 0; or the seconds to wait, if they do not fit."""
        if self.booking is not None and self.per_minute:
            return await self.booking.book(count)
        self.note(count)
        return 0.0

    def take_back_late(self, counted_at: int, count: int = 1) -> bool:
        """Take back requests that were counted too long ago to be sent only now. Returns whether they were."""
        if not counted_at or time.time() * 1000 - counted_at <= LATE_MILLISECONDS:
            return False
        for _ in range(min(count, self._sent.count(counted_at))):
            self._sent.remove(counted_at)
        return True

    def note_limit(self) -> None:
        """Send half as many from now on, as Cliniko's rate limit was reached."""
        self.is_limited = True
        if self.per_minute:
            self.per_minute = max(LEAST_PER_MINUTE, self.per_minute // 2)

    async def store_limit(self) -> None:
        """Store that the rate limit was reached, if it was: this process may end before its next request."""
        if self.is_limited and self.booking is not None and self.per_minute:
            await self.booking.note_limit()

    def lift(self) -> None:
        """Send any number from now on: the sync has to read everything."""
        self.per_minute = 0

    def _forget(self) -> None:
        now = time.time() * 1000
        while self._sent and self._sent[0] <= now - WINDOW_SECONDS * 1000:
            self._sent.popleft()
        while self._sent and self._sent[-1] > now + 1000:  # written while the clock was ahead
            self._sent.pop()
        if self._by_others:
            self._by_others = [one for one in self._by_others if now - WINDOW_SECONDS * 1000 < one <= now + 1000]


class RationedPacer(Pacer):
    """The pace of an API key, for requests that keep to a ration of it."""

    def __init__(self, pacer: Pacer, ration: Ration) -> None:
        super().__init__(pacer.requests_per_minute)
        self._pacer = pacer
        self._ration = ration
        self._turns = 0
        self._counted_at = 0

    async def wait_turns(self, count: int, on_wait: OnWait | None = None) -> None:
        """Take the turns of the next ``count`` requests at once, which the caller has counted already."""
        await self._pacer.wait_turns(count, on_wait)
        if self._ration.take_back_late(self._ration.counted_at, count):
            while (seconds := await self._ration.count_now(count)) > 0:
                await wait_openly(seconds, "rate_limit", _message(seconds), on_wait)
        self._turns, self._counted_at = count, self._ration.counted_at

    async def wait_turn(self, on_wait: OnWait | None = None) -> None:
        if self._turns:
            self._turns -= 1
            if not self._ration.take_back_late(self._counted_at):
                return
        await self._ration.store_limit()
        seconds = self._ration.seconds_until()
        while True:
            while seconds > 0:
                await wait_openly(seconds, "rate_limit", _message(seconds), on_wait)
                seconds = self._ration.seconds_until()
            await self._pacer.wait_turn(on_wait)
            seconds = await self._ration.count_now()
            if seconds <= 0 and self._ration.take_back_late(self._ration.counted_at):  # the database was slow
                seconds = await self._ration.count_now()
            if seconds <= 0:
                return

    def hold(self, seconds: float) -> None:
        self._turns = 0  # of a look whose first request was refused
        self._ration.note_limit()
        self._pacer.hold(seconds)


def _message(seconds: float) -> str:
    return f"Leaving Cliniko's rate limit to others, resuming in {max(1, round(seconds))} s"
