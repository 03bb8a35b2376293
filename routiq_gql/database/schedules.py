"""Queries on schedules: what is due, and when an organization is synced next."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, case, delete, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.database.connections import CONNECTION
from routiq_gql.database.tables import Base, Schedule
from routiq_gql.database.upserts import upsert

SCHEDULE = Base.metadata.tables[Schedule.__tablename__]
USABLE = "connected"
"""The state of a connection with which a schedule goes on."""
DENIED = "needs_attention"
"""The state of a connection that a schedule tries again once its ``retry_at`` has come."""


async def save_schedule(connection: AsyncConnection, organization_id: str, every: timedelta, next_at: datetime) -> None:
    """Sync the organization every so often, from ``next_at`` on."""
    values = {"every_seconds": int(every.total_seconds()), "next_at": next_at}
    statement = upsert(connection, SCHEDULE).values(organization_id=organization_id, **values)
    await connection.execute(statement.on_conflict_do_update(index_elements=["organization_id"], set_=values))


async def drop_schedule(connection: AsyncConnection, organization_id: str) -> bool:
    """Stop; whether there was a schedule."""
    removed = await connection.execute(delete(SCHEDULE).where(SCHEDULE.c.organization_id == organization_id))
    return bool(removed.rowcount)


async def next_sync_at(connection: AsyncConnection, organization_id: str) -> datetime | None:
    """When the organization's schedule is due, or tries a denied connection again; ``None`` without either."""
    query = (
        select(case((CONNECTION.c.state == USABLE, SCHEDULE.c.next_at), else_=CONNECTION.c.retry_at))
        .join(CONNECTION, CONNECTION.c.organization_id == SCHEDULE.c.organization_id)
        .where(SCHEDULE.c.organization_id == organization_id, CONNECTION.c.state.in_([USABLE, DENIED]))
    )
    return (await connection.execute(query)).scalar_one_or_none()


async def due_schedules(
    connection: AsyncConnection, now: datetime, limit: int, *, to_change: bool = False
) -> Sequence[Row[Any]]:
    """Schedules that are due, the longest first, and those whose denied connection is to be tried again.

    Never those whose connection can't be used.

    With ``to_change`` those that somebody else is just changing are left out, and nobody else changes the others.
    """
    query = (
        select(SCHEDULE)
        .join(CONNECTION, CONNECTION.c.organization_id == SCHEDULE.c.organization_id)
        .where(_is_due(now))
        .order_by(SCHEDULE.c.next_at)
        .limit(limit)
    )
    if to_change:
        query = query.with_for_update(of=SCHEDULE, skip_locked=True)
    return (await connection.execute(query)).all()


def _is_due(now: datetime) -> ColumnElement[bool]:
    return or_(
        and_(CONNECTION.c.state == USABLE, SCHEDULE.c.next_at <= now),
        and_(CONNECTION.c.state == DENIED, CONNECTION.c.retry_at <= now),
    )


async def put_off(connection: AsyncConnection, schedule: Row[Any], now: datetime, retry_at: datetime) -> None:
    """Make the schedule due at the first of its times after ``now``, and a denied connection due at ``retry_at``."""
    await connection.execute(
        update(CONNECTION)
        .where(CONNECTION.c.organization_id == schedule.organization_id, CONNECTION.c.state == DENIED)
        .values(retry_at=retry_at)
    )
    every = timedelta(seconds=schedule.every_seconds)
    missed = (now - schedule.next_at) // every
    await connection.execute(
        update(SCHEDULE)
        .where(SCHEDULE.c.organization_id == schedule.organization_id)
        .values(next_at=schedule.next_at + (missed + 1) * every)
    )
