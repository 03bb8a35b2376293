"""The tables of the processes themselves: workers, the pace of API keys, the audit log, and what tidying remembers."""

from datetime import datetime

from sqlalchemy import BigInteger, Index, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from routiq_gql.database.columns import RowKey
from routiq_gql.database.tables.base import Base, OrganizationId


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
