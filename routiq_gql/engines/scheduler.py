"""Starts the syncs of schedules. A chore of both engines.

A schedule keeps its times, which were spread when it was created, and skips a time while a sync still runs. It pauses
while the organization's connection can't be used, so that no request is sent with an invalid key. After a 403, which
may be transient, it tries again at the connection's ``retry_at``. A schedule that a wrong clock has moved too far ahead
becomes due within its interval.
"""

import structlog
from sqlalchemy.exc import IntegrityError

from routiq_gql.clock import utc_now
from routiq_gql.database.engine import Database
from routiq_gql.database.schedules import (
    MOST_UNTIL_RETRY,
    any_due_or_late,
    bring_forward,
    due_schedules,
    late_schedules,
    reschedule,
)
from routiq_gql.live.bus import ProgressBus
from routiq_gql.security.audit import SCHEDULE_VIEWER, Action, Audit
from routiq_gql.sync.engine import Priority, SyncEngine, begin_sync
from routiq_gql.sync.mapping import snapshot_of

MOST_AT_ONCE = 5
"""Syncs started in a step. After a long standstill all schedules are due, and must not all begin in the same second."""
MOST_BROUGHT_FORWARD = 500
"""Schedules corrected in a transaction after the clock was wrong; later steps correct the others."""

log = structlog.get_logger(__name__)


class Scheduler:
    """The schedules of all organizations."""

    def __init__(self, database: Database, bus: ProgressBus, audit: Audit) -> None:
        self._database = database
        self._audit = audit
        self._bus = bus

    async def step(self, engine: SyncEngine) -> bool:
        """Start due syncs. Returns ``False``: the next step is soon enough for the others.

        Raises:
            StorageError: The database can't be used.
        """
        async with self._database.reading() as connection:
            has_work = await any_due_or_late(connection, utc_now())
        if has_work:  # rarely, so that other writers seldom wait
            await self._bring_forward()
            await self._start_due(engine)
        return False

    async def _bring_forward(self) -> None:
        async with self._database.writing() as connection:
            now = utc_now()
            late = await late_schedules(connection, now, MOST_BROUGHT_FORWARD)
            for schedule in late:
                await bring_forward(connection, schedule, now)
        if late:
            log.warning("schedules_moved_forward", count=len(late), reason="the clock was ahead, or is behind")

    async def _start_due(self, engine: SyncEngine) -> None:
        started = []
        try:
            async with self._database.writing() as connection:
                now = utc_now()
                for schedule in await due_schedules(connection, now, MOST_AT_ONCE):
                    await reschedule(connection, schedule, now, now + MOST_UNTIL_RETRY)
                    row = await begin_sync(
                        connection, engine, schedule.organization_id, Priority.SCHEDULE, SCHEDULE_VIEWER.actor
                    )
                    if row is not None:
                        await self._audit.note(
                            connection, SCHEDULE_VIEWER, Action.START, schedule.organization_id, row.sync_id
                        )
                        started.append(snapshot_of(row))
        except IntegrityError:
            return  # a person has started a sync at this moment; the next step starts the others
        for snapshot in started:
            self._bus.publish(snapshot)
            engine.wake(snapshot)
