"""The tables. Migrations create them; a test checks that both agree.

What is read from Cliniko carries a *generation*: the key of the sync that read it. A sync fills a generation
of its own, page by page, while readers keep seeing the one that ``mirrors`` names; the last step exchanges them.
So a sync that fails or is cancelled leaves what was stored before as it was.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, LargeBinary, String, Text, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from routiq_gql.database.columns import RowKey, UtcDateTime

OrganizationId = String(64)
ClinikoId = String(32)
"""Cliniko's ids stay text: they exceed what many clients hold as a number."""


class Base(DeclarativeBase):
    """Holds the metadata that migrations are compared with."""

    type_annotation_map = {datetime: UtcDateTime(), str: Text()}  # noqa: RUF012 - SQLAlchemy's own name and form


class Connection(Base):
    """An organization's access to Cliniko. The key is encrypted, see ``keys``, and empty once it was taken away.

    ``retry_at`` is when a schedule tries a connection again that needs attention because of a 403.
    """

    __tablename__ = "connections"

    organization_id: Mapped[str] = mapped_column(OrganizationId, primary_key=True)
    state: Mapped[str] = mapped_column(String(32))
    base_url: Mapped[str]
    shard: Mapped[str] = mapped_column(String(8))
    encrypted_key: Mapped[bytes] = mapped_column(LargeBinary)
    encryption_key_id: Mapped[str] = mapped_column(String(64))
    account_name: Mapped[str | None]
    account_subdomain: Mapped[str | None]
    role: Mapped[str | None]
    last_validated_at: Mapped[datetime | None]
    problem_code: Mapped[str | None] = mapped_column(String(32))
    problem_message: Mapped[str | None]
    problem_what_to_do: Mapped[str | None]
    retry_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class Sync(Base):
    """One run. Active means ``completed_at IS NULL``; at most one per organization is.

    ``key`` is the sync's number. It alone says which of two syncs is newer: times come from clocks, which may be wrong.

    ``epoch`` counts who has taken the sync up; writes of an earlier holder match no row. ``version`` grows with
    every change that a client sees. ``checkpoint`` is where reading goes on after a break. ``has_rows`` is true until
    the generation of this sync, no longer in use, has been removed.

    ``claimed_by`` is the process that runs it, empty once that has stopped on purpose. ``lost_claims`` counts claims
    that ended with a dead process, ``pauses`` those that the database interrupted; progress resets both.
    """

    __tablename__ = "syncs"
    __table_args__ = (
        Index(
            "uq_syncs_active_organization",
            "organization_id",
            unique=True,
            sqlite_where=text("completed_at IS NULL"),
            postgresql_where=text("completed_at IS NULL"),
        ),
        Index("ix_syncs_organization_started", "organization_id", "started_at", "sync_id"),
        Index("ix_syncs_organization_key", "organization_id", "key"),
        Index("ix_syncs_organization_status", "organization_id", "status", "key"),
        # Totals of an organization's history are computed from the index alone.
        Index("ix_syncs_totals", "organization_id", "status", "started_at", "completed_at"),
        Index("ix_syncs_has_rows", "key", sqlite_where=text("has_rows"), postgresql_where=text("has_rows")),
    )

    key: Mapped[int] = mapped_column(RowKey, primary_key=True, autoincrement=True)
    sync_id: Mapped[str] = mapped_column(String(128), unique=True)
    organization_id: Mapped[str] = mapped_column(OrganizationId)
    mode: Mapped[str] = mapped_column(String(16))
    status: Mapped[str] = mapped_column(String(32))
    step: Mapped[int]
    progress_percentage: Mapped[int]
    current_step: Mapped[str]
    patients_found: Mapped[int]
    appointments_found: Mapped[int]
    active_patients_identified: Mapped[int]
    active_patients_stored: Mapped[int]
    started_at: Mapped[datetime]
    completed_at: Mapped[datetime | None]
    estimated_completion: Mapped[datetime | None]
    resumes_at: Mapped[datetime | None]
    waiting_for: Mapped[str | None] = mapped_column(String(16))
    failure_code: Mapped[str | None] = mapped_column(String(32))
    failure_step: Mapped[int | None]
    failure_message: Mapped[str | None]
    failure_what_to_do: Mapped[str | None]
    last_updated: Mapped[datetime]
    version: Mapped[int]
    epoch: Mapped[int]
    claimed_by: Mapped[str | None] = mapped_column(String(64))
    lost_claims: Mapped[int] = mapped_column(server_default="0")
    pauses: Mapped[int] = mapped_column(server_default="0")
    checkpoint: Mapped[dict[str, Any]] = mapped_column(JSON)
    last_log_seq: Mapped[int]
    has_rows: Mapped[bool]


class SyncLog(Base):
    """The ordered log of a sync; ``seq`` counts from 1 and is given out by the sync's own row."""

    __tablename__ = "sync_log"

    sync_key: Mapped[int] = mapped_column(
        RowKey, ForeignKey("syncs.key", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    time: Mapped[datetime]
    level: Mapped[str] = mapped_column(String(16))
    step: Mapped[int]
    message: Mapped[str]


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


class Schedule(Base):
    """An organization that is synced every so often. It pauses by itself while its connection can't be used."""

    __tablename__ = "schedules"
    __table_args__ = (Index("ix_schedules_next", "next_at"),)

    organization_id: Mapped[str] = mapped_column(OrganizationId, primary_key=True)
    every_seconds: Mapped[int]
    next_at: Mapped[datetime]


class Worker(Base):
    """A process that runs syncs on PostgreSQL, by the number under which the queue knows it."""

    __tablename__ = "workers"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    name: Mapped[str]
    started_at: Mapped[datetime]
    max_syncs: Mapped[int]


class KeyPace(Base):
    """When the next request with an API key may be sent, for all processes; the key is there as a digest only."""

    __tablename__ = "key_paces"

    key_digest: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    turn_at: Mapped[datetime]
    free_at: Mapped[datetime]
    held_until: Mapped[datetime]


class AuditRow(Base):
    """Who did what, or was refused; see ``sync/audit.py``. Equal refusals within a minute share a row."""

    __tablename__ = "audit"
    __table_args__ = (Index("ix_audit_time", "time"), Index("ix_audit_organization", "organization_id", "key"))

    key: Mapped[int] = mapped_column(RowKey, primary_key=True, autoincrement=True)
    time: Mapped[datetime]
    action: Mapped[str] = mapped_column(String(16))
    outcome: Mapped[str] = mapped_column(String(32))
    organization_id: Mapped[str | None] = mapped_column(OrganizationId)
    subject: Mapped[str | None]
    address: Mapped[str | None]
    sync_id: Mapped[str | None] = mapped_column(String(128))
    token_id: Mapped[str | None] = mapped_column(String(64))
    times: Mapped[int]


class WriteProbe(Base):
    """One row that is written to see whether the database takes changes; see ``probe.py``."""

    __tablename__ = "write_probe"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    written_at: Mapped[datetime]


class Retention(Base):
    """How far the removal of old rows has come, for each kind of them; see ``retention``.

    ``cutoff`` is from when on rows are kept. ``moved_at`` is when it was last moved ahead.
    """

    __tablename__ = "retention"

    kind: Mapped[str] = mapped_column(String(16), primary_key=True)
    cutoff: Mapped[datetime]
    moved_at: Mapped[datetime]
