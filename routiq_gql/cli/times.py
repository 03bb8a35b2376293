"""Reads and formats times and durations for commands: local time for users, UTC in JSON."""

import re
from datetime import datetime, timedelta

from routiq_gql.cli.plain_text import clean_text
from routiq_gql.clock import format_time
from routiq_gql.errors import BadInput

_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def read_duration(text: str) -> timedelta:
    """``90m``, ``6h`` or ``2d``.

    Raises:
        BadInput: It has another form.
    """
    match = re.fullmatch(r"(\d{1,5})([mhd])", text.strip())
    if match is None:
        raise BadInput(f"“{clean_text(text)}” is not a duration. Use minutes, hours or days, such as 90m, 6h or 7d.")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def interval_text(interval: timedelta) -> str:
    """``90m``, ``6h`` or ``7d``, as ``read_duration`` takes it; an interval of whole minutes."""
    minutes = int(interval.total_seconds()) // 60
    units = (("d", 24 * 60), ("h", 60), ("m", 1))
    return next(f"{minutes // size}{unit}" for unit, size in units if minutes % size == 0)


def local_time(moment: datetime | None, *, seconds: bool = False) -> str:
    """``2026-03-02 09:00 +11:00`` in local time; ``never`` without a moment."""
    return with_offset(moment.astimezone(), "%Y-%m-%d %H:%M:%S" if seconds else "%Y-%m-%d %H:%M") if moment else "never"


def with_offset(moment: datetime, form: str) -> str:
    """The moment in this form, and the offset of its time zone: a text may be read in another one."""
    offset = f"{moment:%z}"
    return f"{moment:{form}} {offset[:3]}:{offset[3:5]}"


def json_time(moment: datetime | None) -> str | None:
    """``2026-03-02T09:00:00.000Z``."""
    return format_time(moment) if moment else None


def duration_text(seconds: float) -> str:
    """``8.0 s``, ``20.2 s``, ``1 min 5 s``, ``2 h 3 min``."""
    return f"{seconds:.1f} s" if seconds < 59.5 else whole_duration(round(seconds))


def whole_duration(seconds: int) -> str:
    """``8 s``, ``1 min 5 s``, ``2 h 3 min``, for a display that changes."""
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60} min"
