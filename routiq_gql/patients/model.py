"""The values that readers of patients get: a patient, the reasons for being in a list or not, and a page of a list.

They hold what the database had at a sync. Nothing in them reads again, and nothing depends on the moment of reading.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from routiq_gql.patients.keys import PatientKey
from routiq_gql.patients.lists import PatientList


class PatientSort(Enum):
    """The order of a list. Patients without such an appointment come last in both directions; ties go by the id."""

    NAME = "name"
    NAME_DESC = "name_desc"
    LAST_APPOINTMENT = "last_appointment"
    LAST_APPOINTMENT_DESC = "last_appointment_desc"
    NEXT_APPOINTMENT = "next_appointment"
    NEXT_APPOINTMENT_DESC = "next_appointment_desc"


@dataclass(frozen=True, slots=True)
class Practitioner:
    """A practitioner of the clinic; ``name`` is ``None`` where the API key may not read it."""

    id: str
    name: str | None


@dataclass(frozen=True, slots=True)
class Appointment:
    """An appointment of a patient, or a place in a class.

    Attributes:
        type_name: The name of its type; ``None`` if it has none, or Cliniko no longer lists the type.
        practitioner: ``None`` if it has none.
    """

    starts_at: datetime
    ends_at: datetime | None
    type_name: str | None
    practitioner: Practitioner | None
    is_class: bool


@dataclass(frozen=True, slots=True)
class Activity:
    """The figures that make a patient active; see ``PatientList.ACTIVE``.

    Attributes:
        recent_appointments: Visits within the recent window.
        upcoming_appointments: Booked appointments within the upcoming window.
        missed_appointments: Appointments within the recent window that the patient missed.
    """

    is_active: bool
    recent_appointments: int
    upcoming_appointments: int
    missed_appointments: int


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a patient is in a list, or is not.

    Attributes:
        sentence: The reason for people, with dates in the clinic's time zone.
        appointments: The appointments that decide it, the most important first.
        changes_at: When time alone changes it next, if nothing is booked, cancelled or marked; ``None`` for never.
    """

    list: PatientList
    is_member: bool
    sentence: str
    appointments: tuple[Appointment, ...]
    changes_at: datetime | None


@dataclass(frozen=True, slots=True)
class Patient:
    """A patient at a sync.

    Attributes:
        name: First and last name; the preferred name, or else the number in Cliniko, where both are missing.
        phone: The first number in Cliniko.
        lists: The lists that the patient is in, in the order of ``PatientList``.
        last_appointment: The newest visit; missed and cancelled appointments do not count.
        next_appointment: The first booked appointment ahead.
        visits: Past appointments that were neither cancelled nor missed, within the stored history.
        booked_appointments: Appointments ahead that are not cancelled.
        time_zone: The IANA name of the clinic's time zone, ``UTC`` if unknown.
        why: The reason for a list.
    """

    key: PatientKey
    name: str
    first_name: str | None
    last_name: str | None
    preferred_first_name: str | None
    email: str | None
    phone: str | None
    created_at: datetime | None
    is_archived: bool
    lists: tuple[PatientList, ...]
    last_appointment: Appointment | None
    next_appointment: Appointment | None
    visits: int
    missed_appointments: int
    cancelled_appointments: int
    booked_appointments: int
    activity: Activity
    time_zone: str
    why: Callable[[PatientList], Reason] = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class ListSummary:
    """A list with its number of patients at a sync.

    Attributes:
        counting: How it is counted, with the settings of the sync.
    """

    list: PatientList
    title: str
    counting: str
    total_count: int


@dataclass(frozen=True, slots=True)
class PatientPage:
    """A page of a list at a sync.

    Attributes:
        cursors: The cursor of each patient.
        total_count: Patients on all pages, with the same search and practitioner.
        summary: The list without search and practitioner.
        sync_id: The sync whose result this is. The cursors stay on it.
        analyzed_at: The moment that "past", "recent" and "upcoming" are relative to.
        practitioners: All practitioners of the clinic, by name, to choose from.
    """

    organization_id: str
    patients: Sequence[Patient]
    cursors: Sequence[str]
    has_next: bool
    has_previous: bool
    total_count: int
    summary: ListSummary
    sync_id: str
    analyzed_at: datetime
    time_zone: str
    practitioners: Sequence[Practitioner]

    @property
    def list(self) -> PatientList:
        return self.summary.list
