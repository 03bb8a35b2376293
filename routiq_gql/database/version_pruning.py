"""Deletes versions that no kept sync shows, in small batches.

A sync that is younger than ``KEEP_VERSIONS`` is kept, so that readers can ask for its rows. The newest sync is always
kept, and so is a sync that was the newest within the last hour: a reader may be paging through it.
"""

from datetime import datetime, timedelta

from sqlalchemy import delete, func, select, text, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.database.tables import CURRENT, MIRROR, SYNC, VERSIONED

KEEP_VERSIONS = timedelta(days=7)
"""A week: changes can be asked for after a long weekend, and a clinic that changes 1 % a day stores 7 % more."""
KEEP_NEWEST = timedelta(hours=1)
"""Readers page through a sync for minutes at most."""
COMPLETED = "completed"
"""The status of a published sync: the value of ``SyncState.COMPLETED``."""


async def raise_oldest_kept(
    connection: AsyncConnection, mirror_number: int, kept_from: datetime, newest_until: datetime
) -> None:
    """Note which sync of an organization is the oldest that readers may ask for. It never becomes an older one.

    Args:
        kept_from: Syncs that ended at this time or later are kept.
        newest_until: The newest of the syncs that ended at this time or earlier is kept, and so are all later ones.
    """
    of_mirror = MIRROR.c.number == mirror_number
    published = (
        (SYNC.c.organization_id == MIRROR.c.organization_id)
        & (SYNC.c.key >= MIRROR.c.oldest_kept)
        & (SYNC.c.key <= MIRROR.c.sync)
        & (SYNC.c.status == COMPLETED)
    )
    query = select(
        MIRROR.c.sync,
        MIRROR.c.oldest_kept,
        select(func.min(SYNC.c.key)).where(published, SYNC.c.completed_at >= kept_from).scalar_subquery(),
        select(func.max(SYNC.c.key)).where(published, SYNC.c.completed_at <= newest_until).scalar_subquery(),
    ).where(of_mirror)
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        return
    newest, oldest_kept, first_young, was_newest = row
    oldest = min(first_young or newest, was_newest or oldest_kept)
    if oldest > oldest_kept:
        statement = update(MIRROR).where(of_mirror, MIRROR.c.oldest_kept < oldest, MIRROR.c.sync >= oldest)
        await connection.execute(statement.values(oldest_kept=oldest))


async def prune_versions(connection: AsyncConnection, size: int) -> bool:
    """Delete up to ``size`` versions that ended before the oldest kept sync; ``True`` if there may be more.

    Call it in a later transaction than ``raise_oldest_kept``. Two processes never wait for each other.
    """
    for table in VERSIONED:
        keys = list(table.primary_key)
        oldest_kept = select(MIRROR.c.oldest_kept).where(MIRROR.c.number == table.c.mirror).scalar_subquery()
        batch = (
            select(*keys)
            .join(MIRROR, MIRROR.c.number == table.c.mirror)
            .where(table.c.to_sync <= MIRROR.c.oldest_kept, table.c.to_sync < text(str(CURRENT)))
            .limit(size)
            .with_for_update(of=table, skip_locked=True)
        )
        ended = table.c.to_sync <= oldest_kept
        if (await connection.execute(delete(table).where(tuple_(*keys).in_(batch), ended))).rowcount:
            return True
    return False
