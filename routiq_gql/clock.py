"""The one place that reads the wall clock and writes times.

Every time in the product is an aware UTC ``datetime`` with millisecond precision, so that what is
stored, compared and sent is the same value. Anyone may import this; it imports nothing of ours.
"""

from datetime import UTC, datetime, timedelta

CLOCK_TOLERANCE = timedelta(seconds=10)
"""By how much a stored time may be ahead of now before it counts as one of a clock that was wrong.

Clocks of machines that keep them by NTP differ by less.
"""


def utc_now() -> datetime:
    """The current time in UTC, cut to whole milliseconds."""
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


def format_time(moment: datetime) -> str:
    """``2024-12-22T14:30:22.123Z``, the form on every wire.

    Raises:
        ValueError: ``moment`` has no time zone.
    """
    if moment.tzinfo is None:
        raise ValueError("A time without a time zone cannot be sent.")
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
