"""Deletes rows after their retention period, in small batches, so that no writer waits long for the lock."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Table, delete, func, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.database.history import TIME_ONLY, in_history
from routiq_gql.database.tables import AUDIT, LOG, MIRROR, PACE, SYNC, WEBHOOK_EVENT
from routiq_gql.database.version_pruning import (
    KEEP_NEWEST,
    is_kept_sync,
    oldest_prunable,
    prune_appointments,
    prune_versions,
    raise_oldest_kept,
)
from routiq_gql.database.webhook_pruning import is_to_be_sent, prune_events

ORGANIZATIONS_PER_BATCH = 200
"""Rows of ``mirrors`` locked in a transaction, which the end of their syncs waits for."""


@dataclass(frozen=True, slots=True)
class Cutoffs:
    """The times before which rows are deleted.

    Attributes:
        log: Of the log: when the sync ended.
        history: Of syncs: when they ended. The sync whose result readers see is kept.
        webhooks: Of the events for webhooks, with their deliveries: when they happened. Events that an enabled webhook
            is still to be sent are kept.
        audit: Of the audit log: when the entry was written. Of the persons named by a kept sync: when it ended.
        versions: Of published syncs: when they ended. Versions that only they show are deleted.
        appointments: Of mirrored appointments: when they left the horizon. For organizations that no longer sync.
        paces: Of the paces of API keys: when the key was last used. By then the pace equals that of a new key.
    """

    log: datetime
    history: datetime
    webhooks: datetime
    audit: datetime
    versions: datetime
    appointments: datetime
    paces: datetime


async def prune_batch(
    connection: AsyncConnection, cutoffs: Cutoffs, size: int, *, now: datetime, window: timedelta
) -> bool:
    """Delete up to ``size`` rows of a kind; ``True`` if there may be more.

    Args:
        window: The horizon of an organization that keeps the window of an earlier version.
    """
    old_sync = select(SYNC.c.key).where(SYNC.c.completed_at < cutoffs.log)
    if await _remove(connection, LOG, LOG.c.sync_key.in_(old_sync), size):
        return True
    if await _remove(connection, SYNC, (SYNC.c.completed_at < cutoffs.history) & _may_be_forgotten(), size):
        return True
    if await _remove(connection, SYNC, _is_old_time_only(cutoffs.versions), size):
        return True
    if await _remove(connection, SYNC, _is_old_refresh(cutoffs.versions), size):
        return True
    if await prune_events(connection, cutoffs.webhooks, size):
        return True
    if await _remove(connection, AUDIT, AUDIT.c.time < cutoffs.audit, size):
        return True
    if await _forget_names(connection, cutoffs.audit, size):
        return True
    if await _remove(connection, PACE, (PACE.c.free_at < cutoffs.paces) & (PACE.c.held_until < cutoffs.paces), size):
        return True
    if await raise_oldest_kept(connection, cutoffs.versions, now - KEEP_NEWEST, ORGANIZATIONS_PER_BATCH):
        return True
    if await prune_versions(connection, size):
        return True
    return await prune_appointments(connection, cutoffs.appointments, window, size)


async def oldest_of(connection: AsyncConnection, window: timedelta) -> dict[str, datetime | None]:
    """The time of the oldest row that could be deleted, by the names of ``Cutoffs``; ``None`` without such a row."""
    has_log = select(LOG.c.seq).where(LOG.c.sync_key == SYNC.c.key).exists()
    queries = {
        "log": select(func.min(SYNC.c.completed_at)).where(has_log),
        "history": select(func.min(SYNC.c.completed_at)).where(_may_be_forgotten()),
        "webhooks": select(func.min(WEBHOOK_EVENT.c.at)).where(~is_to_be_sent()),
        "audit": select(func.min(AUDIT.c.time)),
        "paces": select(func.min(PACE.c.free_at)),
    }
    found = {name: (await connection.execute(query)).scalar_one() for name, query in queries.items()}
    return found | await oldest_prunable(connection, window)


def _may_be_forgotten() -> ColumnElement[bool]:
    # Readers may ask for a kept sync, and the draft of a failed one is removed through its row.
    return ~select(MIRROR.c.number).where(is_kept_sync() | (SYNC.c.key == MIRROR.c.writing)).exists()


def _is_old_time_only(cutoff: datetime) -> ColumnElement[bool]:
    """Time-only syncs are in no history. They are deleted when nobody can ask for their rows."""
    return (SYNC.c.mode == TIME_ONLY) & (SYNC.c.completed_at < cutoff) & _may_be_forgotten()


def _is_old_refresh(cutoff: datetime) -> ColumnElement[bool]:
    """Syncs that looks have started are deleted likewise, but not those in the history."""
    return SYNC.c.refresh & ~in_history() & (SYNC.c.completed_at < cutoff) & _may_be_forgotten()


async def _forget_names(connection: AsyncConnection, cutoff: datetime, size: int) -> bool:
    """Remove the names of persons from syncs that are kept for their result only."""
    is_named = SYNC.c.started_by_name.is_not(None) | SYNC.c.cancelled_by_name.is_not(None)
    batch = select(SYNC.c.key).where(SYNC.c.completed_at < cutoff, is_named).limit(size)
    forgotten = {"started_by_name": None, "cancelled_by_name": None, "version": SYNC.c.version + 1}
    statement = update(SYNC).where(SYNC.c.key.in_(batch.with_for_update(skip_locked=True))).values(forgotten)
    return bool((await connection.execute(statement)).rowcount)


async def _remove(connection: AsyncConnection, table: Table, condition: ColumnElement[bool], size: int) -> bool:
    keys = list(table.primary_key)
    # Another process may prune too. Each takes different rows, since two that wait for each other would deadlock.
    batch = select(*keys).where(condition).limit(size).with_for_update(skip_locked=True)
    removed = await connection.execute(delete(table).where(tuple_(*keys).in_(batch)))
    return bool(removed.rowcount)
