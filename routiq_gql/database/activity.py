"""Reads the results of the analysis: counts of active patients, and when the next result changes by time alone."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Integer, cast, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.database.mirror import visible
from routiq_gql.database.tables import ACTIVITY, MIRROR


@dataclass(frozen=True, slots=True)
class ActiveCounts:
    """Counts of an organization's active patients; ``stored`` includes those no longer active."""

    stored: int = 0
    active: int = 0
    with_recent: int = 0
    with_upcoming: int = 0


async def active_counts(connection: AsyncConnection, organization_id: str) -> ActiveCounts:
    """The counts that readers see; all 0 before the first completed sync."""
    published = select(MIRROR.c.number, MIRROR.c.sync).where(MIRROR.c.organization_id == organization_id)
    mirror = (await connection.execute(published)).one_or_none()
    if mirror is None:
        return ActiveCounts()

    return await active_counts_at(connection, mirror.number, mirror.sync)


async def active_counts_at(connection: AsyncConnection, mirror: int, sync: int) -> ActiveCounts:
    """The counts at a published sync."""

    def count_if(condition: ColumnElement[bool]) -> ColumnElement[int]:
        return func.coalesce(func.sum(cast(condition, Integer)), 0)

    query = select(
        count_if(ACTIVITY.c.was_active),
        count_if(ACTIVITY.c.is_active),
        count_if(ACTIVITY.c.recent_appointments > 0),
        count_if(ACTIVITY.c.upcoming_appointments > 0),
    ).where(visible(ACTIVITY, mirror, sync))
    return ActiveCounts(*(await connection.execute(query)).one())


async def patients_in_cliniko(connection: AsyncConnection, organization_id: str) -> int:
    """The number of patients that Cliniko listed in the newest completed sync; 0 before the first."""
    query = select(MIRROR.c.patients_in_cliniko).where(MIRROR.c.organization_id == organization_id)
    return (await connection.execute(query)).scalar_one_or_none() or 0


async def next_change(connection: AsyncConnection, mirror: int, sync: int) -> datetime | None:
    """When time alone changes a published result next; ``None`` if no result changes by itself."""
    query = select(func.min(ACTIVITY.c.changes_at)).where(visible(ACTIVITY, mirror, sync))
    return (await connection.execute(query)).scalar_one()
