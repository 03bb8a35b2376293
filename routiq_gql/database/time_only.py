"""Statements of time-only syncs: which organizations have results that time alone has changed, and a sync for them.

A time-only sync is inserted, written and published in a single transaction. A running sync has the published sync as
its base, so nothing may be published meanwhile: the organization must have no active sync, and no draft.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import BigInteger, ColumnElement, bindparam, literal_column, select
from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.database.analysis_scope import RULES
from routiq_gql.database.columns import CompactTime, UtcDateTime
from routiq_gql.database.rows import SyncRow, as_row
from routiq_gql.database.tables import ACTIVITY, CURRENT, MIRROR, SYNC

_ACTIVE = SYNC.alias("active")


@dataclass(frozen=True, slots=True)
class DueMirror:
    """An organization with results that are due."""

    number: int
    organization_id: str


def _is_due(mirror: ColumnElement[int]) -> ColumnElement[bool]:
    return (
        (ACTIVITY.c.mirror == mirror)
        & (ACTIVITY.c.to_sync == literal_column(str(CURRENT)))  # the partial index serves no query without the literal
        & (ACTIVITY.c.changes_at <= bindparam("now", type_=CompactTime()))
    )


_DUE_MIRRORS = (
    select(MIRROR.c.number, MIRROR.c.organization_id)
    .join(SYNC, SYNC.c.key == MIRROR.c.sync)
    .where(MIRROR.c.sync > 0, MIRROR.c.writing.is_(None), SYNC.c.rules == RULES)
    .where(SYNC.c.completed_at <= bindparam("published_before", type_=UtcDateTime()))
    .where(~select(_ACTIVE.c.key).where(
        _ACTIVE.c.organization_id == MIRROR.c.organization_id, _ACTIVE.c.completed_at.is_(None)
    ).exists())
    .where(select(ACTIVITY.c.id).where(_is_due(MIRROR.c.number)).exists())
    .order_by(MIRROR.c.number)
    .limit(bindparam("limit", type_=BigInteger))
)  # fmt: skip


async def due_mirrors(
    connection: AsyncConnection, now: datetime, published_before: datetime, limit: int
) -> list[DueMirror]:
    """At most ``limit`` organizations with due results, whose sync was published at ``published_before`` or earlier."""
    given = {"now": now, "published_before": published_before, "limit": limit}
    return [DueMirror(*row) for row in await connection.execute(_DUE_MIRRORS, given)]


async def published_sync_of(connection: AsyncConnection, mirror: int) -> SyncRow | None:
    """The sync that readers of this organization see; ``None`` while a draft exists, or before the first sync."""
    query = select(SYNC).join(MIRROR, MIRROR.c.sync == SYNC.c.key)
    query = query.where(MIRROR.c.number == mirror, MIRROR.c.writing.is_(None))
    return as_row(SyncRow, (await connection.execute(query)).one_or_none())


async def due_moment(connection: AsyncConnection, mirror: int, now: datetime, most: int) -> datetime | None:
    """The latest moment up to ``now`` at which at most ``most`` results were due, or those of the first moment.

    ``None`` if no result is due.
    """
    moments = select(ACTIVITY.c.changes_at).where(_is_due(bindparam("mirror", type_=BigInteger)))
    first = moments.order_by(ACTIVITY.c.changes_at).limit(most + 1)
    found = list((await connection.execute(first, {"mirror": mirror, "now": now})).scalars())
    if len(found) <= most:
        return now if found else None
    earlier = [one for one in found if one is not None and found[-1] is not None and one < found[-1]]
    return earlier[-1] if earlier else found[-1]


async def due_patients(connection: AsyncConnection, mirror: int, moment: datetime) -> Sequence[int]:
    """The patients whose results change by time alone up to ``moment``, ascending."""
    query = select(ACTIVITY.c.id).where(_is_due(bindparam("mirror", type_=BigInteger))).order_by(ACTIVITY.c.id)
    return list((await connection.execute(query, {"mirror": mirror, "now": moment})).scalars())
