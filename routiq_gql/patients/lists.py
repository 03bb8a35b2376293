"""The lists of patients: their numbers, titles, and how each is counted, in words.

The analysis, the API, the command line and the page iterate ``LISTS``. ``rules`` decides who is in a list; a test
compares its results with these words' oracle, and another compares ``docs/patients.md`` with this table.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

NEWEST_WITHIN_DAYS = 30
"""Days from a cancelled or missed booking for which its patient is on the list to be booked again."""
FIRST_VISIT_FROM_DAYS = 14
"""Days after a first visit: earlier, the patient may still be about to book."""
FIRST_VISIT_TO_DAYS = 180
"""Days after a first visit: later, the patient has left."""
LEAST_VISITS = 3
"""Visits that show how often a patient comes: two intervals."""


class PatientList(Enum):
    """A list of patients. The values are stored."""

    ALL = 0
    ACTIVE = 1
    RECENT = 2
    UPCOMING = 3
    NO_FUTURE_APPOINTMENT = 4
    CANCELLED_NOT_REBOOKED = 5
    MISSED_NOT_REBOOKED = 6
    FIRST_VISIT_ONLY = 7
    LAPSED = 8

    @property
    def key(self) -> str:
        """The name in REST and on the command line."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class ListRule:
    """What people read about a list.

    Attributes:
        list: The list.
        title: Its heading.
        counting: How it is counted, in one or two sentences, with the names of settings in braces; see ``counted``.
    """

    list: PatientList
    title: str
    counting: str

    def counted(self, recent_days: int, upcoming_days: int, seen_within_weeks: int) -> str:
        """How the list is counted with these settings."""
        return self.counting.format(
            recent=_days(recent_days),
            upcoming=_days(upcoming_days),
            seen_within="1 week" if seen_within_weeks == 1 else f"{seen_within_weeks} weeks",
        )


def _days(number: int) -> str:
    return "1 day" if number == 1 else f"{number} days"


_RULES = (
    ListRule(
        PatientList.ALL, "All patients", "Patients whom Cliniko lists: neither archived, deleted nor merged away."
    ),
    ListRule(
        PatientList.ACTIVE,
        "Active patients",
        "Patients with an appointment within the last {recent} or the next {upcoming} that is not cancelled. Missed "
        "appointments count.",
    ),
    ListRule(PatientList.RECENT, "Recent visits", "Patients with a visit within the last {recent}."),
    ListRule(
        PatientList.UPCOMING,
        "Upcoming appointments",
        "Patients with an appointment within the next {upcoming} that is not cancelled.",
    ),
    ListRule(
        PatientList.NO_FUTURE_APPOINTMENT,
        "No future appointment",
        "Patients with a visit within the last {seen_within} and nothing booked.",
    ),
    ListRule(
        PatientList.CANCELLED_NOT_REBOOKED,
        "Cancelled, not rebooked",
        f"Patients whose newest cancelled appointment was within the last {NEWEST_WITHIN_DAYS} days or would be within "
        f"the next {NEWEST_WITHIN_DAYS} days, with no later booking.",
    ),
    ListRule(
        PatientList.MISSED_NOT_REBOOKED,
        "Missed, not rebooked",
        f"Patients whose newest missed appointment was within the last {NEWEST_WITHIN_DAYS} days, with no later "
        "booking.",
    ),
    ListRule(
        PatientList.FIRST_VISIT_ONLY,
        "First visit only",
        f"New patients with exactly one visit, {FIRST_VISIT_FROM_DAYS} to {FIRST_VISIT_TO_DAYS} days ago, and nothing "
        "booked. New are those whom Cliniko has held only within the history that is synced.",
    ),
    ListRule(
        PatientList.LAPSED,
        "Lapsed",
        f"Patients with at least {LEAST_VISITS} visits and nothing booked, whose last visit was longer ago than twice "
        "their usual (median) interval between visits.",
    ),
)

LISTS: Mapping[PatientList, ListRule] = {rule.list: rule for rule in _RULES}
"""Every list, in the order in which they are shown."""
