"""The tables of organizations and their syncs: access to Cliniko, runs, their logs, and schedules."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, LargeBinary, String, text
from sqlalchemy.orm import Mapped, mapped_column

from routiq_gql.database.columns import RowKey
from routiq_gql.database.tables.base import Base, OrganizationId


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


class Schedule(Base):
    """An organization that is synced every so often. It pauses by itself while its connection can't be used."""

    __tablename__ = "schedules"
    __table_args__ = (Index("ix_schedules_next", "next_at"),)

    organization_id: Mapped[str] = mapped_column(OrganizationId, primary_key=True)
    every_seconds: Mapped[int]
    next_at: Mapped[datetime]
