"""Decides from a patient's bookings in which lists the patient is, and when time alone changes that.

The analysis stores the results; a reader calls the same functions with the bookings and terms of a sync to say why.
Nothing here reads a database or a clock.
"""

from collections.abc import Iterable, Sequence
from functools import cache
from typing import NamedTuple

from routiq_gql.patients.bookings import DAY, Booking, Terms
from routiq_gql.patients.lists import LEAST_VISITS, PatientList
from routiq_gql.patients.spans import SPANS, History, spans_of, twice_median

__all__ = ["Assessment", "Booking", "Terms", "assess", "next_change"]


class Assessment(NamedTuple):
    """What is known of a patient at ``Terms.analyzed_at``. Counts are of bookings within the horizon."""

    #: The lists that the patient is in.
    lists: frozenset[PatientList]
    #: Past bookings that are neither cancelled nor marked as missed.
    visits: int
    first_visit: Booking | None
    last_visit: Booking | None
    #: Future bookings that are not cancelled.
    booked: int
    next_booking: Booking | None
    #: Past bookings that are marked as missed.
    missed: int
    cancelled: int
    #: Twice the median of the intervals between visits; ``None`` with fewer than three visits, or something booked.
    twice_usual_interval: int | None
    #: Visits within the recent days; 0 for a patient whom Cliniko doesn't list, as for the next two.
    recent: int
    #: Bookings within the upcoming days.
    upcoming: int
    #: Missed bookings within the recent days.
    recently_missed: int
    #: The first moment at which time alone changes any of these values; ``None`` if it changes none.
    changes_at: int | None

    @property
    def is_active(self) -> bool:
        return PatientList.ACTIVE in self.lists


def assess(bookings: Iterable[Booking], is_listed: bool, created_at: int | None, terms: Terms) -> Assessment:
    """The results of a patient, from all bookings in the horizon, ascending by start.

    Args:
        is_listed: Whether the patient can be read, Cliniko lists it by default, and it was not merged into another
            patient. Others are in no list.
        created_at: When the patient was created in Cliniko.
    """
    now = terms.analyzed_at
    recent_from, upcoming_to = now - terms.recent_days * DAY, now + terms.upcoming_days * DAY
    kept: list[int] = []
    visits = booked = missed = cancelled = recent = upcoming = recently_missed = 0
    first_visit = last_visit = next_booking = None
    last_booked = last_cancelled = last_missed = None
    changes: list[int] = []
    leaving = entering = None
    for booking in bookings:
        starts_at, is_cancelled, is_missed, *_ = booking
        if is_cancelled:
            cancelled += 1
            last_cancelled = starts_at
            continue
        last_booked = starts_at
        if is_missed:
            last_missed = starts_at
        else:
            kept.append(starts_at)
        if starts_at > now:
            booked += 1
            if next_booking is None:
                next_booking = booking
            if starts_at <= upcoming_to:
                upcoming += 1
            elif entering is None:
                entering = starts_at - terms.upcoming_days * DAY
            continue
        if is_missed:
            missed += 1
        else:
            visits += 1
            last_visit = booking
            if first_visit is None:
                first_visit = booking
        if starts_at >= recent_from:
            if is_missed:
                recently_missed += 1
            else:
                recent += 1
            if leaving is None:
                leaving = starts_at + terms.recent_days * DAY + 1
    twice = twice_median(kept) if not booked and visits >= LEAST_VISITS else None
    if not is_listed:
        return Assessment(
            _lists(0), visits, first_visit, last_visit, booked, next_booking, missed, cancelled, twice, 0, 0, 0, None
        )
    members = _BITS[PatientList.ALL]
    if recent:
        members |= _BITS[PatientList.RECENT]
    if upcoming:
        members |= _BITS[PatientList.UPCOMING]
    if recent or upcoming or recently_missed:
        members |= _BITS[PatientList.ACTIVE]
    history = History(kept, last_booked, last_cancelled, last_missed, created_at)
    # While something is booked, the other lists change with that booking at the earliest.
    for span_of, bit in _REBOOKING if booked else _ALL_SPANS:
        span = span_of(history, terms)
        if span is None:
            continue
        first, last = span
        if now < first:
            changes.append(first)
        elif last is None:
            members |= bit
        elif now <= last:
            members |= bit
            changes.append(last + 1)
    if next_booking is not None:
        changes.append(next_booking[0])
    if entering is not None:
        changes.append(entering)
    if leaving is not None:
        changes.append(leaving)
    return Assessment(
        _lists(members), visits, first_visit, last_visit, booked, next_booking, missed, cancelled, twice,
        recent, upcoming, recently_missed, min(changes, default=None),
    )  # fmt: skip


def next_change(
    bookings: Sequence[Booking], is_listed: bool, created_at: int | None, terms: Terms, patient_list: PatientList
) -> int | None:
    """The first moment after ``terms.analyzed_at`` at which time alone moves the patient into the list or out of it."""
    if not is_listed or patient_list is PatientList.ALL:
        return None
    now = terms.analyzed_at
    leaves_at: int | None = None
    for first, last in sorted(spans_of(bookings, created_at, terms, patient_list), key=lambda span: span[0]):
        if first > (now if leaves_at is None else leaves_at):
            return first if leaves_at is None else leaves_at
        if last is None:
            return None
        if last >= now:
            leaves_at = max(leaves_at or 0, last + 1)
    return leaves_at


_BITS = {one: 1 << one.value for one in PatientList}
_ALL_SPANS = [(span_of, _BITS[one]) for one, span_of in SPANS.items()]
_REBOOKING = _ALL_SPANS[:2]


@cache
def _lists(members: int) -> frozenset[PatientList]:
    return frozenset(one for one, bit in _BITS.items() if members & bit)
