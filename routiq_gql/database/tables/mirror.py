"""The tables of what is read from Cliniko, and of who is an active patient.

What is read from Cliniko carries a *generation*: the key of the sync that read it. A sync fills a generation
of its own, page by page, while readers keep seeing the one that ``mirrors`` names; the last step exchanges them.
So a sync that fails or is cancelled leaves what was stored before as it was.
"""

from datetime import datetime

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from routiq_gql.database.columns import RowKey
from routiq_gql.database.tables.base import Base, ClinikoId, OrganizationId


class Mirror(Base):
    """Which generation of an organization's Cliniko rows readers see, and what it counted."""

    __tablename__ = "mirrors"

    organization_id: Mapped[str] = mapped_column(OrganizationId, primary_key=True)
    generation: Mapped[int] = mapped_column(RowKey)
    patients_in_cliniko: Mapped[int]
    synced_at: Mapped[datetime]


class MirroredPatient(Base):
    """A patient as Cliniko listed it."""

    __tablename__ = "mirrored_patients"

    generation: Mapped[int] = mapped_column(RowKey, primary_key=True, autoincrement=False)
    id: Mapped[str] = mapped_column(ClinikoId, primary_key=True)
    first_name: Mapped[str | None]
    last_name: Mapped[str | None]
    preferred_first_name: Mapped[str | None]
    email: Mapped[str | None]
    phone: Mapped[str | None]
    archived_at: Mapped[datetime | None]
    deleted_at: Mapped[datetime | None]
    created_at: Mapped[datetime | None]
    updated_at: Mapped[datetime | None]


class MirroredAppointment(Base):
    """An appointment as Cliniko listed it: of one patient (``individual``), or a class (``group``, no patient).

    ``did_not_arrive`` is null where nothing is marked.
    """

    __tablename__ = "mirrored_appointments"
    __table_args__ = (Index("ix_mirrored_appointments_patient", "generation", "patient_id", "starts_at"),)

    generation: Mapped[int] = mapped_column(RowKey, primary_key=True, autoincrement=False)
    kind: Mapped[str] = mapped_column(String(16), primary_key=True)
    id: Mapped[str] = mapped_column(ClinikoId, primary_key=True)
    patient_id: Mapped[str | None] = mapped_column(ClinikoId)
    appointment_type_id: Mapped[str | None] = mapped_column(ClinikoId)
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime | None]
    did_not_arrive: Mapped[bool | None]
    cancelled_at: Mapped[datetime | None]
    archived_at: Mapped[datetime | None]
    deleted_at: Mapped[datetime | None]
    created_at: Mapped[datetime | None]
    updated_at: Mapped[datetime | None]


class MirroredAttendee(Base):
    """Who comes to a group appointment, as Cliniko listed it. ``arrived`` is null where nothing is marked."""

    __tablename__ = "mirrored_attendees"
    __table_args__ = (Index("ix_mirrored_attendees_patient", "generation", "patient_id"),)

    generation: Mapped[int] = mapped_column(RowKey, primary_key=True, autoincrement=False)
    id: Mapped[str] = mapped_column(ClinikoId, primary_key=True)
    booking_id: Mapped[str | None] = mapped_column(ClinikoId)
    patient_id: Mapped[str | None] = mapped_column(ClinikoId)
    arrived: Mapped[bool | None]
    cancelled_at: Mapped[datetime | None]
    archived_at: Mapped[datetime | None]
    deleted_at: Mapped[datetime | None]
    created_at: Mapped[datetime | None]
    updated_at: Mapped[datetime | None]


class MirroredAppointmentType(Base):
    """An appointment type as Cliniko listed it."""

    __tablename__ = "mirrored_appointment_types"

    generation: Mapped[int] = mapped_column(RowKey, primary_key=True, autoincrement=False)
    id: Mapped[str] = mapped_column(ClinikoId, primary_key=True)
    name: Mapped[str | None]
    category: Mapped[str | None]
    duration_in_minutes: Mapped[int | None]
    archived_at: Mapped[datetime | None]
    created_at: Mapped[datetime | None]
    updated_at: Mapped[datetime | None]


class IdentifiedPatient(Base):
    """What the analysis of one sync found: a patient with appointments within the windows.

    ``recent_appointments`` and ``last_appointment_at`` are of visits that took place or are not marked; past ones that
    are marked as missed are ``missed_appointments``.
    """

    __tablename__ = "identified_patients"

    generation: Mapped[int] = mapped_column(RowKey, primary_key=True, autoincrement=False)
    patient_id: Mapped[str] = mapped_column(ClinikoId, primary_key=True)
    recent_appointments: Mapped[int]
    upcoming_appointments: Mapped[int]
    last_appointment_at: Mapped[datetime | None]
    next_appointment_at: Mapped[datetime | None]
    missed_appointments: Mapped[int]


class ActivePatient(Base):
    """The result that readers see, counted as in ``IdentifiedPatient``. Someone no longer active stays, as inactive."""

    __tablename__ = "active_patients"

    organization_id: Mapped[str] = mapped_column(OrganizationId, primary_key=True)
    patient_id: Mapped[str] = mapped_column(ClinikoId, primary_key=True)
    is_active: Mapped[bool]
    recent_appointments: Mapped[int]
    upcoming_appointments: Mapped[int]
    last_appointment_at: Mapped[datetime | None]
    next_appointment_at: Mapped[datetime | None]
    updated_at: Mapped[datetime]
    missed_appointments: Mapped[int]
