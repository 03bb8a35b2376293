"""The tables of operation: workers, the pace of API keys, the audit log, the write probe, and the state of pruning."""

from datetime import datetime

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, Named, String, Table, Text, TypedColumns

from routiq_gql.database.columns import RowKey, UtcDateTime
from routiq_gql.database.tables.base import METADATA, Holds, OrganizationId


class WorkerColumns(TypedColumns):
    """A process that runs syncs on PostgreSQL, by its number in the queue."""

    id: Named[int] = Column(BigInteger, primary_key=True, autoincrement=False)
    name: Named[str] = Column(Text)
    started_at: Named[datetime] = Column(UtcDateTime)
    max_syncs: Named[int]


WORKER = Table("workers", METADATA, WorkerColumns, info={"holds": Holds.PROCESSES})


class KeyPaceColumns(TypedColumns):
    """When any process may send the next request with an API key. Only a digest of the key is stored."""

    key_digest: Named[bytes] = Column(LargeBinary, primary_key=True)
    turn_at: Named[datetime] = Column(UtcDateTime)
    free_at: Named[datetime] = Column(UtcDateTime)
    held_until: Named[datetime] = Column(UtcDateTime)


PACE = Table("key_paces", METADATA, KeyPaceColumns, info={"holds": Holds.PROCESSES})


class AuditColumns(TypedColumns):
    """An action or a refusal, and its caller; see ``security/audit.py``.

    Equal refusals, and equal reads of patients, within a minute share a row.
    """

    key: Named[int] = Column(RowKey, primary_key=True, autoincrement=True)
    time: Named[datetime] = Column(UtcDateTime)
    action: Named[str] = Column(String(16))
    outcome: Named[str] = Column(String(32))
    organization_id: Named[str | None] = Column(OrganizationId)
    subject: Named[str | None] = Column(Text)
    address: Named[str | None] = Column(Text)
    sync_id: Named[str | None] = Column(String(128))
    token_id: Named[str | None] = Column(String(64))
    times: Named[int]
    list: Named[str | None] = Column(String(32))
    count: Named[int | None]
    webhook_id: Named[str | None] = Column(String(64))
    webhook_host: Named[str | None] = Column(Text)


AUDIT = Table(
    "audit",
    METADATA,
    AuditColumns,
    Index("ix_audit_time", "time"),
    Index("ix_audit_organization", "organization_id", "key"),
    info={"holds": Holds.ORGANIZATION},
)


class WriteProbeColumns(TypedColumns):
    """A single row, written to check whether the database accepts changes; see ``probe.py``."""

    id: Named[int] = Column(Integer, primary_key=True, autoincrement=False)
    written_at: Named[datetime] = Column(UtcDateTime)


PROBE = Table("write_probe", METADATA, WriteProbeColumns, info={"holds": Holds.PROCESSES})


class RetentionColumns(TypedColumns):
    """The progress of pruning, for each kind of rows; see ``retention``.

    Rows older than ``cutoff`` are deleted. ``moved_at`` is when it last moved ahead.
    """

    kind: Named[str] = Column(String(16), primary_key=True)
    cutoff: Named[datetime] = Column(UtcDateTime)
    moved_at: Named[datetime] = Column(UtcDateTime)


RETENTION = Table("retention", METADATA, RetentionColumns, info={"holds": Holds.PROCESSES})
