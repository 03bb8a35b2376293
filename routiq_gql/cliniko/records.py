"""The records kept of Cliniko's rows, and how to read them from a row.

A row holds far more (notes, Medicare numbers, custom fields, a patient's name on an appointment): only the fields below
are read. Only ``id``, and ``starts_at`` of an appointment, are required; any other unreadable field is ``None``.
Personal fields are left out of ``repr``, so they don't appear in logs.
"""

from dataclasses import dataclass, field
from datetime import datetime

from routiq_gql.cliniko.rows import (
    Row,
    read_flag,
    read_id,
    read_number,
    read_phone,
    read_reference,
    read_required_time,
    read_text,
    read_time,
)


@dataclass(frozen=True, slots=True)
class Patient:
    """A patient. First or last name may be missing; ``phone`` is the mobile number, else the first number.

    A merge archives a patient and moves the appointments to the patient ``merged_with_id``.
    """

    id: str
    first_name: str | None = field(repr=False)
    last_name: str | None = field(repr=False)
    preferred_first_name: str | None = field(repr=False)
    email: str | None = field(repr=False)
    phone: str | None = field(repr=False)
    archived_at: datetime | None
    deleted_at: datetime | None
    merged_at: datetime | None
    merged_with_id: str | None
    created_at: datetime | None
    updated_at: datetime | None


@dataclass(frozen=True, slots=True)
class IndividualAppointment:
    """An appointment of one patient, who may be unknown. ``did_not_arrive`` is ``None`` if unmarked.

    ``cancellation_reason`` is Cliniko's number: 10 feeling better, 20 worse, 30 sick, 31 COVID-19, 40 away, 50 other,
    60 work.
    """

    id: str
    patient_id: str | None
    appointment_type_id: str | None
    practitioner_id: str | None
    starts_at: datetime
    ends_at: datetime | None
    cancelled_at: datetime | None
    cancellation_reason: int | None
    archived_at: datetime | None
    deleted_at: datetime | None
    did_not_arrive: bool | None
    updated_at: datetime | None


@dataclass(frozen=True, slots=True)
class GroupAppointment:
    """A class. Its attendees say who comes; the row's ``patient_ids`` is only a hint."""

    id: str
    appointment_type_id: str | None
    practitioner_id: str | None
    starts_at: datetime
    ends_at: datetime | None
    archived_at: datetime | None
    deleted_at: datetime | None
    updated_at: datetime | None


@dataclass(frozen=True, slots=True)
class Attendee:
    """One patient's place in the group appointment ``booking_id``. ``arrived`` is ``None`` if unmarked."""

    id: str
    booking_id: str | None
    patient_id: str | None
    arrived: bool | None
    cancelled_at: datetime | None
    archived_at: datetime | None
    deleted_at: datetime | None
    updated_at: datetime | None


@dataclass(frozen=True, slots=True)
class AppointmentType:
    """A kind of appointment that the clinic offers."""

    id: str
    name: str | None
    category: str | None
    duration_in_minutes: int | None
    archived_at: datetime | None
    updated_at: datetime | None


@dataclass(frozen=True, slots=True)
class Practitioner:
    """A person who sees patients. ``is_active`` is false after the person has left the clinic."""

    id: str
    name: str | None
    designation: str | None
    is_active: bool
    updated_at: datetime | None


def read_patient(row: Row) -> Patient:
    """The record in a row of ``/patients``. Raises ``BadRow`` without an id."""
    return Patient(
        id=read_id(row),
        first_name=read_text(row, "first_name"),
        last_name=read_text(row, "last_name"),
        preferred_first_name=read_text(row, "preferred_first_name"),
        email=read_text(row, "email"),
        phone=read_phone(row),
        archived_at=read_time(row, "archived_at"),
        deleted_at=read_time(row, "deleted_at"),
        merged_at=read_time(row, "merged_at"),
        merged_with_id=read_reference(row, "merged_with_patient"),
        created_at=read_time(row, "created_at"),
        updated_at=read_time(row, "updated_at"),
    )


def read_individual_appointment(row: Row) -> IndividualAppointment:
    """The record in a row of ``/individual_appointments``. Raises ``BadRow`` without an id or a start."""
    return IndividualAppointment(
        id=read_id(row),
        patient_id=read_reference(row, "patient"),
        appointment_type_id=read_reference(row, "appointment_type"),
        practitioner_id=read_reference(row, "practitioner"),
        starts_at=read_required_time(row, "starts_at"),
        ends_at=read_time(row, "ends_at"),
        cancelled_at=read_time(row, "cancelled_at"),
        cancellation_reason=_reason(row),
        archived_at=read_time(row, "archived_at"),
        deleted_at=read_time(row, "deleted_at"),
        did_not_arrive=read_flag(row, "did_not_arrive"),
        updated_at=read_time(row, "updated_at"),
    )


def read_group_appointment(row: Row) -> GroupAppointment:
    """The record in a row of ``/group_appointments``. Raises ``BadRow`` without an id or a start."""
    return GroupAppointment(
        id=read_id(row),
        appointment_type_id=read_reference(row, "appointment_type"),
        practitioner_id=read_reference(row, "practitioner"),
        starts_at=read_required_time(row, "starts_at"),
        ends_at=read_time(row, "ends_at"),
        archived_at=read_time(row, "archived_at"),
        deleted_at=read_time(row, "deleted_at"),
        updated_at=read_time(row, "updated_at"),
    )


def read_attendee(row: Row) -> Attendee:
    """The record in a row of ``/attendees``. Raises ``BadRow`` without an id."""
    return Attendee(
        id=read_id(row),
        booking_id=read_reference(row, "booking"),
        patient_id=read_reference(row, "patient"),
        arrived=read_flag(row, "arrived"),
        cancelled_at=read_time(row, "cancelled_at"),
        archived_at=read_time(row, "archived_at"),
        deleted_at=read_time(row, "deleted_at"),
        updated_at=read_time(row, "updated_at"),
    )


def read_appointment_type(row: Row) -> AppointmentType:
    """The record in a row of ``/appointment_types``. Raises ``BadRow`` without an id."""
    return AppointmentType(
        id=read_id(row),
        name=read_text(row, "name"),
        category=read_text(row, "category"),
        duration_in_minutes=read_number(row, "duration_in_minutes"),
        archived_at=read_time(row, "archived_at"),
        updated_at=read_time(row, "updated_at"),
    )


def read_practitioner(row: Row) -> Practitioner:
    """The record in a row of ``/practitioners``. Raises ``BadRow`` without an id."""
    return _practitioner(row, is_active=True)


def read_inactive_practitioner(row: Row) -> Practitioner:
    """The record in a row of ``/practitioners/inactive``. Raises ``BadRow`` without an id."""
    return _practitioner(row, is_active=False)


def _practitioner(row: Row, *, is_active: bool) -> Practitioner:
    """``is_active`` says which list holds the row, and counts if the row itself does not say it."""
    names = [read_text(row, name) for name in ("title", "first_name", "last_name")]
    marked = read_flag(row, "active")
    return Practitioner(
        id=read_id(row),
        name=read_text(row, "label") or " ".join(name for name in names if name) or None,
        designation=read_text(row, "designation"),
        is_active=is_active if marked is None else marked,
        updated_at=read_time(row, "updated_at"),
    )


def _reason(row: Row) -> int | None:
    """Cliniko's number of a reason; a number that a column of 16 bits can't hold is none."""
    reason = read_number(row, "cancellation_reason")
    return reason if reason is not None and abs(reason) < 2**15 else None
