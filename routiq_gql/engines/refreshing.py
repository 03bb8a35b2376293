"""Looks at Cliniko for changes between syncs, and starts a sync when something has changed. A chore of both engines.

Cliniko documents no notifications, so asking is the only way. A look asks four lists for their newest changes, which
costs four requests and few statements. It never holds up a person: no look begins while a sync runs, and looks keep to
a ration of the key's pace, which organizations with the same key share. ``LookTimes`` has the waits between looks.
"""

import asyncio
import time
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

import structlog
from sqlalchemy.exc import IntegrityError

from routiq_gql.cliniko import (
    UNNAMED,
    AccountMoved,
    ClinikoError,
    KeyLacksPermission,
    KeyRefused,
    Ration,
)
from routiq_gql.clock import utc_now
from routiq_gql.connections.clients import ClientOpener
from routiq_gql.connections.state import ConnectionProblem, ConnectionState
from routiq_gql.database.engine import Database
from routiq_gql.database.refreshes import (
    DueRefresh,
    RefreshValues,
    add_refreshes,
    change_refresh,
    claim_refresh,
    due_refreshes,
)
from routiq_gql.database.shared_keys import sharers_of
from routiq_gql.database.syncs import ended_among
from routiq_gql.errors import StorageError, frames_of
from routiq_gql.live.bus import ProgressBus
from routiq_gql.security.audit import SCHEDULE_VIEWER
from routiq_gql.settings import Settings
from routiq_gql.sync.engine import Priority, SyncEngine, begin_sync
from routiq_gql.sync.found import Found, read_found, to_json
from routiq_gql.sync.found_pages import FoundPages, FoundPagesKeeper
from routiq_gql.sync.look_times import LookTimes
from routiq_gql.sync.looking import LOOK_REQUESTS, Seen, look_at, what_is_new
from routiq_gql.sync.mapping import snapshot_of
from routiq_gql.sync.model import SyncMode
from routiq_gql.sync.parts import PART_REQUESTS
from routiq_gql.sync.plan import decide, horizon_of, is_comparison_due
from routiq_gql.sync.rationed import LookOvertaken, look_booking, ration_of, values_after

MOST_AT_ONCE = 20
"""Looks of a process at the same time."""
LONGEST_LOOK = timedelta(minutes=2)
"""A look that takes longer has failed; no other process looks meanwhile."""
ROWS_EVERY_SECONDS = 10.0
"""How often organizations that were connected meanwhile are added, if all are kept live."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Look:
    """A claimed look."""

    due: DueRefresh
    found: Found
    epoch: int
    ration: Ration
    key_digest: bytes | None
    now: datetime


class Refreshes:
    """The looks of a process at the organizations that are kept live."""

    def __init__(
        self,
        database: Database,
        bus: ProgressBus,
        clients: ClientOpener,
        settings: Settings,
        found_pages: FoundPagesKeeper,
    ) -> None:
        self._database = database
        self._bus = bus
        self._clients = clients
        self._settings = settings
        self._found_pages = found_pages
        self._times = LookTimes(settings)
        self._everywhere = settings.refresh_seconds > 0
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._add_from = 0.0

    async def step(self, engine: SyncEngine) -> bool:
        """Begin the looks that are due. Returns ``False``: the next step is soon enough for the others.

        Raises:
            StorageError: The database can't be used.
        """
        now = utc_now()
        if self._everywhere and time.monotonic() >= self._add_from:
            async with self._database.writing() as connection:
                await add_refreshes(connection, now)
            self._add_from = time.monotonic() + ROWS_EVERY_SECONDS
        room = MOST_AT_ONCE - len(self._tasks)
        if room <= 0:
            return False
        async with self._database.reading() as connection:
            due = await due_refreshes(connection, now, room, everywhere=self._everywhere)
            if kept := list(self._found_pages):  # another process runs these syncs, unless they begin here soon
                self._found_pages.drop(await ended_among(connection, kept))
        for one in due:
            organization_id = one.refresh.organization_id
            if organization_id not in self._tasks:
                task = asyncio.create_task(self._run(one, engine), name=f"look at {organization_id}")
                self._tasks[organization_id] = task
                task.add_done_callback(partial(self._forget, organization_id))
        return False

    def _forget(self, organization_id: str, _done: asyncio.Task[None]) -> None:
        self._tasks.pop(organization_id, None)

    async def close(self) -> None:
        """Stop the looks of this process. Nothing is lost: the next look finds the same changes."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, due: DueRefresh, engine: SyncEngine) -> None:
        try:
            await self.look(due, engine)
        except StorageError:
            pass  # the chore reports it; the look is due again
        except Exception as error:
            log.error("look_crashed", organization_id=due.refresh.organization_id, error=type(error).__name__,
                      where=frames_of(error))  # fmt: skip

    async def look(self, due: DueRefresh, engine: SyncEngine) -> None:
        """Look at an organization, and start a sync if something has changed or a comparison is due.

        Raises:
            StorageError: The database can't be used.
        """
        look = await self._claim(due)
        if look is None:
            return
        if self._needs_full_sync(look):
            await self._start(look, engine, look.found, None)
            return
        try:
            async with asyncio.timeout(LONGEST_LOOK.total_seconds()):
                seen = await self._ask(look)
        except LookOvertaken:
            return
        except (KeyRefused, KeyLacksPermission, AccountMoved, ConnectionProblem, ClinikoError, TimeoutError) as error:
            log.info("look_failed", organization_id=due.refresh.organization_id, error=type(error).__name__)
            await self._change(look, self._after_failure(look, look.found))
            return
        if seen is None:
            await self._start(look, engine, look.found, None)
            return
        news = await what_is_new(self._database, due.mirror, look.found, seen, is_outstanding=due.is_outstanding)
        if news.lists or is_comparison_due(due.mirror, look.now):
            await self._start(look, engine, replace(news, looked_at=seen.at), seen)
        else:
            values = self._after_nothing(look, news)
            if values:
                await self._change(look, values)

    async def _claim(self, due: DueRefresh) -> _Look | None:
        """Claim a look and count its requests; ``None`` if they do not fit yet, or another process was faster."""
        refresh, now = due.refresh, utc_now()
        digest = refresh.key_digest or self._clients.pace_digest_of(due.connection)
        found = read_found(refresh.found)
        async with self._database.writing() as connection:
            is_shared = due.is_shared or refresh.key_digest is None  # another may have the key, as far as is known
            sharers = []
            if is_shared and digest is not None:
                sharers = await sharers_of(connection, refresh.organization_id, digest, to_change=True)
            ration = ration_of(refresh, self._settings, sharers)
            values: RefreshValues = {"key_digest": digest}
            # A part of a comparison follows at once. With sharers it may wait: their looks would keep this one away.
            part = PART_REQUESTS if is_comparison_due(due.mirror, now) and not sharers else 0
            seconds = ration.seconds_until(LOOK_REQUESTS + part)
            if seconds == 0:
                ration.note(LOOK_REQUESTS)
                # After a failure the time is brought forward as soon as the look has ended.
                values["next_at"] = self._times.after(now, at_least=LONGEST_LOOK if found.failures else timedelta(0))
            else:
                values["next_at"] = now + timedelta(seconds=seconds)
            epoch = await claim_refresh(connection, refresh, {**values, "spent": ration.sent})
        if epoch is None or seconds > 0:
            return None
        return _Look(due, found, epoch, ration, digest, now)

    def _needs_full_sync(self, look: _Look) -> bool:
        mirror = look.due.mirror
        horizon = horizon_of(mirror, self._settings, look.now)
        decision = decide(SyncMode.AUTO, mirror, mirror.account or "", horizon, self._settings, look.now)
        return decision.mode is SyncMode.FULL or mirror.mark is None

    async def _ask(self, look: _Look) -> Seen | None:
        """The newest changes; ``None`` if the key belongs to another account than the published rows."""
        row, since = look.due.connection, look.due.mirror.mark
        if since is None:
            raise ValueError("Without a mark only a full sync finds changes.")
        look.ration.booking = look_booking(
            self._database, self._settings, look.ration, look.due.refresh, look.epoch, look.key_digest
        )
        opened = await self._clients.open(row.organization_id, known=row, ration=look.ration)
        try:
            async with opened.client:
                if look.due.has_new_key and await opened.account() != look.due.mirror.account:
                    return None
                seen = await look_at(opened.client, since)
        except (KeyRefused, KeyLacksPermission, AccountMoved) as error:
            await self._clients.note_refusal(opened, error)
            raise
        if row.state != ConnectionState.CONNECTED:
            await self._clients.note_access(opened, UNNAMED)
        return seen

    async def _start(self, look: _Look, engine: SyncEngine, found: Found, seen: Seen | None) -> None:
        """Start the sync that reads what the look has seen; or one that reads everything, if nothing was asked."""
        organization_id, is_refresh = look.due.refresh.organization_id, seen is not None
        mode = SyncMode.INCREMENTAL if is_refresh else SyncMode.AUTO
        values, limited_at = self._spent(look)
        is_due = is_refresh and is_comparison_due(look.due.mirror, look.now)
        found = replace(found, limited_at=limited_at).comparing(is_due=is_due, is_outstanding=look.due.is_outstanding)
        values["next_at"] = self._times.after(look.now, found.failures)
        row, is_started = None, False
        try:
            async with self._database.writing() as connection:
                row = await begin_sync(
                    connection, engine, organization_id, Priority.SCHEDULE, SCHEDULE_VIEWER.actor, mode,
                    refresh=is_refresh,
                )  # fmt: skip
                if row is None:
                    raise LookOvertaken
                if seen is not None:
                    self._found_pages.keep(row.key, FoundPages(look.due.mirror.sync, seen.whole_pages()))
                values |= {"sync": row.key, "found": to_json(found)}
                if await change_refresh(connection, organization_id, look.epoch, values) is None:
                    raise LookOvertaken
            is_started = True
        except (LookOvertaken, IntegrityError):
            return
        finally:
            if row is not None and not is_started:
                self._found_pages.drop([row.key])
        snapshot = snapshot_of(row)
        self._bus.publish(snapshot)
        engine.wake(snapshot)

    def _after_failure(self, look: _Look, found: Found) -> RefreshValues:
        values, limited_at = self._spent(look)
        found = replace(found, failures=found.failures + 1, limited_at=limited_at)
        values |= {"found": to_json(found), "next_at": self._times.after(look.now, found.failures)}
        if look.due.has_new_key:
            values["key_digest"] = None  # the next look checks whose key it is
        return values

    def _after_nothing(self, look: _Look, news: Found) -> RefreshValues:
        """What to store after a look that found nothing: usually nothing."""
        values, limited_at = self._spent(look)
        found = replace(news, failures=0, compares=False, part_failures=0, limited_at=limited_at)
        if found != look.found or values:
            values |= {"found": to_json(found), "next_at": self._times.after(look.now)}
        return values

    def _spent(self, look: _Look) -> tuple[RefreshValues, datetime | None]:
        return values_after(look.due.refresh, look.found, look.ration, self._settings, look.now)

    async def _change(self, look: _Look, values: RefreshValues) -> None:
        async with self._database.writing() as connection:
            await change_refresh(connection, look.due.refresh.organization_id, look.epoch, values)
