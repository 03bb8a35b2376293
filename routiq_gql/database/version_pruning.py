"""Deletes versions that no kept sync shows, and appointments of organizations that no longer sync, in small batches.

A sync that is younger than ``KEEP_VERSIONS`` is kept, so that readers can ask for its rows. The newest sync is always
kept, and so is a sync that was the newest within the last hour: a reader may be paging through it.
"""

from datetime import datetime, timedelta
from functools import cache

from sqlalchemy import ColumnElement, Delete, Table, and_, case, delete, func, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.database.mirror import CLASS, is_closed
from routiq_gql.database.tables import APPOINTMENT, ATTENDEE, CURRENT, MIRROR, SYNC, VERSIONED

KEEP_VERSIONS = timedelta(days=7)
"""A week: changes can be asked for after a long weekend, and a clinic that changes 1 % a day stores 7 % more."""
KEEP_NEWEST = timedelta(hours=1)
"""Readers page through a sync for minutes at most."""
COMPLETED = "completed"
"""The status of a published sync: the value of ``SyncState.COMPLETED``."""


async def raise_oldest_kept(
    connection: AsyncConnection, kept_from: datetime, newest_until: datetime, size: int
) -> bool:
    """Note, for up to ``size`` organizations, which sync is the oldest that readers may ask for; ``True`` if any moved.

    Args:
        kept_from: Syncs that ended at this time or later are kept.
        newest_until: The newest of the syncs that ended at this time or earlier is kept, and so are all later ones.
    """
    published = is_kept_sync()
    first_young = select(func.min(SYNC.c.key)).where(published, SYNC.c.completed_at >= kept_from).scalar_subquery()
    was_newest = select(func.max(SYNC.c.key)).where(published, SYNC.c.completed_at <= newest_until).scalar_subquery()
    by_age, by_use = func.coalesce(first_young, MIRROR.c.sync), func.coalesce(was_newest, MIRROR.c.oldest_kept)
    oldest = case((by_age < by_use, by_age), else_=by_use)
    query = (
        select(MIRROR.c.number, oldest)
        .where(MIRROR.c.oldest_kept < MIRROR.c.sync, oldest > MIRROR.c.oldest_kept)
        .order_by(MIRROR.c.number)
        .limit(size)
        .with_for_update(of=MIRROR, skip_locked=True)
    )
    rows = (await connection.execute(query)).all()
    for number, sync in rows:
        moved = update(MIRROR).where(MIRROR.c.number == number, MIRROR.c.oldest_kept < sync, MIRROR.c.sync >= sync)
        await connection.execute(moved.values(oldest_kept=sync))
    return bool(rows)


def is_kept_sync() -> ColumnElement[bool]:
    """The condition that a sync's rows can be read, for a query on ``syncs`` and ``mirrors``."""
    return and_(
        SYNC.c.organization_id == MIRROR.c.organization_id,
        SYNC.c.key >= MIRROR.c.oldest_kept,
        SYNC.c.key <= MIRROR.c.sync,
        SYNC.c.status == COMPLETED,
    )


async def prune_versions(connection: AsyncConnection, size: int) -> bool:
    """Delete up to ``size`` versions that ended before the oldest kept sync; ``True`` if there may be more.

    Call it in a later transaction than ``raise_oldest_kept``. Two processes never wait for each other.
    """
    for table in VERSIONED:
        if (await connection.execute(_prune(table, size))).rowcount:
            return True
    return False


@cache
def _prune(table: Table, size: int) -> Delete:
    keys = list(table.primary_key)
    batch = (
        select(*keys)
        .join(MIRROR, MIRROR.c.number == table.c.mirror)
        .where(table.c.to_sync <= MIRROR.c.oldest_kept, is_closed(table))
        .limit(size)
        .with_for_update(of=table, skip_locked=True)
    )
    oldest_kept = select(MIRROR.c.oldest_kept).where(MIRROR.c.number == table.c.mirror).scalar_subquery()
    return delete(table).where(tuple_(*keys).in_(batch), table.c.to_sync <= oldest_kept)


async def prune_appointments(connection: AsyncConnection, left_before: datetime, window: timedelta, size: int) -> bool:
    """Delete up to ``size`` appointments, or their attendees, that left the horizon long ago; ``True`` if any.

    A sync closes such appointments itself. This is for organizations that no longer sync.

    Args:
        left_before: When they left the horizon at the latest.
        window: The horizon of an organization that keeps the window of an earlier version.
    """
    for horizon, is_horizon in await _horizons(connection, window):
        past = (APPOINTMENT.c.to_sync == CURRENT) & (APPOINTMENT.c.starts_at < left_before - horizon)
        # No draft begins while the row is locked: a longer horizon may need these rows.
        query = select(MIRROR.c.number).where(
            is_horizon,
            MIRROR.c.writing.is_(None),
            select(APPOINTMENT.c.id).where(APPOINTMENT.c.mirror == MIRROR.c.number, past).exists(),
        )
        locked = query.limit(1).with_for_update(of=MIRROR, skip_locked=True)
        number = (await connection.execute(locked)).scalar_one_or_none()
        if number is None:
            continue
        own = (APPOINTMENT.c.mirror == number) & past
        classes = select(APPOINTMENT.c.id).where(own, APPOINTMENT.c.kind == CLASS)
        places = (ATTENDEE.c.mirror == number) & ATTENDEE.c.booking_id.in_(classes)
        for table, condition in ((ATTENDEE, places), (APPOINTMENT, own)):
            keys = list(table.primary_key)
            batch = select(*keys).where(condition).limit(size)
            if (await connection.execute(delete(table).where(tuple_(*keys).in_(batch)))).rowcount:
                return True
    return False


async def oldest_prunable(connection: AsyncConnection, window: timedelta) -> dict[str, datetime | None]:
    """When the oldest sync ended that may cease to be kept, and when the oldest appointment left the horizon."""
    older = select(func.min(SYNC.c.completed_at)).join(MIRROR, is_kept_sync()).where(SYNC.c.key < MIRROR.c.sync)
    left: list[datetime] = []
    for horizon, is_horizon in await _horizons(connection, window):
        numbers = select(MIRROR.c.number).where(is_horizon)
        query = select(func.min(APPOINTMENT.c.starts_at)).where(APPOINTMENT.c.mirror.in_(numbers))
        start = (await connection.execute(query)).scalar_one()
        if start is not None:
            left.append(start + horizon)
    return {
        "versions": (await connection.execute(older)).scalar_one(),
        "appointments": min(left, default=None),
    }


async def _horizons(connection: AsyncConnection, window: timedelta) -> list[tuple[timedelta, ColumnElement[bool]]]:
    """The horizons of this database, and the condition of the organizations with each."""
    query = select(MIRROR.c.horizon_days).where(MIRROR.c.sync > 0).distinct()
    found: list[tuple[timedelta, ColumnElement[bool]]] = []
    for days in (await connection.execute(query)).scalars():
        horizon = timedelta(days=days) if days is not None else window
        found.append((horizon, MIRROR.c.horizon_days.is_not_distinct_from(days) & (MIRROR.c.sync > 0)))
    return found
