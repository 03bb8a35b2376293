"""Reads what the history of an organization shows of its syncs. Time-only syncs are left out."""

from collections.abc import Collection
from datetime import timedelta
from functools import cache

from sqlalchemy import ColumnElement, Executable, bindparam, func, literal_column, select
from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.database.columns import milliseconds_between
from routiq_gql.database.rows import SyncRow, as_row, as_rows
from routiq_gql.database.tables import SYNC

TIME_ONLY = "time_only"
"""The mode of syncs that read nothing: the value of ``SyncMode.TIME_ONLY``."""


def reads_cliniko() -> ColumnElement[bool]:
    """The condition that selects syncs that clients see in histories: time-only syncs would outnumber them."""
    return SYNC.c.mode != literal_column(f"'{TIME_ONLY}'")


async def newest_ended(connection: AsyncConnection, organization_id: str, status: str | None = None) -> SyncRow | None:
    """The newest of the organization's syncs that have ended; with ``status``, of those with this status."""
    given = {"organization": organization_id, "status": status}
    query = _newest_ended(has_status=status is not None)
    return as_row(SyncRow, (await connection.execute(query, given)).first())


@cache
def _newest_ended(*, has_status: bool) -> Executable:
    query = select(SYNC).where(
        SYNC.c.organization_id == bindparam("organization"), SYNC.c.completed_at.is_not(None), reads_cliniko()
    )
    if has_status:
        query = query.where(SYNC.c.status == bindparam("status"))
    return query.order_by(SYNC.c.key.desc()).limit(1)


async def history_page(
    connection: AsyncConnection,
    organization_id: str,
    limit: int,
    before: int | None = None,
    statuses: Collection[str] = (),
) -> list[SyncRow]:
    """At most ``limit`` syncs, newest first, whose keys are below ``before``; with ``statuses``, only syncs in these.

    Sorted by key and not by time: a sync started while the clock was ahead would otherwise stay first until then.
    """
    query = select(SYNC).where(SYNC.c.organization_id == organization_id, reads_cliniko())
    if statuses:
        query = query.where(SYNC.c.status.in_(statuses))
    if before is not None:
        query = query.where(SYNC.c.key < before)
    return as_rows(SyncRow, await connection.execute(query.order_by(SYNC.c.key.desc()).limit(limit)))


async def counts_by_status(connection: AsyncConnection, organization_id: str) -> dict[str, int]:
    """The number of the organization's syncs in each status."""
    own = (SYNC.c.organization_id == organization_id, reads_cliniko())
    query = select(SYNC.c.status, func.count()).where(*own).group_by(SYNC.c.status)
    return {row[0]: row[1] for row in await connection.execute(query)}


async def average_duration(connection: AsyncConnection, organization_id: str, status: str) -> timedelta | None:
    """The average duration of the organization's syncs that ended with ``status``; ``None`` without such syncs."""
    query = select(func.avg(milliseconds_between(SYNC.c.started_at, SYNC.c.completed_at))).where(
        SYNC.c.organization_id == organization_id,
        SYNC.c.status == status,
        SYNC.c.completed_at.is_not(None),
        reads_cliniko(),
    )
    average = (await connection.execute(query)).scalar()
    return timedelta(milliseconds=float(average)) if average is not None else None
