"""The tables of organizations and their syncs: access to Cliniko, runs, their logs, and schedules."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import JSON, Column, ForeignKey, Index, LargeBinary, Named, String, Table, Text, TypedColumns, text

from routiq_gql.database.columns import RowKey, UtcDateTime
from routiq_gql.database.tables.base import METADATA, Holds, OrganizationId, partial_index

EARLY = "failure_step <= 2 OR completed_at IS NULL"
"""The syncs that ended in step 2 or before, and those that still run. Written like this, an index finds them."""


class ConnectionColumns(TypedColumns):
    """An organization's access to Cliniko. The key is encrypted, see ``keys``, and empty after a disconnect.

    ``retry_at`` is when a schedule tries a connection again that needs attention because of a 403. ``totals`` are the
    rows of each list by the newest check of the key, for the estimate of the first sync.
    """

    organization_id: Named[str] = Column(OrganizationId, primary_key=True)
    state: Named[str] = Column(String(32))
    base_url: Named[str] = Column(Text)
    shard: Named[str] = Column(String(8))
    encrypted_key: Named[bytes] = Column(LargeBinary)
    encryption_key_id: Named[str] = Column(String(64))
    account_name: Named[str | None] = Column(Text)
    account_subdomain: Named[str | None] = Column(Text)
    role: Named[str | None] = Column(Text)
    last_validated_at: Named[datetime | None] = Column(UtcDateTime)
    totals: Named[Mapping[str, int] | None] = Column(JSON(none_as_null=True))
    problem_code: Named[str | None] = Column(String(32))
    problem_message: Named[str | None] = Column(Text)
    problem_what_to_do: Named[str | None] = Column(Text)
    retry_at: Named[datetime | None] = Column(UtcDateTime)
    created_at: Named[datetime] = Column(UtcDateTime)
    updated_at: Named[datetime] = Column(UtcDateTime)


CONNECTION = Table(
    "connections",
    METADATA,
    ConnectionColumns,
    # The list of organizations sorts and searches these two columns, and reads nothing else of each row.
    Index("ix_connections_name", "account_name", "organization_id"),
    info={"holds": Holds.ORGANIZATION},
)


class SyncColumns(TypedColumns):
    """A sync. It is active while ``completed_at IS NULL``; an organization has a single active sync at most.

    ``key`` is the sync's number. Only the key decides which of two syncs is newer, since clocks may be wrong.

    ``epoch`` counts the claims, and writes of an earlier holder match no row. ``version`` grows with every change that
    a client sees. ``checkpoint`` is where reading resumes after an interruption.

    ``mode`` is the requested mode until the sync has decided, then the mode in effect. ``receipt`` compares the mirror
    with Cliniko; see ``sync/receipt.py``. The analysis went by ``analyzed_at``, ``recent_days``, ``upcoming_days``,
    ``seen_within_weeks``, ``horizon_from`` and ``rules``. A ``baseline`` sync is the first of a mirror, so it has no
    changes; ``changes`` counts those of others, see ``sync/change_counts.py``.

    ``claimed_by`` is the process that runs it, and empty after a release. ``lost_claims`` counts claims that ended with
    a dead process, and ``pauses`` those that the database interrupted. Progress resets both.

    ``steps`` has its entries into steps; see ``sync/step_times.py``. ``started_by`` and ``cancelled_by`` are kinds of
    actors, with the names of persons. These columns are empty for syncs of earlier versions.

    ``trace_parent`` and ``trace_state`` are the span that started it, and ``trace_span`` that of its newest run, as W3C
    Trace Context writes them; empty while traces are off.

    ``refresh`` marks a sync that a look at Cliniko has started; see ``tables/refreshes.py``.
    """

    key: Named[int] = Column(RowKey, primary_key=True, autoincrement=True)
    sync_id: Named[str] = Column(String(128), unique=True)
    organization_id: Named[str] = Column(OrganizationId)
    mode: Named[str] = Column(String(16))
    status: Named[str] = Column(String(32))
    step: Named[int]
    progress_percentage: Named[int]
    current_step: Named[str] = Column(Text)
    patients_found: Named[int]
    appointments_found: Named[int]
    active_patients_identified: Named[int]
    active_patients_stored: Named[int]
    started_at: Named[datetime] = Column(UtcDateTime)
    completed_at: Named[datetime | None] = Column(UtcDateTime)
    estimated_completion: Named[datetime | None] = Column(UtcDateTime)
    estimated_earliest: Named[datetime | None] = Column(UtcDateTime)
    estimated_latest: Named[datetime | None] = Column(UtcDateTime)
    resumes_at: Named[datetime | None] = Column(UtcDateTime)
    waiting_for: Named[str | None] = Column(String(16))
    failure_code: Named[str | None] = Column(String(32))
    failure_step: Named[int | None]
    failure_message: Named[str | None] = Column(Text)
    failure_what_to_do: Named[str | None] = Column(Text)
    last_updated: Named[datetime] = Column(UtcDateTime)
    version: Named[int]
    epoch: Named[int]
    claimed_by: Named[str | None] = Column(String(64))
    lost_claims: Named[int] = Column(server_default="0")
    pauses: Named[int] = Column(server_default="0")
    checkpoint: Named[Mapping[str, object]] = Column(JSON)
    last_log_seq: Named[int]
    requests: Named[int] = Column(server_default="0")
    waited_seconds: Named[float] = Column(server_default="0")
    baseline: Named[bool] = Column(server_default=text("false"))
    analyzed_at: Named[datetime | None] = Column(UtcDateTime)
    recent_days: Named[int | None]
    upcoming_days: Named[int | None]
    rules: Named[int | None]
    receipt: Named[Mapping[str, object] | None] = Column(JSON(none_as_null=True))
    steps: Named[Mapping[str, object] | None] = Column(JSON(none_as_null=True))
    started_by: Named[str | None] = Column(String(16))
    started_by_name: Named[str | None] = Column(Text)
    cancelled_by: Named[str | None] = Column(String(16))
    cancelled_by_name: Named[str | None] = Column(Text)
    seen_within_weeks: Named[int | None]
    horizon_from: Named[datetime | None] = Column(UtcDateTime)
    changes: Named[Mapping[str, object] | None] = Column(JSON(none_as_null=True))
    time_zone: Named[str | None] = Column(String(64))
    trace_parent: Named[str | None] = Column(String(64))
    trace_state: Named[str | None] = Column(Text)
    trace_span: Named[str | None] = Column(String(64))
    refresh: Named[bool] = Column(server_default=text("false"))


SYNC = Table(
    "syncs",
    METADATA,
    SyncColumns,
    partial_index("uq_syncs_active_organization", "organization_id", unique=True, where="completed_at IS NULL"),
    Index("ix_syncs_organization_started", "organization_id", "started_at", "sync_id"),
    Index("ix_syncs_organization_key", "organization_id", "key"),
    Index("ix_syncs_organization_status", "organization_id", "status", "key"),
    # The totals of an organization's history need nothing but this index.
    Index("ix_syncs_totals", "organization_id", "status", "mode", "refresh", "started_at", "completed_at"),
    partial_index("ix_syncs_completed", "organization_id", "mode", "key", where="status = 'completed'"),
    # An organization that was never connected has such syncs only; see ``organization_pages``.
    partial_index("ix_syncs_early", "organization_id", where=EARLY),
    sqlite_autoincrement=True,  # a number is never used again, even after an erase
    info={"holds": Holds.ORGANIZATION},
)


class LogColumns(TypedColumns):
    """The ordered log of a sync. ``seq`` counts from 1; the sync's row assigns it."""

    sync_key: Named[int] = Column(
        RowKey, ForeignKey("syncs.key", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    seq: Named[int] = Column(primary_key=True, autoincrement=False)
    time: Named[datetime] = Column(UtcDateTime)
    level: Named[str] = Column(String(16))
    step: Named[int]
    message: Named[str] = Column(Text)


LOG = Table("sync_log", METADATA, LogColumns, info={"holds": Holds.ORGANIZATION})


class ScheduleColumns(TypedColumns):
    """An organization that is synced regularly, except while its connection can't be used.

    At an interval, or at ``times`` of day (``06:00,13:00``) on ``weekdays`` (``mon,tue``) in ``time_zone`` (an IANA
    name), which are null with an interval. ``every_seconds`` is then the longest time between two syncs. ``first_at``
    is when the schedule was first due; ``None`` for schedules of earlier versions.
    """

    organization_id: Named[str] = Column(OrganizationId, primary_key=True)
    every_seconds: Named[int]
    next_at: Named[datetime] = Column(UtcDateTime)
    first_at: Named[datetime | None] = Column(UtcDateTime)
    times: Named[str | None] = Column(String(300))
    weekdays: Named[str | None] = Column(String(32))
    time_zone: Named[str | None] = Column(String(64))


SCHEDULE = Table(
    "schedules",
    METADATA,
    ScheduleColumns,
    Index("ix_schedules_next", "next_at"),
    info={"holds": Holds.ORGANIZATION},
)
