"""What puts a patient into a list, or keeps them out, in words: for each list a text for members and one for others.

Membership comes from ``rules``; these functions name the appointments that decided it. ``reasons`` adds when time
alone changes it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from routiq_gql.patients.bookings import DAY, WEEK, Booking
from routiq_gql.patients.lists import (
    FIRST_VISIT_FROM_DAYS,
    FIRST_VISIT_TO_DAYS,
    LEAST_VISITS,
    NEWEST_WITHIN_DAYS,
    PatientList,
)
from routiq_gql.patients.rules import Assessment
from routiq_gql.patients.subject import Subject
from routiq_gql.patients.wording import plural


@dataclass(frozen=True, slots=True)
class Finding:
    """The reason without its date of change.

    Attributes:
        bookings: Those that decide it.
    """

    text: str
    bookings: tuple[Booking, ...] = ()


def _is_listed(_subject: Subject) -> Finding:
    return Finding("Cliniko lists this patient")


def _is_active(subject: Subject) -> Finding:
    """By the next booking ahead, or else by the newest past one that is not missed, or else by a missed one."""
    terms, found = subject.terms, subject.assessment
    if found.next_booking is not None and found.upcoming:
        return Finding(f"Booked: {subject.named(found.next_booking)}", (found.next_booking,))
    if found.last_visit is not None and found.recent:
        return Finding(subject.named(found.last_visit), (found.last_visit,))
    recent_from = terms.analyzed_at - terms.recent_days * DAY
    missed = [one for one in subject.booked_or_past if one.starts_at >= recent_from and subject.is_past(one)]
    return Finding(f"Missed: {subject.named(missed[-1])}", (missed[-1],))


def _is_not_active(subject: Subject) -> Finding:
    terms, found = subject.terms, subject.assessment
    if found.next_booking is not None:
        return Finding(f"Not active: {_too_late(subject, found.next_booking)}", (found.next_booking,))
    if found.last_visit is not None:
        return Finding(f"Not active: {_too_early(subject, found.last_visit)}", (found.last_visit,))
    past = subject.booked_or_past
    if past:
        before = _days_before(terms.recent_days)
        text = f"Not active: the last appointment was on {subject.date(past[-1].starts_at)}, {before}, and was missed"
        return Finding(text, (past[-1],))
    return Finding(f"Not active: {_nothing(subject)}")


def _is_recent(subject: Subject) -> Finding:
    visit = _present(subject.assessment.last_visit)
    return Finding(subject.named(visit), (visit,))


def _is_not_recent(subject: Subject) -> Finding:
    visit = subject.assessment.last_visit
    if visit is not None:
        return Finding(f"No recent visit: {_too_early(subject, visit)}", (visit,))
    return Finding(f"No recent visit: {_no_visit(subject)}")


def _is_upcoming(subject: Subject) -> Finding:
    booking = _present(subject.assessment.next_booking)
    return Finding(f"Booked: {subject.named(booking)}", (booking,))


def _is_not_upcoming(subject: Subject) -> Finding:
    booking = subject.assessment.next_booking
    if booking is None:
        return Finding("Nothing is booked")
    return Finding(f"No appointment soon: {_too_late(subject, booking)}", (booking,))


def _has_no_future_appointment(subject: Subject) -> Finding:
    visit = _present(subject.assessment.last_visit)
    return Finding(f"Last visit: {subject.named(visit)}, and nothing is booked", (visit,))


def _has_future_appointment(subject: Subject) -> Finding:
    visit, booking = subject.assessment.last_visit, subject.assessment.next_booking
    if booking is not None:
        return _booked(subject, booking)
    if visit is None:
        return Finding(f"Not in this list: {_no_visit(subject)}")
    weeks = plural(subject.terms.seen_within_weeks, "week")
    date = subject.date(visit.starts_at)
    return Finding(f"Not in this list: the last visit was on {date}, more than {weeks} before this sync", (visit,))


def _has_cancelled(subject: Subject) -> Finding:
    cancelled = _present(_newest_cancelled(subject))
    return Finding(f"Cancelled: {subject.named(cancelled)}, and nothing later is booked", (cancelled,))


def _has_not_cancelled(subject: Subject) -> Finding:
    cancelled = _newest_cancelled(subject)
    if cancelled is None:
        return Finding("Not in this list: no cancelled appointment in the stored history")
    later = next((one for one in subject.booked_or_past if one.starts_at > cancelled.starts_at), None)
    date = subject.date(cancelled.starts_at)
    if later is not None:
        text = f"Not in this list: after the cancelled appointment of {date} there is another, {subject.named(later)}"
        return Finding(text, (cancelled, later))
    if subject.is_past(cancelled):
        away = f"was on {date}, {_days_before(NEWEST_WITHIN_DAYS)}"
    else:
        away = f"is on {date}, more than {plural(NEWEST_WITHIN_DAYS, 'day')} after this sync"
    return Finding(f"Not in this list: the newest cancelled appointment {away}", (cancelled,))


def _has_missed(subject: Subject) -> Finding:
    missed = _present(_newest_missed(subject))
    return Finding(f"Missed: {subject.named(missed)}, and nothing later is booked", (missed,))


def _has_not_missed(subject: Subject) -> Finding:
    missed = _newest_missed(subject)
    if missed is None:
        return Finding("Not in this list: no missed appointment in the stored history")
    later = next(
        (one for one in subject.booked_or_past if one.starts_at > missed.starts_at and not one.is_missed), None
    )
    date = subject.date(missed.starts_at)
    if later is not None:
        text = f"Not in this list: after the missed appointment of {date} there is another, {subject.named(later)}"
        return Finding(text, (missed, later))
    if not subject.is_past(missed):
        return Finding(f"Not in this list: the appointment of {date} is marked as missed, but still ahead", (missed,))
    before = _days_before(NEWEST_WITHIN_DAYS)
    return Finding(f"Not in this list: the newest missed appointment was on {date}, {before}", (missed,))


def _came_once(subject: Subject) -> Finding:
    visit = _present(subject.assessment.first_visit)
    return Finding(f"The only visit: {subject.named(visit)}, and nothing is booked", (visit,))


def _came_not_just_once(subject: Subject) -> Finding:
    found, terms = subject.assessment, subject.terms
    if found.visits > 1:
        return Finding(f"Not in this list: {plural(found.visits, 'visit')}, not just one", _shown(found.last_visit))
    if found.next_booking is not None:
        return _booked(subject, found.next_booking)
    visit = found.first_visit
    if visit is None:
        return Finding(f"Not in this list: {_no_visit(subject)}")
    if subject.created_at is None:
        return Finding("Not in this list: Cliniko does not say since when they are a patient", (visit,))
    if subject.created_at < terms.horizon_from:
        since = subject.date(subject.created_at)
        text = f"Not in this list: a patient since {since}, before the stored history begins, so not new"
        return Finding(text, (visit,))
    date = subject.date(visit.starts_at)
    if terms.analyzed_at - visit.starts_at < FIRST_VISIT_FROM_DAYS * DAY:
        days = plural(FIRST_VISIT_FROM_DAYS, "day")
        return Finding(
            f"Not in this list yet: the first visit was on {date}, less than {days} before this sync", (visit,)
        )
    text = f"Not in this list: the only visit was on {date}, {_days_before(FIRST_VISIT_TO_DAYS)}"
    return Finding(text, (visit,))


def _has_lapsed(subject: Subject) -> Finding:
    found = subject.assessment
    visit = _present(found.last_visit)
    usual = f"{plural(found.visits, 'visit')}, usually {_interval(found)} apart"
    return Finding(f"{usual}; the last one was {subject.named(visit)}, and nothing is booked", (visit,))


def _has_not_lapsed(subject: Subject) -> Finding:
    found = subject.assessment
    if found.next_booking is not None:
        return _booked(subject, found.next_booking)
    if found.visits < LEAST_VISITS:
        has = plural(found.visits, "visit") if found.visits else "no visit"
        return Finding(f"Not in this list: {has} in the stored history, fewer than {LEAST_VISITS}")
    visit = _present(found.last_visit)
    last = f"the last visit was on {subject.date(visit.starts_at)}"
    text = f"Not in this list: {last}, not longer ago than twice the usual interval of {_interval(found)}"
    return Finding(text, (visit,))


EXPLANATIONS: Mapping[PatientList, tuple[Callable[[Subject], Finding], Callable[[Subject], Finding]]] = {
    PatientList.ALL: (_is_listed, _is_listed),
    PatientList.ACTIVE: (_is_active, _is_not_active),
    PatientList.RECENT: (_is_recent, _is_not_recent),
    PatientList.UPCOMING: (_is_upcoming, _is_not_upcoming),
    PatientList.NO_FUTURE_APPOINTMENT: (_has_no_future_appointment, _has_future_appointment),
    PatientList.CANCELLED_NOT_REBOOKED: (_has_cancelled, _has_not_cancelled),
    PatientList.MISSED_NOT_REBOOKED: (_has_missed, _has_not_missed),
    PatientList.FIRST_VISIT_ONLY: (_came_once, _came_not_just_once),
    PatientList.LAPSED: (_has_lapsed, _has_not_lapsed),
}
"""For each list: the reason of members, and that of other patients whom Cliniko lists."""


def _newest_cancelled(subject: Subject) -> Booking | None:
    return next((one for one in reversed(subject.bookings) if one.is_cancelled), None)


def _newest_missed(subject: Subject) -> Booking | None:
    return next((one for one in reversed(subject.booked_or_past) if one.is_missed), None)


def _booked(subject: Subject, booking: Booking) -> Finding:
    return Finding(f"Not in this list: booked for {subject.day(booking)}, {subject.titled(booking)}", (booking,))


def _too_early(subject: Subject, visit: Booking) -> str:
    return f"the last visit was on {subject.date(visit.starts_at)}, {_days_before(subject.terms.recent_days)}"


def _too_late(subject: Subject, booking: Booking) -> str:
    days = plural(subject.terms.upcoming_days, "day")
    return f"the next appointment is on {subject.date(booking.starts_at)}, more than {days} after this sync"


def _days_before(days: int) -> str:
    return f"more than {plural(days, 'day')} before this sync"


def _nothing(subject: Subject) -> str:
    return "all appointments were cancelled" if subject.bookings else "no appointment in the stored history"


def _no_visit(subject: Subject) -> str:
    past = [one for one in subject.booked_or_past if subject.is_past(one)]
    return "the past appointments were missed" if past else "no visit in the stored history"


def _interval(found: Assessment) -> str:
    """Half of the stored double interval, in the largest unit that is not too coarse."""
    interval = (found.twice_usual_interval or 0) // 2
    if interval >= 10 * WEEK:
        return plural(round(interval / WEEK), "week")
    return plural(max(1, round(interval / DAY)), "day")


def _shown(booking: Booking | None) -> tuple[Booking, ...]:
    return (booking,) if booking is not None else ()


def _present(booking: Booking | None) -> Booking:
    if booking is None:
        raise LookupError("The rule put a patient into a list without the appointment that it needs.")
    return booking
