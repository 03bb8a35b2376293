"""The spans of time during which a patient is in a list.

As time passes, nothing about a booking changes but whether it is past. So a patient is in each list during spans of
time that follow from all bookings at once, the future ones included. ``rules`` asks whether a moment is within a span.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple, TypeAlias

from routiq_gql.patients.bookings import DAY, WEEK, Booking, Terms
from routiq_gql.patients.lists import (
    FIRST_VISIT_FROM_DAYS,
    FIRST_VISIT_TO_DAYS,
    LEAST_VISITS,
    NEWEST_WITHIN_DAYS,
    PatientList,
)

Span: TypeAlias = tuple[int, int | None]
"""The first and the last moment at which a patient is in a list; without an end, ``None``."""


class History(NamedTuple):
    """Starts of a patient's bookings, past and future."""

    #: Bookings that are or will be visits: neither cancelled nor marked as missed. Ascending.
    kept: list[int]
    #: The last booking that is not cancelled, marked or not.
    last_booked: int | None
    last_cancelled: int | None
    #: The last one that is marked as missed.
    last_missed: int | None
    created_at: int | None


def spans_of(
    bookings: Sequence[Booking], created_at: int | None, terms: Terms, patient_list: PatientList
) -> list[Span]:
    """When the patient is in the list, as far as known now: the spans may overlap."""
    active = [one for one in bookings if not one.is_cancelled]
    recent, upcoming = terms.recent_days * DAY, terms.upcoming_days * DAY
    match patient_list:
        case PatientList.ACTIVE:
            return [(one.starts_at - upcoming, one.starts_at + recent) for one in active]
        case PatientList.UPCOMING:
            return [(one.starts_at - upcoming, one.starts_at - 1) for one in active]
        case PatientList.RECENT:
            return [(one.starts_at, one.starts_at + recent) for one in active if not one.is_missed]
    history = History(
        kept=[one.starts_at for one in active if not one.is_missed],
        last_booked=max((one.starts_at for one in active), default=None),
        last_cancelled=max((one.starts_at for one in bookings if one.is_cancelled), default=None),
        last_missed=max((one.starts_at for one in active if one.is_missed), default=None),
        created_at=created_at,
    )
    span = SPANS[patient_list](history, terms)
    return [span] if span is not None else []


def _no_future_appointment(history: History, terms: Terms) -> Span | None:
    if not history.kept or history.last_booked is None:
        return None
    return _if_any(history.last_booked, history.kept[-1] + terms.seen_within_weeks * WEEK)


def _cancelled_not_rebooked(history: History, _terms: Terms) -> Span | None:
    cancelled, booked = history.last_cancelled, history.last_booked
    if cancelled is None or (booked is not None and booked > cancelled):
        return None
    return cancelled - NEWEST_WITHIN_DAYS * DAY, cancelled + NEWEST_WITHIN_DAYS * DAY


def _missed_not_rebooked(history: History, _terms: Terms) -> Span | None:
    missed = history.last_missed
    if missed is None or (history.kept and history.kept[-1] > missed):
        return None
    return missed, missed + NEWEST_WITHIN_DAYS * DAY


def _first_visit_only(history: History, terms: Terms) -> Span | None:
    if len(history.kept) != 1 or history.last_booked is None:
        return None
    if history.created_at is None or history.created_at < terms.horizon_from:
        return None
    (visit,) = history.kept
    return _if_any(max(history.last_booked, visit + FIRST_VISIT_FROM_DAYS * DAY), visit + FIRST_VISIT_TO_DAYS * DAY)


def _lapsed(history: History, _terms: Terms) -> Span | None:
    if len(history.kept) < LEAST_VISITS or history.last_booked is None:
        return None
    return max(history.last_booked, history.kept[-1] + twice_median(history.kept) + 1), None


def _if_any(first: int, last: int) -> Span | None:
    return (first, last) if first <= last else None


def twice_median(starts: Sequence[int]) -> int:
    """Twice the median of the intervals, which is a whole number for an even number of intervals too."""
    intervals = sorted([after - before for before, after in pairwise(starts)])
    half = len(intervals) // 2
    return 2 * intervals[half] if len(intervals) % 2 else intervals[half - 1] + intervals[half]


SPANS: Mapping[PatientList, Callable[[History, Terms], Span | None]] = {
    PatientList.CANCELLED_NOT_REBOOKED: _cancelled_not_rebooked,
    PatientList.MISSED_NOT_REBOOKED: _missed_not_rebooked,
    PatientList.NO_FUTURE_APPOINTMENT: _no_future_appointment,
    PatientList.FIRST_VISIT_ONLY: _first_visit_only,
    PatientList.LAPSED: _lapsed,
}
"""The lists in which a patient is during one span. The first two may hold patients with a booking."""
