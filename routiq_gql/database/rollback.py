"""Removes the draft of a sync that has ended without a publication, in small batches.

Called by housekeeping, and by the next sync before it opens its own draft. Each batch locks the ended sync's row, and
repeats its condition on the rows that it changes. So a batch never changes a version that a newer sync has written.
"""

from sqlalchemy import delete, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.database.columns import unindexed
from routiq_gql.database.mirror import closed_by
from routiq_gql.database.tables import CURRENT, MIRROR, SYNC, VERSIONED


async def rollback_batch(connection: AsyncConnection, mirror_number: int, size: int) -> bool:
    """Delete or reopen up to ``size`` versions; ``True`` if there may be more.

    Does nothing without a draft, and while the draft's sync is running.
    """
    query = select(MIRROR.c.writing).where(MIRROR.c.number == mirror_number)
    sync = (await connection.execute(query)).scalar_one_or_none()
    if sync is None:
        return False
    # A publication locks the sync's row first too, so the two never deadlock.
    ended = select(SYNC.c.completed_at).where(SYNC.c.key == sync).with_for_update()
    row = (await connection.execute(ended)).one_or_none()
    if row is not None and row.completed_at is None:
        return False
    if (await connection.execute(query.with_for_update())).scalar_one_or_none() != sync:
        return True  # another process has finished meanwhile; look again
    for table in VERSIONED:
        of_mirror, keys = table.c.mirror == mirror_number, list(table.primary_key)
        batch = select(*keys).where(of_mirror, table.c.from_sync == sync).limit(size)
        written = delete(table).where(tuple_(*keys).in_(batch), unindexed(table.c.from_sync) == sync)
        if (await connection.execute(written)).rowcount:
            return True
    for table in VERSIONED:
        of_mirror, keys = table.c.mirror == mirror_number, list(table.primary_key)
        batch = select(*keys).where(of_mirror, closed_by(table, sync)).limit(size)
        closed = update(table).where(tuple_(*keys).in_(batch), unindexed(table.c.to_sync) == sync)
        values = {"to_sync": CURRENT} | ({"closed_because": None} if "closed_because" in table.c else {})
        if (await connection.execute(closed.values(**values))).rowcount:
            return True
    is_marked = (MIRROR.c.number == mirror_number) & (MIRROR.c.writing == sync)
    await connection.execute(update(MIRROR).where(is_marked).values(writing=None))
    return False


async def rollback_any(connection: AsyncConnection, size: int) -> bool:
    """Do the same for any organization; ``True`` if there may be more. Two processes never wait for each other."""
    ended = (
        select(MIRROR.c.number)
        .join(SYNC, SYNC.c.key == MIRROR.c.writing)
        .where(SYNC.c.completed_at.is_not(None))
        .limit(1)
        .with_for_update(of=SYNC, skip_locked=True)
    )
    number = (await connection.execute(ended)).scalar_one_or_none()
    if number is None:
        return False
    await rollback_batch(connection, number, size)
    return True
