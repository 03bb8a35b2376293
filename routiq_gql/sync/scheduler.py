"""Starts the syncs that schedules ask for. The engines call ``step`` again and again, one process at a time.

A schedule keeps to its own times, which were spread when it was made, and leaves one out while a sync still runs. It
pauses by itself while the organization's connection can't be used: Cliniko is not asked with a dead key. After a 403,
which may pass without anyone's doing, it tries again when the connection's ``retry_at`` has come.
"""

from sqlalchemy.exc import IntegrityError

from routiq_gql.clock import utc_now
from routiq_gql.database.engine import Database
from routiq_gql.database.schedules import due_schedules, put_off
from routiq_gql.sync.audit import SCHEDULE_VIEWER, Action, Audit
from routiq_gql.sync.bus import ProgressBus
from routiq_gql.sync.connection_state import LATER_RETRY
from routiq_gql.sync.engine import Priority, SyncEngine, begin_sync
from routiq_gql.sync.store import snapshot_of

MOST_AT_ONCE = 5
"""Syncs started in one step. After a long standstill all schedules are due, and not all may begin in one second."""


class Scheduler:
    """The schedules of all organizations."""

    def __init__(self, database: Database, bus: ProgressBus, audit: Audit) -> None:
        self._database = database
        self._audit = audit
        self._bus = bus

    async def step(self, engine: SyncEngine) -> None:
        """Start what is due.

        Raises:
            StorageError: The database can't be used.
        """
        async with self._database.reading() as connection:
            if not await due_schedules(connection, utc_now(), 1):
                return  # as almost always, and then nobody needs to wait for a write
        started = []
        try:
            async with self._database.writing() as connection:
                now = utc_now()
                for schedule in await due_schedules(connection, now, MOST_AT_ONCE, to_change=True):
                    await put_off(connection, schedule, now, now + LATER_RETRY)
                    row = await begin_sync(connection, engine, schedule.organization_id, Priority.SCHEDULE)
                    if row is not None:
                        await self._audit.note(
                            connection, SCHEDULE_VIEWER, Action.START, schedule.organization_id, row.sync_id
                        )
                        started.append(snapshot_of(row))
        except IntegrityError:
            return  # a person has started one of them this very moment; the next step does the others
        for snapshot in started:
            self._bus.publish(snapshot)
            engine.start(snapshot)
