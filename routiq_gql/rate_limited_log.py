"""Log lines for events that a peer, or a shortage, can cause thousands of times a second.

The first event is logged at once. After that at most one line a minute is written, with the number of events since
the last one.
"""

import time
from collections.abc import Callable

import structlog

log = structlog.get_logger(__name__)

INTERVAL_SECONDS = 60


class RateLimitedLog:
    """Writes warnings of one kind.

    Args:
        event: Names the kind, as in every other log line.
        clock: Seconds that never go back; tests replace it.
    """

    def __init__(self, event: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._event = event
        self._clock = clock
        self._next_at = float("-inf")
        self._count = 0

    def warn(self, **facts: object) -> None:
        """Count one event, and write a line unless one was written within the last minute."""
        self._count += 1
        now = self._clock()
        if now >= self._next_at:
            self._next_at = now + INTERVAL_SECONDS
            log.warning(self._event, count=self._count, **facts)
            self._count = 0
