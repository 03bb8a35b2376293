"""Reads the wall clock and formats times; the only module that does.

All times in the product are aware UTC ``datetime`` values with millisecond precision, so that stored, compared and sent
values are the same. Any module may import this; it imports none of ours.
"""

from datetime import UTC, datetime, timedelta
from functools import lru_cache

CLOCK_TOLERANCE = timedelta(seconds=10)
"""A stored time further ahead of now than this was written with a wrong clock.

Clocks synchronized by NTP differ by less.
"""


def utc_now() -> datetime:
    """The current time in UTC, cut to whole milliseconds."""
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


@lru_cache(maxsize=1024)  # the start of a sync is in each of its states
def format_time(moment: datetime) -> str:
    """``2024-12-22T14:30:22.123Z``, the form in all APIs and files.

    Raises:
        ValueError: ``moment`` has no time zone.
    """
    return format_distinct_time(moment)


def format_distinct_time(moment: datetime) -> str:
    """The same without a cache: for thousands of times that are all different."""
    if moment.tzinfo is None:
        raise ValueError("A time without a time zone cannot be sent.")
    in_utc = moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    return in_utc.isoformat(timespec="milliseconds")[: -len("+00:00")] + "Z"
