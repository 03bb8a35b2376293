"""Begins and ends the schedules of organizations. The command ``schedule`` calls it."""

import random
from datetime import datetime, timedelta

from routiq_gql.clock import utc_now
from routiq_gql.database.engine import Database
from routiq_gql.database.schedules import drop_schedule, next_sync_at, save_schedule
from routiq_gql.errors import BadInput
from routiq_gql.security.audit import Action, Audit
from routiq_gql.security.viewer import Viewer

SHORTEST = timedelta(minutes=5)
LONGEST = timedelta(days=31)


class ScheduleService:
    """Stores how often organizations are synced. The engine runs these syncs."""

    def __init__(self, database: Database, audit: Audit) -> None:
        self._database = database
        self._audit = audit

    async def begin(self, viewer: Viewer, organization_id: str, every: timedelta) -> datetime | None:
        """Sync the organization at this interval, in place of an earlier schedule.

        Returns when the next sync begins; ``None`` while there is no connection that can be used.

        Raises:
            BadInput: The organization id has a wrong form, or ``every`` is out of range.
            Forbidden: The organization is not the viewer's.
        """
        self._audit.require(viewer, organization_id, Action.SCHEDULE)
        if not SHORTEST <= every <= LONGEST:
            raise BadInput("A schedule's time is from 5 minutes (5m) to 31 days (31d).")
        # At random within the interval, so that clinics scheduled by the same script don't all begin at once.
        seconds = random.uniform(0, every.total_seconds())
        next_at = utc_now() + timedelta(milliseconds=round(seconds * 1000))
        async with self._database.writing() as connection:
            await save_schedule(connection, organization_id, every, next_at)
            await self._audit.note(connection, viewer, Action.SCHEDULE, organization_id)
            return await next_sync_at(connection, organization_id)

    async def end(self, viewer: Viewer, organization_id: str) -> bool:
        """Sync the organization on demand only; ``True`` if it had a schedule.

        Raises:
            BadInput: The organization id has a wrong form.
            Forbidden: The organization is not the viewer's.
        """
        self._audit.require(viewer, organization_id, Action.SCHEDULE)
        async with self._database.writing() as connection:
            await self._audit.note(connection, viewer, Action.SCHEDULE, organization_id)
            return await drop_schedule(connection, organization_id)
