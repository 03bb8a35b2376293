"""The lists of patients as their table says it, in a few lines that share nothing with the product's rules."""

from itertools import pairwise
from statistics import median

from routiq_gql.patients.lists import PatientList
from routiq_gql.patients.rules import Booking, Terms

DAY = 86_400_000
"""Milliseconds."""

ALL, ACTIVE, RECENT, UPCOMING = PatientList.ALL, PatientList.ACTIVE, PatientList.RECENT, PatientList.UPCOMING
NOTHING_AHEAD, CANCELLED = PatientList.NO_FUTURE_APPOINTMENT, PatientList.CANCELLED_NOT_REBOOKED
MISSED, FIRST, LAPSED = PatientList.MISSED_NOT_REBOOKED, PatientList.FIRST_VISIT_ONLY, PatientList.LAPSED


def oracle(bookings: list[Booking], created_at: int | None, terms: Terms) -> set[PatientList]:
    """The lists of a patient whom Cliniko lists, with these bookings in the order of their starts."""
    now, days = terms.analyzed_at, lambda number: number * DAY
    booked = [one.starts_at for one in bookings if not one.is_cancelled]
    no_show = [one.starts_at for one in bookings if not one.is_cancelled and one.is_missed and one.starts_at <= now]
    visits = [one.starts_at for one in bookings if not one.is_cancelled and not one.is_missed and one.starts_at <= now]
    off = [one.starts_at for one in bookings if one.is_cancelled]
    others = [
        one.starts_at for one in bookings if not one.is_cancelled and not (one.is_missed and one.starts_at <= now)
    ]
    free = not any(one > now for one in booked)
    usual = median([after - before for before, after in pairwise(visits)] or [0])
    found = {
        ALL: True,
        ACTIVE: any(now - days(terms.recent_days) <= one <= now + days(terms.upcoming_days) for one in booked),
        RECENT: any(now - days(terms.recent_days) <= one for one in visits),
        UPCOMING: any(now < one <= now + days(terms.upcoming_days) for one in booked),
        NOTHING_AHEAD: free and any(now - days(7 * terms.seen_within_weeks) <= one for one in visits),
        CANCELLED: bool(off) and abs(off[-1] - now) <= days(30) and not any(one > off[-1] for one in booked),
        MISSED: bool(no_show) and now - days(30) <= no_show[-1] and not any(one > no_show[-1] for one in others),
        FIRST: free and len(visits) == 1 and days(14) <= now - visits[0] <= days(180)
        and created_at is not None and created_at >= terms.horizon_from,
        LAPSED: free and len(visits) >= 3 and now - visits[-1] > 2 * usual,
    }  # fmt: skip
    return {one for one, is_member in found.items() if is_member}
