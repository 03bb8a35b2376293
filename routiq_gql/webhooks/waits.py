"""Waits between the attempts to deliver an event.

They grow from seconds to half a day and end three days after the first failure: a receiver that is repaired over a long
weekend gets everything, and one that is gone is not called forever.
"""

import random
from datetime import datetime, timedelta

WAITS = (
    timedelta(seconds=5),
    timedelta(seconds=30),
    timedelta(minutes=2),
    timedelta(minutes=10),
    timedelta(minutes=30),
    timedelta(hours=1),
    timedelta(hours=3),
    timedelta(hours=6),
    timedelta(hours=12),
)
"""After the first, second… failed attempt; the last one repeats."""
GIVES_UP_AFTER = timedelta(days=3)
"""From the first of the failed attempts in a row."""
LONGEST_REQUESTED_WAIT = timedelta(hours=12)
"""What a receiver can ask for with ``Retry-After``."""
JITTER = 0.2
"""Added at most, so that the events of many organizations do not return to a receiver at the same moment."""


def next_attempt(
    now: datetime, attempts: int, failing_since: datetime, requested: timedelta | None = None
) -> datetime | None:
    """Time of the next attempt after a failure at ``now``; ``None`` if this was the last one.

    Args:
        attempts: Failed attempts for this event so far, at least 1.
        failing_since: Time of the webhook's first failure since its last success.
        requested: The wait that the receiver asked for.
    """
    last = failing_since + GIVES_UP_AFTER
    if now >= last:
        return None
    wait = WAITS[min(attempts, len(WAITS)) - 1] * (1 + random.random() * JITTER)
    if requested is not None:
        wait = max(wait, min(requested, LONGEST_REQUESTED_WAIT))
    return min(now + wait, last)
