"""Queries on schedules: what is due, and when an organization is synced next.

The next time of a schedule is at most its interval away. A later one was written while the clock was ahead, and would
keep the organization from being synced until that time has come; ``late_schedules`` finds those.
"""

import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Float, Row, delete, extract, func, literal, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.clock import CLOCK_TOLERANCE, utc_now
from routiq_gql.database.columns import UtcDateTime
from routiq_gql.database.connections import CONNECTION
from routiq_gql.database.tables import Base, Schedule
from routiq_gql.database.upserts import upsert

SCHEDULE = Base.metadata.tables[Schedule.__tablename__]
USABLE = "connected"
"""The state of a connection with which a schedule goes on."""


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
    """When the organization's schedule is due; ``None`` without one, or while it pauses.

    For a time that was written while the clock was ahead: when it is due at the latest.
    """
    query = (
        select(SCHEDULE.c.next_at, SCHEDULE.c.every_seconds)
        .join(CONNECTION, CONNECTION.c.organization_id == SCHEDULE.c.organization_id)
        .where(SCHEDULE.c.organization_id == organization_id, CONNECTION.c.state == USABLE)
    )
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        return None
    next_at: datetime = row.next_at
    latest = utc_now() + timedelta(seconds=row.every_seconds)
    return latest if next_at > latest + CLOCK_TOLERANCE else next_at


async def due_schedules(
    connection: AsyncConnection, now: datetime, limit: int, *, to_change: bool = False
) -> Sequence[Row[Any]]:
    """Schedules that are due, the longest first; never those whose connection can't be used.

    With ``to_change`` those that somebody else is just changing are left out, and nobody else changes the others.
    """
    query = (
        select(SCHEDULE)
        .join(CONNECTION, CONNECTION.c.organization_id == SCHEDULE.c.organization_id)
        .where(SCHEDULE.c.next_at <= now, CONNECTION.c.state == USABLE)
        .order_by(SCHEDULE.c.next_at)
        .limit(limit)
    )
    if to_change:
        query = query.with_for_update(of=SCHEDULE, skip_locked=True)
    return (await connection.execute(query)).all()


async def put_off(connection: AsyncConnection, schedule: Row[Any], now: datetime) -> None:
    """Make the schedule due at the first of its times after ``now``."""
    every = timedelta(seconds=schedule.every_seconds)
    missed = (now - schedule.next_at) // every
    await connection.execute(
        update(SCHEDULE)
        .where(SCHEDULE.c.organization_id == schedule.organization_id)
        .values(next_at=schedule.next_at + (missed + 1) * every)
    )


async def late_schedules(
    connection: AsyncConnection, now: datetime, limit: int, *, to_change: bool = False
) -> Sequence[Row[Any]]:
    """Schedules whose next time is more than their interval away; ``to_change`` as for ``due_schedules``."""
    ahead = _seconds_until(connection, SCHEDULE.c.next_at, now)
    query = select(SCHEDULE).where(ahead > SCHEDULE.c.every_seconds + CLOCK_TOLERANCE.total_seconds()).limit(limit)
    if to_change:
        query = query.with_for_update(skip_locked=True)
    return (await connection.execute(query)).all()


async def bring_forward(connection: AsyncConnection, schedule: Row[Any], now: datetime) -> None:
    """Make the schedule due within its interval.

    In the second half of it, at random: many schedules that a wrong clock has moved must not be due together, and
    where the clocks of two machines differ, none may be due again at once.
    """
    seconds = schedule.every_seconds * random.uniform(0.5, 1)
    await connection.execute(
        update(SCHEDULE)
        .where(SCHEDULE.c.organization_id == schedule.organization_id)
        .values(next_at=now + timedelta(milliseconds=round(seconds * 1000)))
    )


def _seconds_until(connection: AsyncConnection, moment: ColumnElement[datetime], now: datetime) -> ColumnElement[Any]:
    now_value = literal(now, UtcDateTime())
    if connection.dialect.name == "postgresql":
        return extract("epoch", moment - now_value)
    return (func.julianday(moment, type_=Float) - func.julianday(now_value, type_=Float)) * 86_400
