"""The lists that a sync reads, and their filters.

Cliniko's spellings of paths, fields and operators appear only here and in ``records``.
"""

from collections.abc import Callable, Iterable
from dataclasses import Field, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from routiq_gql.cliniko.records import (
    AppointmentType,
    Attendee,
    GroupAppointment,
    IndividualAppointment,
    Patient,
    read_appointment_type,
    read_attendee,
    read_group_appointment,
    read_individual_appointment,
    read_patient,
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

    Attributes:
        name: Its path, and the key that holds the rows in its answers.
        label: Its name in sentences.
        parse: From a row to a record; raises ``BadRow``.
        has_start: Whether it can be filtered by ``starts_at``.
    """

    name: str
    label: str
    parse: Callable[[Row], R_co]
    has_start: bool = False

    @property
    def where(self) -> str:
        """Its name in errors, such as ``the list of patients``."""
        return f"the list of {self.label}"


PATIENTS: Resource[Patient] = Resource("patients", "patients", read_patient)
INDIVIDUAL_APPOINTMENTS: Resource[IndividualAppointment] = Resource(
    "individual_appointments", "individual appointments", read_individual_appointment, has_start=True
)
GROUP_APPOINTMENTS: Resource[GroupAppointment] = Resource(
    "group_appointments", "group appointments", read_group_appointment, has_start=True
)
ATTENDEES: Resource[Attendee] = Resource("attendees", "attendees of group appointments", read_attendee)
APPOINTMENT_TYPES: Resource[AppointmentType] = Resource("appointment_types", "appointment types", read_appointment_type)

RESOURCES: tuple[Resource[Record], ...] = (
    PATIENTS,
    INDIVIDUAL_APPOINTMENTS,
    GROUP_APPOINTMENTS,
    ATTENDEES,
    APPOINTMENT_TYPES,
)
"""Every list that a sync reads, in the order of reading."""


def starts_between(start: datetime, end: datetime) -> list[str]:
    """Filters for appointments that start within ``start`` and ``end``, both included.

    Cliniko works in whole seconds, so the window is widened to them and may include starts just outside.

    Raises:
        ValueError: A time has no time zone.
    """
    if start.tzinfo is None or end.tzinfo is None:
        raise ValueError("A window needs times with a time zone.")
    if end.microsecond:
        end += timedelta(seconds=1)
    return [f"starts_at:>={_whole_second(start)}", f"starts_at:<={_whole_second(end)}"]


def booking_in(booking_ids: Iterable[str]) -> str:
    """A filter for the attendees of these group appointments. 50 ids make an address of some 1,100 characters.

    Raises:
        ValueError: There are no ids, or a text is no id; an empty filter would match no attendee, or all.
    """
    ids = list(booking_ids)
    if not ids or not all(id_.isascii() and id_.isdigit() for id_ in ids):
        raise ValueError("A filter by booking needs ids of group appointments.")
    return f"booking_id:={','.join(ids)}"


def _whole_second(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
