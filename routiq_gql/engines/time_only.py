"""Publishes what time alone has changed. A chore of both engines.

An appointment passes, or leaves a window: some patients join or leave lists although nothing has changed in Cliniko.
Each result says when that happens next. If a sync comes anyway, it looks at those patients too. Otherwise this chore
publishes a *time-only* sync, which asks Cliniko nothing and looks at the patients that are due only.
"""

import time
from datetime import datetime, timedelta

import structlog
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.clock import utc_now
from routiq_gql.database.analysis_scope import RULES
from routiq_gql.database.draft_lookups import count_active
from routiq_gql.database.engine import Database
from routiq_gql.database.publishing import NotPublished, open_draft, publish
from routiq_gql.database.rows import SyncRow
from routiq_gql.database.sync_changes import FinalChanges, RunningChanges
from routiq_gql.database.syncs import change_running, insert_sync
from routiq_gql.database.time_only import DueMirror, due_mirrors, due_moment, due_patients, published_sync_of
from routiq_gql.database.webhook_events import write_events
from routiq_gql.live.bus import ProgressBus
from routiq_gql.patients.analysis import analyze_patients
from routiq_gql.patients.bookings import Terms
from routiq_gql.patients.summary import active_changes, count_changes
from routiq_gql.sync.change_counts import to_json as counts_to_json
from routiq_gql.sync.checkpoint_json import plan_only
from routiq_gql.sync.endings import end_time_only
from routiq_gql.sync.mapping import first_values, snapshot_of
from routiq_gql.sync.model import SyncMode, SyncSnapshot, SyncState, SyncStep
from routiq_gql.sync.step_times import entering
from routiq_gql.sync.step_times import to_json as entries_to_json

LOOKS_EVERY_SECONDS = 60.0
"""A look is a statement for all organizations. Lists are late by a minute at most, besides the next value."""
LEAST_INTERVAL = timedelta(minutes=15)
"""From a publication to a time-only sync: a busy clinic has appointments at every quarter of an hour."""
MOST_PATIENTS = 2_000
"""Patients analyzed in the single transaction of a time-only sync. The others follow with the next one."""
MOST_ORGANIZATIONS = 20
"""Organizations of a look; a further batch follows at once."""
TEXT = "Updated by time alone"

log = structlog.get_logger(__name__)


class TimeOnlySyncs:
    """The time-only syncs of all organizations."""

    def __init__(self, database: Database, bus: ProgressBus) -> None:
        self._database = database
        self._bus = bus
        self._look_from = 0.0

    async def step(self) -> bool:
        """Publish what is due, for some organizations; returns whether there may be more.

        Raises:
            StorageError: The database can't be used.
        """
        if time.monotonic() < self._look_from:
            return False
        now = utc_now()
        async with self._database.reading() as connection:
            due = await due_mirrors(connection, now, now - LEAST_INTERVAL, MOST_ORGANIZATIONS)
        published = 0
        for mirror in due:
            snapshot = await self.publish_due(mirror, now)
            if snapshot is not None:
                published += 1
                self._bus.publish(snapshot)
                log.info("time_only_sync", organization_id=mirror.organization_id, sync_id=snapshot.sync_id)
        if published == MOST_ORGANIZATIONS:
            return True
        self._look_from = time.monotonic() + LOOKS_EVERY_SECONDS
        return False

    async def publish_due(self, mirror: DueMirror, now: datetime) -> SyncSnapshot | None:
        """Publish a time-only sync of an organization; ``None`` if a sync has begun or was published meanwhile."""
        try:
            async with self._database.bulk_turn, self._database.writing() as connection:
                return snapshot_of(await _publish(connection, mirror, now))
        except (_NotDue, IntegrityError, NotPublished):
            return None


class _NotDue(Exception):
    """There is nothing to publish now. The transaction is rolled back."""


async def _publish(connection: AsyncConnection, mirror: DueMirror, now: datetime) -> SyncRow:
    # First of all: a start that comes now waits for the end of this transaction, and gets a higher number.
    row = await insert_sync(connection, mirror.organization_id, first_values(SyncMode.TIME_ONLY, now))
    base = await published_sync_of(connection, mirror.number)
    moment = await due_moment(connection, mirror.number, now, MOST_PATIENTS)
    if row is None or base is None or moment is None or base.completed_at is None:
        raise _NotDue
    if base.completed_at > now - LEAST_INTERVAL or base.rules != RULES:
        raise _NotDue
    draft = await open_draft(connection, mirror.organization_id, row.key)
    if draft is None or draft.base != base.key:
        raise _NotDue
    recent, upcoming, weeks = base.recent_days or 0, base.upcoming_days or 0, base.seen_within_weeks or 0
    terms = Terms.at(moment, recent, upcoming, weeks, base.horizon_from)
    await analyze_patients(connection, draft, terms, await due_patients(connection, mirror.number, moment))
    entries = entering(snapshot_of(row).entries, SyncStep.ANALYZING.value, now, 0.0)
    entries = entering(entries, SyncStep.STORING.value, utc_now(), 0.0)
    counts = await count_changes(connection, draft)
    active = await count_active(connection, draft)
    values: RunningChanges = {
        "step": SyncStep.STORING.value,
        "steps": entries_to_json(entries),
        "patients_found": base.patients_found,
        "appointments_found": base.appointments_found,
        "active_patients_identified": active,
        "analyzed_at": moment,
        "recent_days": recent,
        "upcoming_days": upcoming,
        "seen_within_weeks": weeks,
        "rules": RULES,
        "checkpoint": plan_only(base.checkpoint),
    }
    if base.horizon_from is not None:
        values["horizon_from"] = base.horizon_from
    await change_running(connection, row.key, row.epoch, values, [])
    changes: FinalChanges = {
        "status": SyncState.COMPLETED.value,
        "progress_percentage": 100,
        "current_step": TEXT,
        "active_patients_stored": active,
        "changes": counts_to_json(counts) if counts is not None else None,
    }
    ended = await end_time_only(connection, row.key, changes)
    if ended is None:
        raise _NotDue
    await publish(connection, draft, {})
    if (changed := active_changes(draft, row.sync_id, counts)) is not None:
        await write_events(connection, mirror.organization_id, ended.last_updated, [changed])
    return ended
