"""Why a patient is in a list, or is not: a sentence and the appointments that decide it.

Membership and dates come from ``rules``, which made the list; ``explanations`` puts them into words.
"""

from routiq_gql.patients.bookings import to_moment
from routiq_gql.patients.explanations import EXPLANATIONS, Finding
from routiq_gql.patients.lists import PatientList
from routiq_gql.patients.model import Reason
from routiq_gql.patients.rules import next_change
from routiq_gql.patients.subject import Subject

_ARCHIVED = Finding("Not in this list: the patient is archived in Cliniko")
_MERGED = Finding("Not in this list: the patient was merged into another patient in Cliniko")


def reason_of(subject: Subject, which: PatientList) -> Reason:
    """Why the patient is in the list, or is not."""
    is_member = which in subject.assessment.lists
    changes_at = next_change(subject.bookings, subject.is_listed, subject.created_at, subject.terms, which)
    explain_member, explain_other = EXPLANATIONS[which]
    explain = explain_member if is_member else explain_other
    unlisted = _MERGED if subject.is_merged else _ARCHIVED
    finding = explain(subject) if subject.is_listed else unlisted
    change = _change(subject, which, changes_at, is_member=is_member)
    return Reason(
        list=which,
        is_member=is_member,
        sentence=f"{finding.text}{change}.",
        appointments=tuple(subject.show(one) for one in finding.bookings),
        changes_at=to_moment(changes_at) if changes_at is not None else None,
    )


_ENDED_BY_BOOKING = frozenset(
    {
        PatientList.NO_FUTURE_APPOINTMENT,
        PatientList.CANCELLED_NOT_REBOOKED,
        PatientList.MISSED_NOT_REBOOKED,
        PatientList.FIRST_VISIT_ONLY,
        PatientList.LAPSED,
    }
)
"""Lists of patients who should book."""


def _change(subject: Subject, which: PatientList, changes_at: int | None, *, is_member: bool) -> str:
    """The end of the sentence: when time alone changes it."""
    if changes_at is None:
        return "; leaves the list when they book" if is_member and which in _ENDED_BY_BOOKING else ""
    date = subject.date(changes_at)
    if which in _ENDED_BY_BOOKING:
        return f"; leaves the list on {date}, or when they book" if is_member else f"; joins the list on {date}"
    return f"; leaves the list on {date} unless they book" if is_member else f"; joins the list on {date}"
