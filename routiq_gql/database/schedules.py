"""Queries on schedules: the schedules that are due, and the next sync of an organization.

The next time of a schedule is at most its interval away, or the longest time between two of its local times. A later
time was written while the clock was ahead, and would delay the next sync until then. ``late_schedules`` finds such
schedules.
"""

import random
from dataclasses import asdict
from datetime import datetime, timedelta
from functools import cache

from sqlalchemy import ColumnElement, Float, Select, and_, bindparam, delete, extract, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.clock import CLOCK_TOLERANCE, utc_now
from routiq_gql.database.columns import UtcDateTime
from routiq_gql.database.rows import ScheduleRow, as_rows
from routiq_gql.database.tables import CONNECTION, SCHEDULE, SYNC
from routiq_gql.database.upserts import upsert

USABLE = "connected"
"""The state of a connection whose schedule starts syncs."""
DENIED = "needs_attention"
"""The state of a connection that a schedule tries again at its ``retry_at``."""
MOST_UNTIL_RETRY = timedelta(days=1)
"""The longest time until a denied connection is tried again."""


async def save_schedule(connection: AsyncConnection, schedule: ScheduleRow) -> None:
    """Sync the organization as the schedule says, in place of an earlier schedule."""
    values = asdict(schedule)
    changed = {name: value for name, value in values.items() if name != "organization_id"}
    statement = upsert(connection, SCHEDULE).values(**values)
    await connection.execute(statement.on_conflict_do_update(index_elements=["organization_id"], set_=changed))


async def schedule_of(connection: AsyncConnection, organization_id: str) -> ScheduleRow | None:
    """The schedule of the organization, if there is any."""
    found = await connection.execute(select(SCHEDULE).where(SCHEDULE.c.organization_id == organization_id))
    return next(iter(as_rows(ScheduleRow, found)), None)


async def clinic_time_zone(connection: AsyncConnection, organization_id: str) -> str | None:
    """The clinic's time zone as Cliniko named it to the newest sync that asked; ``None`` before."""
    query = (
        select(SYNC.c.time_zone)
        .where(SYNC.c.organization_id == organization_id, SYNC.c.time_zone.is_not(None))
        .order_by(SYNC.c.key.desc())
        .limit(1)
    )
    return (await connection.execute(query)).scalar_one_or_none()


async def drop_schedule(connection: AsyncConnection, organization_id: str) -> bool:
    """Delete the schedule; ``True`` if there was any."""
    removed = await connection.execute(delete(SCHEDULE).where(SCHEDULE.c.organization_id == organization_id))
    return bool(removed.rowcount)


async def next_sync_at(connection: AsyncConnection, organization_id: str) -> datetime | None:
    """When the organization's schedule is due, or tries a denied connection again; ``None`` without either.

    If the stored time was written while the clock was ahead: the latest time at which the schedule is due.
    """
    query = (
        select(CONNECTION.c.state, CONNECTION.c.retry_at, *SCHEDULE.columns)
        .join(CONNECTION, CONNECTION.c.organization_id == SCHEDULE.c.organization_id)
        .where(SCHEDULE.c.organization_id == organization_id, CONNECTION.c.state.in_([USABLE, DENIED]))
    )
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        return None
    state, retry_at, *rest = row
    now, schedule = utc_now(), ScheduleRow(*rest)
    if state != USABLE:
        return _at_most(now + MOST_UNTIL_RETRY, retry_at)
    latest = now + schedule.every
    if schedule.local_times is not None and schedule.next_at > latest + CLOCK_TOLERANCE:
        return schedule.after(now)
    return _at_most(latest, schedule.next_at)


def _at_most(latest: datetime, moment: datetime | None) -> datetime | None:
    return latest if moment is not None and moment > latest + CLOCK_TOLERANCE else moment


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
    await connection.execute(
        update(SCHEDULE)
        .where(SCHEDULE.c.organization_id == schedule.organization_id)
        .values(next_at=schedule.after(now))
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
    """Make the schedule due at its next local time, or at a random time in the second half of its interval.

    Many schedules that a wrong clock has moved must not be due together. Where the clocks of two machines differ, no
    schedule may be due again at once.
    """
    if schedule.local_times is not None:
        next_at = schedule.after(now)
    else:
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
