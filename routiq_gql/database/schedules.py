"""Queries on schedules: the schedules that are due, and the next sync of an organization.

The next time of a schedule is at most its interval away. A later time was written while the clock was ahead, and would
delay the next sync until then. ``late_schedules`` finds such schedules.
"""

import random
from datetime import datetime, timedelta
from functools import cache

from sqlalchemy import ColumnElement, Float, Select, and_, bindparam, delete, extract, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.clock import CLOCK_TOLERANCE, utc_now
from routiq_gql.database.columns import UtcDateTime
from routiq_gql.database.rows import ScheduleRow, as_rows
from routiq_gql.database.tables import CONNECTION, SCHEDULE
from routiq_gql.database.upserts import upsert

USABLE = "connected"
"""The state of a connection whose schedule starts syncs."""
DENIED = "needs_attention"
"""The state of a connection that a schedule tries again at its ``retry_at``."""
MOST_UNTIL_RETRY = timedelta(days=1)
"""The longest time until a denied connection is tried again."""


async def save_schedule(connection: AsyncConnection, organization_id: str, every: timedelta, next_at: datetime) -> None:
    """Sync the organization at this interval, from ``next_at`` on."""
    values = {"every_seconds": int(every.total_seconds()), "next_at": next_at, "first_at": next_at}
    statement = upsert(connection, SCHEDULE).values(organization_id=organization_id, **values)
    await connection.execute(statement.on_conflict_do_update(index_elements=["organization_id"], set_=values))


async def drop_schedule(connection: AsyncConnection, organization_id: str) -> bool:
    """Delete the schedule; ``True`` if there was any."""
    removed = await connection.execute(delete(SCHEDULE).where(SCHEDULE.c.organization_id == organization_id))
    return bool(removed.rowcount)


async def next_sync_at(connection: AsyncConnection, organization_id: str) -> datetime | None:
    """When the organization's schedule is due, or tries a denied connection again; ``None`` without either.

    If the stored time was written while the clock was ahead: the latest time at which the schedule is due.
    """
    query = (
        select(CONNECTION.c.state, CONNECTION.c.retry_at, SCHEDULE.c.next_at, SCHEDULE.c.every_seconds)
        .join(CONNECTION, CONNECTION.c.organization_id == SCHEDULE.c.organization_id)
        .where(SCHEDULE.c.organization_id == organization_id, CONNECTION.c.state.in_([USABLE, DENIED]))
    )
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        return None
    every = timedelta(seconds=row.every_seconds)
    next_at, within = (row.next_at, every) if row.state == USABLE else (row.retry_at, MOST_UNTIL_RETRY)
    latest = utc_now() + within
    return latest if next_at is not None and next_at > latest + CLOCK_TOLERANCE else next_at


async def any_due_or_late(connection: AsyncConnection, now: datetime) -> bool:
    """Whether ``due_schedules`` or ``late_schedules`` finds any. A single statement, as it is asked each second."""
    query = _any_due_or_late(connection.dialect.name)
    return (await connection.execute(query, _times(now))).first() is not None


async def due_schedules(connection: AsyncConnection, now: datetime, limit: int) -> list[ScheduleRow]:
    """Schedules that are due, the longest first, and schedules that try a denied connection again.

    Schedules whose connection can't be used are left out. The rows are locked, and rows that another transaction has
    locked are left out.
    """
    query = (
        select(SCHEDULE)
        .join(CONNECTION, CONNECTION.c.organization_id == SCHEDULE.c.organization_id)
        .where(_IS_DUE)
        .order_by(SCHEDULE.c.next_at)
        .limit(limit)
        .with_for_update(of=SCHEDULE, skip_locked=True)
    )
    return as_rows(ScheduleRow, await connection.execute(query, _times(now)))


def _times(now: datetime) -> dict[str, datetime]:
    # A later retry was written while the clock was ahead.
    return {"now": now, "latest_retry": now + MOST_UNTIL_RETRY + CLOCK_TOLERANCE}


_NOW = bindparam("now", type_=UtcDateTime())
_IS_DUE = or_(
    and_(CONNECTION.c.state == USABLE, SCHEDULE.c.next_at <= _NOW),
    and_(
        CONNECTION.c.state == DENIED,
        or_(CONNECTION.c.retry_at <= _NOW, CONNECTION.c.retry_at > bindparam("latest_retry", type_=UtcDateTime())),
    ),
)


async def reschedule(connection: AsyncConnection, schedule: ScheduleRow, now: datetime, retry_at: datetime) -> None:
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


async def late_schedules(connection: AsyncConnection, now: datetime, limit: int) -> list[ScheduleRow]:
    """Schedules whose next time is more than their interval away, locked as by ``due_schedules``."""
    query = select(SCHEDULE).where(_is_late(connection.dialect.name)).limit(limit).with_for_update(skip_locked=True)
    return as_rows(ScheduleRow, await connection.execute(query, {"now": now}))


@cache
def _any_due_or_late(dialect: str) -> Select[str]:
    its_connection = CONNECTION.c.organization_id == SCHEDULE.c.organization_id
    is_late = _is_late(dialect)
    return select(SCHEDULE.c.organization_id).outerjoin(CONNECTION, its_connection).where(_IS_DUE | is_late).limit(1)


def _is_late(dialect: str) -> ColumnElement[bool]:
    seconds = _seconds_until(dialect, SCHEDULE.c.next_at)
    return seconds > SCHEDULE.c.every_seconds + CLOCK_TOLERANCE.total_seconds()


async def bring_forward(connection: AsyncConnection, schedule: ScheduleRow, now: datetime) -> None:
    """Make the schedule due at a random time in the second half of its interval.

    Many schedules that a wrong clock has moved must not be due together. Where the clocks of two machines differ, no
    schedule may be due again at once.
    """
    seconds = schedule.every_seconds * random.uniform(0.5, 1)
    next_at = now + timedelta(milliseconds=round(seconds * 1000))
    first_at = min(schedule.first_at, next_at) if schedule.first_at is not None else None
    await connection.execute(
        update(SCHEDULE)
        .where(SCHEDULE.c.organization_id == schedule.organization_id)
        .values(next_at=next_at, first_at=first_at)
    )


def _seconds_until(dialect: str, moment: ColumnElement[datetime]) -> ColumnElement[int] | ColumnElement[float]:
    if dialect == "postgresql":
        return extract("epoch", moment - _NOW)
    return (func.julianday(moment, type_=Float) - func.julianday(_NOW, type_=Float)) * 86_400
