"""Lookups in a draft by id, for rows whose place in the mirror depends on rows of another list."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.database.columns import among
from routiq_gql.database.drafts import Draft
from routiq_gql.database.mirror import MirrorList
from routiq_gql.database.tables import ACTIVITY, APPOINTMENT, CURRENT, PATIENT


async def classes_among(connection: AsyncConnection, draft: Draft, ids: Collection[int]) -> frozenset[int]:
    """Those of the ids that are classes in the draft."""
    if not ids:
        return frozenset()
    columns = APPOINTMENT.c
    query = select(columns.id).where(MirrorList.GROUP_APPOINTMENTS.in_draft(draft), among(columns.id, ids))
    return frozenset((await connection.execute(query)).scalars())


async def merged_with(connection: AsyncConnection, draft: Draft, ids: Collection[int]) -> set[int]:
    """The patients that these patients were merged with, directly."""
    if not ids:
        return set()
    survivor = PATIENT.c.merged_with_id
    query = select(survivor).where(MirrorList.PATIENTS.in_draft(draft), among(PATIENT.c.id, ids))
    return {one for one in (await connection.execute(query)).scalars() if one is not None}


async def ids_outside(
    connection: AsyncConnection,
    draft: Draft,
    target: MirrorList,
    start: datetime | None,
    end: datetime | None,
    limit: int,
) -> list[int]:
    """At most ``limit`` ids of appointments in the draft that start before ``start``, or after ``end``; no stubs."""
    starts_at = APPOINTMENT.c.starts_at
    conditions = [starts_at < start] if start is not None else []
    conditions += [starts_at > end] if end is not None else []
    if not conditions:
        return []
    query = select(APPOINTMENT.c.id).where(target.in_draft(draft), or_(*conditions)).limit(limit)
    return list((await connection.execute(query)).scalars())


async def count_active(connection: AsyncConnection, draft: Draft) -> int:
    """The number of active patients in the draft."""
    columns = ACTIVITY.c
    query = select(func.count()).select_from(ACTIVITY)
    query = query.where(columns.mirror == draft.mirror, columns.to_sync == CURRENT, columns.is_active)
    return (await connection.execute(query)).scalar_one()
