"""A patient's bookings, and the terms by which a sync judges them, in whole milliseconds since 1970 in UTC."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, Self

DAY = 86_400_000
"""Milliseconds."""
WEEK = 7 * DAY
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def to_milliseconds(moment: datetime) -> int:
    """The moment, cut to milliseconds like every stored time."""
    return (moment - _EPOCH) // _MILLISECOND


def to_moment(milliseconds: int) -> datetime:
    """The moment in UTC."""
    return _EPOCH + timedelta(milliseconds=milliseconds)


class Booking(NamedTuple):
    """An appointment of a patient, or a place in a class."""

    starts_at: int
    is_cancelled: bool
    #: Marked as not attended (``True``) or attended; ``None`` without a mark. It counts once the start has passed.
    is_missed: bool | None
    #: 1 for an appointment, 2 for a place in a class.
    kind: int
    #: The id of the appointment, or of the place.
    id: int
    type_id: int | None
    practitioner_id: int | None


@dataclass(frozen=True, slots=True)
class Terms:
    """What a sync's results go by.

    Attributes:
        analyzed_at: Bookings that start at this time or earlier are past.
        recent_days: The days before it, and
        upcoming_days: the days after it within which a booking makes a patient active.
        seen_within_weeks: The weeks of the list of patients without a future appointment.
        horizon_from: Earlier appointments are not mirrored.
    """

    analyzed_at: int
    recent_days: int
    upcoming_days: int
    seen_within_weeks: int
    horizon_from: int

    @classmethod
    def at(
        cls,
        analyzed_at: datetime,
        recent_days: int,
        upcoming_days: int,
        seen_within_weeks: int,
        horizon_from: datetime | None,
    ) -> Self:
        """The terms with these times. Without ``horizon_from`` no patient counts as new."""
        horizon = to_milliseconds(horizon_from) if horizon_from is not None else to_milliseconds(analyzed_at) + 1
        return cls(to_milliseconds(analyzed_at), recent_days, upcoming_days, seen_within_weeks, horizon)
