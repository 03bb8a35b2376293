"""Begins, shows and ends the schedules of organizations. The command ``schedule`` calls it."""

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from routiq_gql.clock import utc_now
from routiq_gql.database.engine import Database
from routiq_gql.database.operation_rows import RefreshRow
from routiq_gql.database.organization_facts import facts_of
from routiq_gql.database.refreshes import ask_for_refreshes, refresh_of
from routiq_gql.database.rows import ScheduleRow
from routiq_gql.database.schedules import clinic_time_zone, drop_schedule, next_sync_at, save_schedule, schedule_of
from routiq_gql.errors import BadInput
from routiq_gql.local_times import SHORTEST, read_local_times
from routiq_gql.organizations.freshness import Freshness, freshness_of
from routiq_gql.security.audit import Action, Audit
from routiq_gql.security.viewer import Viewer
from routiq_gql.settings import Settings
from routiq_gql.sync.look_times import LONGEST_WAIT
from routiq_gql.time_zones import name_of, zone_of

LONGEST = timedelta(days=31)
MOST_CLOCK_CHANGE = timedelta(hours=3)
"""The most that a change of the clocks adds to the time between two local times. Two hours is the most in use."""


class ScheduleService:
    """Stores when organizations are synced. The engine runs these syncs."""

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
        return await self._save(viewer, ScheduleRow(organization_id, int(every.total_seconds()), next_at, next_at))

    async def begin_at(
        self,
        viewer: Viewer,
        organization_id: str,
        at: Sequence[str],
        weekdays: str | None = None,
        time_zone: str | None = None,
    ) -> datetime | None:
        """Sync the organization at these local times, in place of an earlier schedule.

        Args:
            at: Times of day, such as ``06:00``.
            weekdays: Such as ``mon-fri`` or ``mon,thu``; every day without it.
            time_zone: An IANA name. Without it, the clinic's, as Cliniko named it to the last sync.

        Returns when the next sync begins; ``None`` while there is no connection that can be used.

        Raises:
            BadInput: The organization id or another argument has a wrong form, or the clinic's time zone is unknown.
            Forbidden: The organization is not the viewer's.
        """
        self._audit.require(viewer, organization_id, Action.SCHEDULE)
        local_times = read_local_times(at, weekdays, "UTC" if time_zone is None else time_zone)
        if time_zone is None:
            local_times = replace(local_times, time_zone=await self._time_zone(organization_id))
        longest = max(local_times.gaps) + MOST_CLOCK_CHANGE
        next_at = local_times.after(utc_now())
        schedule = ScheduleRow(
            organization_id,
            int(longest.total_seconds()),
            next_at,
            next_at,
            local_times.times_text,
            local_times.weekdays_text,
            local_times.time_zone,
        )
        return await self._save(viewer, schedule)

    async def show(self, viewer: Viewer, organization_id: str) -> tuple[ScheduleRow | None, datetime | None]:
        """The organization's schedule, and when it starts the next sync, as ``begin`` returns it.

        Raises:
            BadInput: The organization id has a wrong form.
            Forbidden: The organization is not the viewer's.
        """
        viewer.require(organization_id)
        async with self._database.reading() as connection:
            return await schedule_of(connection, organization_id), await next_sync_at(connection, organization_id)

    async def begin_live(self, viewer: Viewer, organization_id: str) -> bool:
        """Keep the organization live by looks at Cliniko; ``True`` if it was before.

        Raises:
            BadInput: The organization id has a wrong form.
            Forbidden: The organization is not the viewer's.
        """
        return await self._ask(viewer, organization_id, is_asked=True)

    async def is_live(self, viewer: Viewer, organization_id: str) -> bool:
        """Whether an operator asked to keep the organization live, besides the setting for all.

        Raises:
            BadInput: The organization id has a wrong form.
            Forbidden: The organization is not the viewer's.
        """
        row = await self._refresh(viewer, organization_id)
        return row is not None and row.is_asked

    async def last_look(self, viewer: Viewer, organization_id: str) -> datetime | None:
        """When a look last sent a request, if that is so recent that looks may continue; ``None`` otherwise.

        The process that looks may have another value of ``ROUTIQ_REFRESH_SECONDS`` than this one.

        Raises:
            BadInput: The organization id has a wrong form.
            Forbidden: The organization is not the viewer's.
        """
        row = await self._refresh(viewer, organization_id)
        if row is None or not row.spent:
            return None
        looked_at = datetime.fromtimestamp(row.spent[-1] / 1000, UTC)
        return looked_at if looked_at > utc_now() - LONGEST_WAIT else None

    async def freshness(self, viewer: Viewer, organization_id: str, settings: Settings) -> Freshness | None:
        """How its data is kept up to date. It does not count as a client's reading, which makes looks more frequent.

        Raises:
            BadInput: The organization id has a wrong form.
            Forbidden: The organization is not the viewer's.
        """
        viewer.require(organization_id)
        async with self._database.reading() as connection:
            facts = await facts_of(connection, [organization_id])
        return freshness_of(facts[organization_id], settings, utc_now())

    async def end_live(self, viewer: Viewer, organization_id: str) -> bool:
        """Look at Cliniko no longer, unless all organizations are kept live; ``True`` if this one was asked for.

        Raises:
            BadInput: The organization id has a wrong form.
            Forbidden: The organization is not the viewer's.
        """
        return await self._ask(viewer, organization_id, is_asked=False)

    async def _refresh(self, viewer: Viewer, organization_id: str) -> RefreshRow | None:
        viewer.require(organization_id)
        async with self._database.reading() as connection:
            return await refresh_of(connection, organization_id)

    async def _ask(self, viewer: Viewer, organization_id: str, *, is_asked: bool) -> bool:
        self._audit.require(viewer, organization_id, Action.SCHEDULE)
        async with self._database.writing() as connection:
            await self._audit.note(connection, viewer, Action.SCHEDULE, organization_id)
            return await ask_for_refreshes(connection, organization_id, utc_now(), is_asked=is_asked)

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

    async def _save(self, viewer: Viewer, schedule: ScheduleRow) -> datetime | None:
        async with self._database.writing() as connection:
            await save_schedule(connection, schedule)
            await self._audit.note(connection, viewer, Action.SCHEDULE, schedule.organization_id)
            return await next_sync_at(connection, schedule.organization_id)

    async def _time_zone(self, organization_id: str) -> str:
        async with self._database.reading() as connection:
            named = await clinic_time_zone(connection, organization_id)
        if named is None or (zone := name_of(zone_of(named))) == "UTC" != named:
            raise BadInput(
                f"The time zone of {organization_id} is not known. Give it, such as --time-zone Australia/Sydney, or "
                "sync once."
            )
        return zone
