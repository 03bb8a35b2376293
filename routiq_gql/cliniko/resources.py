"""The lists that a sync reads, and for each of them which rows the mirror holds, as data.

Cliniko's spellings of paths and fields appear only here, in ``filters`` and in ``records``.
"""

from collections.abc import Callable
from dataclasses import Field, dataclass
from datetime import datetime
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from routiq_gql.cliniko.records import (
    AppointmentType,
    Attendee,
    GroupAppointment,
    IndividualAppointment,
    Patient,
    Practitioner,
    read_appointment_type,
    read_attendee,
    read_group_appointment,
    read_inactive_practitioner,
    read_individual_appointment,
    read_patient,
    read_practitioner,
)
from routiq_gql.cliniko.rows import Row


class Record(Protocol):
    """A dataclass with at least these fields."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    @property
    def id(self) -> str: ...

    @property
    def updated_at(self) -> datetime | None: ...


R = TypeVar("R", bound=Record)
R_co = TypeVar("R_co", bound=Record, covariant=True)


@dataclass(frozen=True, slots=True)
class Resource(Generic[R_co]):
    """One of Cliniko's lists.

    The fields in ``kept`` and ``dropped`` hide rows: Cliniko leaves a row with a value there out of the list, unless a
    filter names the field. ``filters`` turns both into conditions.

    Attributes:
        name: The key that holds the rows in its answers, and its path.
        label: Its name in sentences.
        parse: From a row to a record; raises ``BadRow``.
        kept: Hiding fields of rows that the mirror holds: archived patients, cancelled appointments.
        dropped: Hiding fields of rows that the mirror does not hold. Only fields that Cliniko can filter by; it never
            lists a deleted patient.
        has_start: Whether it can be filtered by ``starts_at``.
        has_changes: Whether it is filtered by ``updated_at``; the other lists are read whole by every sync.
        is_optional: Whether a sync does without the list if the key may not read it.
        path: Its path if that is not its name.
    """

    name: str
    label: str
    parse: Callable[[Row], R_co]
    kept: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    has_start: bool = False
    has_changes: bool = True
    is_optional: bool = False
    path: str = ""

    def __post_init__(self) -> None:
        if not self.path:
            object.__setattr__(self, "path", self.name)

    @property
    def where(self) -> str:
        """Its name in errors, such as ``the list of patients``."""
        return f"the list of {self.label}"


PATIENTS: Resource[Patient] = Resource("patients", "patients", read_patient, kept=("archived_at",))
INDIVIDUAL_APPOINTMENTS: Resource[IndividualAppointment] = Resource(
    "individual_appointments",
    "individual appointments",
    read_individual_appointment,
    kept=("cancelled_at",),
    dropped=("archived_at", "deleted_at"),
    has_start=True,
)
GROUP_APPOINTMENTS: Resource[GroupAppointment] = Resource(
    "group_appointments",
    "group appointments",
    read_group_appointment,
    dropped=("archived_at", "deleted_at"),
    has_start=True,
)
ATTENDEES: Resource[Attendee] = Resource(
    "attendees",
    "attendees of group appointments",
    read_attendee,
    kept=("cancelled_at",),
    dropped=("archived_at", "deleted_at"),
)
APPOINTMENT_TYPES: Resource[AppointmentType] = Resource(
    "appointment_types", "appointment types", read_appointment_type, kept=("archived_at",), has_changes=False
)
PRACTITIONERS: Resource[Practitioner] = Resource(
    "practitioners", "practitioners", read_practitioner, has_changes=False, is_optional=True
)
INACTIVE_PRACTITIONERS: Resource[Practitioner] = Resource(
    "practitioners",
    "inactive practitioners",
    read_inactive_practitioner,
    has_changes=False,
    is_optional=True,
    path="practitioners/inactive",
)
"""The second half of ``PRACTITIONERS``; see ``read_practitioners``."""

RESOURCES: tuple[Resource[Record], ...] = (
    PATIENTS,
    INDIVIDUAL_APPOINTMENTS,
    GROUP_APPOINTMENTS,
    ATTENDEES,
    APPOINTMENT_TYPES,
    PRACTITIONERS,
)
"""Every list that a sync reads, in the order of reading."""
