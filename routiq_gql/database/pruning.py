"""Removes what is older than it is kept for, a small batch in each transaction, so that nobody waits for the lock."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Table, delete, func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.database.tables import APPOINTMENT, ATTENDEE, AUDIT, LOG, MIRROR, PACE, SYNC


@dataclass(frozen=True, slots=True)
class Cutoffs:
    """From when on things are kept.

    Attributes:
        log: Lines of syncs that ended before are removed.
        history: Syncs that ended before are removed, but for the one that readers see the result of.
        audit: Entries of the audit log from before are removed.
        appointments: Mirrored appointments that began before are removed, with who attended them.
        paces: The pace of an API key that was not used since is removed. It has long been like that of a new one.
    """

    log: datetime
    history: datetime
    audit: datetime
    appointments: datetime
    paces: datetime


async def prune_batch(connection: AsyncConnection, cutoffs: Cutoffs, size: int) -> bool:
    """Remove up to ``size`` rows of one kind; whether any was found, so that there may be more."""
    old_sync = select(SYNC.c.key).where(SYNC.c.completed_at < cutoffs.log)
    if await _remove(connection, LOG, LOG.c.sync_key.in_(old_sync), size):
        return True
    if await _remove(connection, SYNC, (SYNC.c.completed_at < cutoffs.history) & _may_be_forgotten(), size):
        return True
    if await _remove(connection, AUDIT, AUDIT.c.time < cutoffs.audit, size):
        return True
    if await _remove(connection, PACE, (PACE.c.free_at < cutoffs.paces) & (PACE.c.held_until < cutoffs.paces), size):
        return True
    past = _is_shown() & (APPOINTMENT.c.starts_at < cutoffs.appointments)
    past_classes = select(APPOINTMENT.c.generation, APPOINTMENT.c.id).where(past, APPOINTMENT.c.kind == "group")
    attended = tuple_(ATTENDEE.c.generation, ATTENDEE.c.booking_id).in_(past_classes)
    return await _remove(connection, ATTENDEE, attended, size) or await _remove(connection, APPOINTMENT, past, size)


async def oldest_of(connection: AsyncConnection) -> dict[str, datetime | None]:
    """The time of the oldest row that could be removed, by the names of ``Cutoffs``; ``None`` where there is none."""
    has_log = select(LOG.c.seq).where(LOG.c.sync_key == SYNC.c.key).exists()
    queries = {
        "log": select(func.min(SYNC.c.completed_at)).where(has_log),
        "history": select(func.min(SYNC.c.completed_at)).where(_may_be_forgotten()),
        "audit": select(func.min(AUDIT.c.time)),
        "appointments": select(func.min(APPOINTMENT.c.starts_at)).where(_is_shown()),
        "paces": select(func.min(PACE.c.free_at)),
    }
    return {name: (await connection.execute(query)).scalar_one() for name, query in queries.items()}


def _may_be_forgotten() -> ColumnElement[bool]:
    # A sync whose rows are still to be dropped is needed to find them.
    return ~SYNC.c.has_rows & SYNC.c.key.not_in(select(MIRROR.c.generation))


def _is_shown() -> ColumnElement[bool]:
    return APPOINTMENT.c.generation.in_(select(MIRROR.c.generation))


async def _remove(connection: AsyncConnection, table: Table, condition: ColumnElement[bool], size: int) -> bool:
    keys = list(table.primary_key)
    # Another process may prune too: each takes rows of its own, as two that wait for each other would not end.
    batch = select(*keys).where(condition).limit(size).with_for_update(skip_locked=True)
    removed = await connection.execute(delete(table).where(tuple_(*keys).in_(batch)))
    return bool(removed.rowcount)
