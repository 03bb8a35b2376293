"""Why a patient is in a list, or is not: a sentence and the appointments that decide it.

Membership and dates come from ``rules``, which made the list; ``explanations`` puts what is so now into words, and
this module adds what becomes of it by ``outlook``.
"""

from collections.abc import Mapping

from routiq_gql.patients.bookings import to_moment
from routiq_gql.patients.explanations import EXPLANATIONS, Finding
from routiq_gql.patients.lists import PatientList
from routiq_gql.patients.model import Reason
from routiq_gql.patients.outlook import Condition, Outlook, outlook_of
from routiq_gql.patients.subject import Subject

_ARCHIVED = Finding("Not in this list: the patient is archived in Cliniko")
_MERGED = Finding("Not in this list: the patient was merged into another patient in Cliniko")
_CONDITIONS: Mapping[Condition, str] = {
    Condition.NOTHING: "",
    Condition.UNLESS_BOOKED: " unless they book",
    Condition.UNLESS_BOOKED_LATER: " unless they book a later appointment",
    Condition.UNLESS_VISITED: " unless they have another visit before",
    Condition.IF_VISITED: " if they come to {decider}",
    Condition.OR_BOOKED: ", or when they book",
    Condition.OR_BOOKED_LATER: ", or when they book a later appointment",
}
"""The ends of sentences with a date."""


def reason_of(subject: Subject, which: PatientList) -> Reason:
    """Why the patient is in the list, or is not."""
    is_member = which in subject.assessment.lists
    explain_member, explain_other = EXPLANATIONS[which]
    explain = explain_member if is_member else explain_other
    unlisted = _MERGED if subject.is_merged else _ARCHIVED
    finding = explain(subject) if subject.is_listed else unlisted
    outlook = outlook_of(subject, which)
    bookings = finding.bookings
    if outlook.decider is not None and outlook.decider not in bookings:
        bookings = (*bookings, outlook.decider)
    return Reason(
        list=which,
        is_member=is_member,
        sentence=f"{finding.text}{_decider(subject, finding, outlook)}{_change(subject, outlook, is_member)}.",
        appointments=tuple(subject.show(one) for one in bookings),
        changes_at=to_moment(outlook.changes_at) if outlook.changes_at is not None else None,
    )


def _decider(subject: Subject, finding: Finding, outlook: Outlook) -> str:
    """The appointment that decides the date, unless the sentence has it anyway."""
    decider = outlook.decider
    if decider is None or decider in finding.bookings or outlook.condition is Condition.IF_VISITED:
        return ""
    return f"; {'missed' if subject.is_past(decider) else 'also booked'}: {subject.named(decider)}"


def _change(subject: Subject, outlook: Outlook, is_member: bool) -> str:
    """The end of the sentence: when time alone changes it, and what else would."""
    if outlook.changes_at is None:
        return "; leaves the list when they book" if outlook.condition is Condition.OR_BOOKED else ""
    verb = "leaves" if is_member else "joins"
    decider = subject.titled(outlook.decider) if outlook.decider is not None else ""
    return f"; {verb} the list on {subject.date(outlook.changes_at)}" + _CONDITIONS[outlook.condition].format(
        decider=decider
    )
