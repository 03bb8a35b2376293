"""What becomes of a patient's place in a list: when time alone changes it, which booking decides that, and what would
prevent it.

The moment is that of ``rules.next_change``. ``reasons`` puts it into words.
"""

from dataclasses import dataclass
from enum import Enum, auto

from routiq_gql.patients.bookings import Booking
from routiq_gql.patients.lists import PatientList
from routiq_gql.patients.rules import next_change
from routiq_gql.patients.spans import spans_of
from routiq_gql.patients.subject import Subject


class Condition(Enum):
    """What changes the outlook, apart from time."""

    NOTHING = auto()
    #: A booking around the date, and after now, prevents the change.
    UNLESS_BOOKED = auto()
    #: A booking after those that are there, and after the date, prevents the change.
    UNLESS_BOOKED_LATER = auto()
    #: A visit after the deciding booking and before the date prevents the change. A booking beyond the date doesn't.
    UNLESS_VISITED = auto()
    #: The change happens if the patient comes to the deciding booking.
    IF_VISITED = auto()
    #: Any booking ahead ends the membership before.
    OR_BOOKED = auto()
    #: A booking after the cancelled one, which is still ahead, ends the membership before.
    OR_BOOKED_LATER = auto()


@dataclass(frozen=True, slots=True)
class Outlook:
    """When and how a patient leaves a list or joins it.

    Attributes:
        changes_at: The moment at which time alone does it; ``None`` for never.
        decider: The booking that the moment follows from, if it is not the one that the list itself is about.
    """

    changes_at: int | None
    condition: Condition
    decider: Booking | None = None


BY_BOOKING = frozenset({PatientList.ACTIVE, PatientList.UPCOMING, PatientList.RECENT})
"""Lists in which each booking puts a patient for a time of its own. Patients in the other lists, but for all, should
book."""
_BY_NEWEST = frozenset({PatientList.CANCELLED_NOT_REBOOKED, PatientList.MISSED_NOT_REBOOKED})
"""Lists that a patient leaves by a booking after the newest cancelled or missed one."""


def outlook_of(subject: Subject, which: PatientList) -> Outlook:
    """The outlook of the patient in the list, or outside of it."""
    changes_at = next_change(subject.bookings, subject.is_listed, subject.created_at, subject.terms, which)
    is_member = which in subject.assessment.lists
    if which is PatientList.ALL or not subject.is_listed:
        return Outlook(None, Condition.NOTHING)
    if which in BY_BOOKING:
        return _of_a_booking(subject, which, changes_at, is_member=is_member)
    if is_member:
        cancelled = max((one.starts_at for one in subject.bookings if one.is_cancelled), default=0)
        is_ahead = which is PatientList.CANCELLED_NOT_REBOOKED and cancelled > subject.terms.analyzed_at
        return Outlook(changes_at, Condition.OR_BOOKED_LATER if is_ahead else Condition.OR_BOOKED)
    if changes_at is None:
        return Outlook(None, Condition.NOTHING)
    ahead = [one for one in subject.booked_or_past if not subject.is_past(one)]
    condition = Condition.UNLESS_BOOKED_LATER if ahead or which in _BY_NEWEST else Condition.UNLESS_BOOKED
    return Outlook(changes_at, condition, ahead[-1] if ahead and which not in _BY_NEWEST else None)


def _of_a_booking(subject: Subject, which: PatientList, changes_at: int | None, *, is_member: bool) -> Outlook:
    if changes_at is None:
        return Outlook(None, Condition.NOTHING)
    decider = None
    for one in subject.bookings:
        for first, last in spans_of([one], subject.created_at, subject.terms, which):
            if changes_at == (first if not is_member or last is None else last + 1):
                decider = one
    if is_member:
        condition = Condition.UNLESS_VISITED if which is PatientList.RECENT else Condition.UNLESS_BOOKED
    else:
        condition = Condition.IF_VISITED if which is PatientList.RECENT else Condition.NOTHING
    return Outlook(changes_at, condition, decider)
