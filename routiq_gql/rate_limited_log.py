"""Logs events that a peer, or a shortage, can cause thousands of times a second.

The first event is logged at once; after it at most one line a minute, with the number of events since the last line.
"""

import time
from collections.abc import Callable

import structlog

log = structlog.get_logger(__name__)

INTERVAL_SECONDS = 60


class RateLimitedLog:
    """Logs warnings of one kind.

    Args:
        event: The name of the kind, as in every other log line.
        clock: Monotonic seconds; replaced in tests.
    """

    def __init__(self, event: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._event = event
        self._clock = clock
        self._next_at = float("-inf")
        self._count = 0

    def warn(self, **facts: object) -> None:
        """Count an event, and log it unless a line was written within the last minute."""
        self._count += 1
        now = self._clock()
        if now >= self._next_at:
            self._next_at = now + INTERVAL_SECONDS
            log.warning(self._event, count=self._count, **facts)
            self._count = 0
