"""The tables of the lists read from Cliniko, and of the active patients.

Rows read from Cliniko have a *generation*: the key of the sync that read them. A sync fills a new generation page by
page, while readers see the generation that ``mirrors`` names. The last step replaces that. So a sync that fails or is
cancelled changes nothing that was stored before.
"""

from datetime import datetime

from sqlalchemy import Column, Index, Named, String, Table, Text, TypedColumns

from routiq_gql.database.columns import RowKey, UtcDateTime
from routiq_gql.database.tables.base import METADATA, ClinikoId, Holds, OrganizationId


class MirrorColumns(TypedColumns):
    """The generation of an organization's rows that readers see, and its number of patients."""

    organization_id: Named[str] = Column(OrganizationId, primary_key=True)
    generation: Named[int] = Column(RowKey)
    patients_in_cliniko: Named[int]
    synced_at: Named[datetime] = Column(UtcDateTime)


MIRROR = Table("mirrors", METADATA, MirrorColumns, info={"holds": Holds.PATIENTS})


class PatientColumns(TypedColumns):
    """A patient as Cliniko listed it."""

    generation: Named[int] = Column(RowKey, primary_key=True, autoincrement=False)
    id: Named[str] = Column(ClinikoId, primary_key=True)
    first_name: Named[str | None] = Column(Text)
    last_name: Named[str | None] = Column(Text)
    preferred_first_name: Named[str | None] = Column(Text)
    email: Named[str | None] = Column(Text)
    phone: Named[str | None] = Column(Text)
    archived_at: Named[datetime | None] = Column(UtcDateTime)
    deleted_at: Named[datetime | None] = Column(UtcDateTime)
    created_at: Named[datetime | None] = Column(UtcDateTime)
    updated_at: Named[datetime | None] = Column(UtcDateTime)


PATIENT = Table("mirrored_patients", METADATA, PatientColumns, info={"holds": Holds.PATIENTS})


class AppointmentColumns(TypedColumns):
    """An appointment as Cliniko listed it: of a patient (``individual``), or a class without a patient (``group``).

    ``did_not_arrive`` is null where nothing is marked.
    """

    generation: Named[int] = Column(RowKey, primary_key=True, autoincrement=False)
    kind: Named[str] = Column(String(16), primary_key=True)
    id: Named[str] = Column(ClinikoId, primary_key=True)
    patient_id: Named[str | None] = Column(ClinikoId)
    appointment_type_id: Named[str | None] = Column(ClinikoId)
    starts_at: Named[datetime] = Column(UtcDateTime)
    ends_at: Named[datetime | None] = Column(UtcDateTime)
    did_not_arrive: Named[bool | None]
    cancelled_at: Named[datetime | None] = Column(UtcDateTime)
    archived_at: Named[datetime | None] = Column(UtcDateTime)
    deleted_at: Named[datetime | None] = Column(UtcDateTime)
    created_at: Named[datetime | None] = Column(UtcDateTime)
    updated_at: Named[datetime | None] = Column(UtcDateTime)


APPOINTMENT = Table(
    "mirrored_appointments",
    METADATA,
    AppointmentColumns,
    Index("ix_mirrored_appointments_patient", "generation", "patient_id", "starts_at"),
    info={"holds": Holds.PATIENTS},
)


class AttendeeColumns(TypedColumns):
    """An attendee of a group appointment, as Cliniko listed it. ``arrived`` is null where nothing is marked."""

    generation: Named[int] = Column(RowKey, primary_key=True, autoincrement=False)
    id: Named[str] = Column(ClinikoId, primary_key=True)
    booking_id: Named[str | None] = Column(ClinikoId)
    patient_id: Named[str | None] = Column(ClinikoId)
    arrived: Named[bool | None]
    cancelled_at: Named[datetime | None] = Column(UtcDateTime)
    archived_at: Named[datetime | None] = Column(UtcDateTime)
    deleted_at: Named[datetime | None] = Column(UtcDateTime)
    created_at: Named[datetime | None] = Column(UtcDateTime)
    updated_at: Named[datetime | None] = Column(UtcDateTime)


ATTENDEE = Table(
    "mirrored_attendees",
    METADATA,
    AttendeeColumns,
    Index("ix_mirrored_attendees_patient", "generation", "patient_id"),
    info={"holds": Holds.PATIENTS},
)


class AppointmentTypeColumns(TypedColumns):
    """An appointment type as Cliniko listed it."""

    generation: Named[int] = Column(RowKey, primary_key=True, autoincrement=False)
    id: Named[str] = Column(ClinikoId, primary_key=True)
    name: Named[str | None] = Column(Text)
    category: Named[str | None] = Column(Text)
    duration_in_minutes: Named[int | None]
    archived_at: Named[datetime | None] = Column(UtcDateTime)
    created_at: Named[datetime | None] = Column(UtcDateTime)
    updated_at: Named[datetime | None] = Column(UtcDateTime)


APPOINTMENT_TYPE = Table("mirrored_appointment_types", METADATA, AppointmentTypeColumns, info={"holds": Holds.PATIENTS})


class IdentifiedPatientColumns(TypedColumns):
    """A patient with appointments within the windows, found by the analysis of a sync.

    ``recent_appointments`` and ``last_appointment_at`` are about visits that took place or are not marked. Past visits
    that are marked as missed are ``missed_appointments``.
    """

    generation: Named[int] = Column(RowKey, primary_key=True, autoincrement=False)
    patient_id: Named[str] = Column(ClinikoId, primary_key=True)
    recent_appointments: Named[int]
    upcoming_appointments: Named[int]
    last_appointment_at: Named[datetime | None] = Column(UtcDateTime)
    next_appointment_at: Named[datetime | None] = Column(UtcDateTime)
    missed_appointments: Named[int]


IDENTIFIED = Table("identified_patients", METADATA, IdentifiedPatientColumns, info={"holds": Holds.PATIENTS})


class ActivePatientColumns(TypedColumns):
    """The result that readers see, counted as in ``identified_patients``. Those no longer active stay, as inactive."""

    organization_id: Named[str] = Column(OrganizationId, primary_key=True)
    patient_id: Named[str] = Column(ClinikoId, primary_key=True)
    is_active: Named[bool]
    recent_appointments: Named[int]
    upcoming_appointments: Named[int]
    last_appointment_at: Named[datetime | None] = Column(UtcDateTime)
    next_appointment_at: Named[datetime | None] = Column(UtcDateTime)
    updated_at: Named[datetime] = Column(UtcDateTime)
    missed_appointments: Named[int]


ACTIVE = Table("active_patients", METADATA, ActivePatientColumns, info={"holds": Holds.PATIENTS})
