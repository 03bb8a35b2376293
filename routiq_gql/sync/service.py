"""The service for syncs: start, cancel, read and watch. GraphQL, REST and the command line call the same methods.

Every method takes the viewer first. A sync that a viewer may not reach is not found; an organization that a viewer may
not reach is refused.
"""

from collections.abc import AsyncGenerator, Collection
from contextlib import aclosing

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.connections.state import ConnectionState
from routiq_gql.database.connections import organizations_by_state
from routiq_gql.database.engine import Database
from routiq_gql.database.syncs import active_sync, sync_by_id
from routiq_gql.errors import BadInput, DatabaseAway, RateLimited, SyncNotFound
from routiq_gql.live.bus import ProgressBus
from routiq_gql.live.following import LogFollower
from routiq_gql.live.subscriptions import Subscriptions
from routiq_gql.live.topics import DashboardTopic, SyncTopic
from routiq_gql.organizations.cursors import read_history_cursor
from routiq_gql.organizations.dashboard import Dashboard, Dashboards
from routiq_gql.organizations.history import History, read_history
from routiq_gql.organizations.stored_history import keeps_window
from routiq_gql.security.audit import Action, Audit
from routiq_gql.security.viewer import Viewer, check_sync_id
from routiq_gql.settings import Settings
from routiq_gql.sync.endings import Cancelled, announce, end_from_outside
from routiq_gql.sync.engine import Priority, SyncEngine, begin_sync
from routiq_gql.sync.log_requests import LogRequest, check_after, check_limit, read_logs
from routiq_gql.sync.mapping import snapshot_of
from routiq_gql.sync.model import LogLine, SyncMode, SyncSnapshot, SyncState
from routiq_gql.sync.outcomes import CancelledSync, StartedSync
from routiq_gql.sync.start_limit import enforce_start_limit

REREAD_SECONDS_ELSEWHERE = 0.5
"""How often a watcher reads the row of a sync that another process runs without notifying this process."""


class SyncService:
    """Starts, ends, reads and watches syncs.

    Attributes:
        subscriptions: Open subscriptions of this process.
    """

    def __init__(self, database: Database, bus: ProgressBus, engine: SyncEngine, audit: Audit, settings: Settings):
        self._database = database
        self._bus = bus
        self._engine = engine
        self._audit = audit
        self._dashboards = Dashboards(database, settings)
        self._settings = settings
        self._followers = LogFollower(database)
        self.subscriptions = Subscriptions(settings.max_subscriptions)

    async def start(self, viewer: Viewer, organization_id: str, mode: SyncMode = SyncMode.AUTO) -> StartedSync:
        """Start a sync, or return the running sync, which keeps its mode.

        Args:
            mode: How much to read. INCREMENTAL becomes FULL where the service has a reason to read everything.

        Raises:
            BadInput: The organization id has a wrong form.
            Forbidden: It is not the viewer's, or the viewer may not start syncs.
            RateLimited: The organization has started too many syncs within the last minute.
        """
        self._audit.require(viewer, organization_id, Action.START)
        try:
            async with self._database.writing() as connection:
                row = await begin_sync(connection, self._engine, organization_id, Priority.PERSON, mode)
                if row is not None:
                    with self._audit.noting(RateLimited, Action.START, viewer, organization_id):
                        await enforce_start_limit(
                            connection, organization_id, row.key, self._settings.starts_per_minute
                        )
                    await self._audit.note(connection, viewer, Action.START, organization_id, row.sync_id)
                elif (running := await active_sync(connection, organization_id)) is not None:
                    await self._engine.prioritize(connection, running.key)
        except IntegrityError:  # another process has started a sync meanwhile
            row = None
            async with self._database.reading() as connection:
                running = await active_sync(connection, organization_id)
        if row is None:
            if running is None:  # the running sync has ended meanwhile
                return await self.start(viewer, organization_id, mode)
            return StartedSync(snapshot_of(running), created=False)
        snapshot = snapshot_of(row)
        self._bus.publish(snapshot)
        self._engine.wake(snapshot)
        return StartedSync(snapshot, created=True)

    async def cancel(self, viewer: Viewer, sync_id: str) -> CancelledSync:
        """End a running sync, so the organization can start the next sync. A sync that has ended stays as it is.

        Raises:
            SyncNotFound: Unknown, or another organization's.
            Forbidden: The viewer may not cancel syncs.
        """
        current = await self.status(viewer, sync_id)
        self._audit.require(viewer, current.organization_id, Action.CANCEL)
        if current.is_terminal:
            return CancelledSync(current, cancelled=False)
        # The run is stopped first, as a long statement of the run may hold the write lock. A process that claims the
        # sync again waits for that lock behind this method.
        self._engine.interrupt(current)
        async with self._database.writing() as connection:
            current = await _visible_sync(connection, viewer, sync_id, self._audit)
            ended = await end_from_outside(connection, self._engine, current.key, Cancelled(current.step))
            if ended is not None:
                await self._audit.note(connection, viewer, Action.CANCEL, current.organization_id, sync_id)
            else:  # the sync ended between the two statements
                current = await _visible_sync(connection, viewer, sync_id, self._audit)
        if ended is not None:
            announce(ended, self._bus, self._engine)
            return CancelledSync(ended.snapshot, cancelled=True)
        self._engine.interrupt(current)
        self._bus.publish(current)  # a run that was stopped at its very end has not published it
        return CancelledSync(current, cancelled=False)

    async def status(self, viewer: Viewer, sync_id: str) -> SyncSnapshot:
        """The newest committed snapshot.

        Raises:
            SyncNotFound: Unknown, or another organization's.
        """
        check_sync_id(sync_id)
        async with self._database.reading() as connection:
            return await _visible_sync(connection, viewer, sync_id, self._audit)

    async def log(self, viewer: Viewer, sync_id: str, after: int | None = None, limit: int = 100) -> list[LogLine]:
        """Log lines after the number ``after``, ascending; the newest lines without it. ``limit`` is 1 to 100.

        Raises:
            SyncNotFound: Unknown, or another organization's.
            BadInput: ``limit`` or ``after`` is out of range.
        """
        check_sync_id(sync_id)
        request = LogRequest(sync_id, after, limit)
        request.check()
        lines = (await self.logs(viewer, [request]))[request]
        if isinstance(lines, SyncNotFound):  # the id may have been guessed
            raise self._audit.refused(lines, Action.READ, viewer)
        return lines

    async def logs(
        self, viewer: Viewer, requests: Collection[LogRequest]
    ) -> dict[LogRequest, list[LogLine] | SyncNotFound]:
        """The same for several syncs or parts of a log, read in a single statement. Check the requests before."""
        async with self._database.reading() as connection:
            return await read_logs(connection, viewer, requests)

    async def dashboard(self, viewer: Viewer, organization_id: str) -> Dashboard:
        """The organization's dashboard; all its values are of the same moment.

        Raises:
            BadInput: The organization id has a wrong form.
            Forbidden: It is not the viewer's.
        """
        self._audit.require(viewer, organization_id, Action.READ)
        return await self._dashboards.read(organization_id)

    async def connected_organizations(self, viewer: Viewer, limit: int) -> list[str]:
        """The first ``limit`` organizations with an enabled connection, by id; or the viewer's organization."""
        if viewer.organization_id is not None:
            return [viewer.organization_id]
        enabled = [state.value for state in ConnectionState if state is not ConnectionState.DISABLED]
        async with self._database.reading() as connection:
            return list(await organizations_by_state(connection, enabled, limit))

    async def keeps_window(self) -> bool:
        """Whether this database keeps the window of appointments of an earlier version, for any organization."""
        async with self._database.reading() as connection:
            return await keeps_window(connection, self._settings)

    async def history(
        self,
        viewer: Viewer,
        organization_id: str,
        limit: int = 10,
        after: str | None = None,
        outcomes: Collection[SyncState] = (),
    ) -> History:
        """A page of 1 to 100 syncs, newest first, behind the cursor ``after``; totals are over all syncs.

        Args:
            outcomes: Only syncs with these final states; when empty, all syncs, including running syncs.

        Raises:
            BadInput: The organization id, ``limit``, ``after`` or an outcome has a wrong form.
            Forbidden: The organization is not the viewer's.
        """
        self._audit.require(viewer, organization_id, Action.READ)
        check_limit(limit)
        if not all(outcome.is_terminal for outcome in outcomes):
            raise BadInput("“status” must be completed, failed or cancelled.")
        before = read_history_cursor(after) if after is not None else None
        async with self._database.reading() as connection:
            return await read_history(connection, organization_id, limit, before, outcomes)

    async def watch(self, viewer: Viewer, sync_id: str) -> AsyncGenerator[SyncSnapshot, None]:
        """The current snapshot, then newer ones as fast as the caller takes them; ends after the terminal snapshot.

        Raises:
            SyncNotFound: Unknown, or another organization's.
            RateLimited: Too many subscriptions to the organization are open.
        """
        first = await self.status(viewer, sync_id)
        topic, version = SyncTopic.of(first), 0
        with self.subscriptions.counted(first.organization_id), self._bus.subscribe(topic) as updates:
            # Read again, as a change since the first reading was not published to this subscription.
            snapshot = first if first.is_terminal else await self._reread(viewer, sync_id) or first
            while True:
                if topic.require(snapshot).version > version:
                    yield snapshot
                    if snapshot.is_terminal:
                        return
                    version = snapshot.version
                snapshot = await updates.wait(self._wait_seconds) or await self._reread(viewer, sync_id) or snapshot

    async def watch_log(self, viewer: Viewer, sync_id: str, after: int | None = None) -> AsyncGenerator[LogLine, None]:
        """Every log line after the number ``after``, once and in order: stored, then new lines. Ends with the sync.

        Raises:
            SyncNotFound: Unknown, or another organization's.
            BadInput: ``after`` is negative.
        """
        check_after(after)
        async with aclosing(self.follow(viewer, sync_id, after_seq=after or 0)) as items:
            async for item in items:
                if isinstance(item, LogLine):
                    yield item

    async def follow(
        self, viewer: Viewer, sync_id: str, after_version: int = 0, after_seq: int = 0
    ) -> AsyncGenerator[LogLine | SyncSnapshot, None]:
        """Log lines after ``after_seq`` and snapshots newer than ``after_version``; see ``LogFollower.with_lines``.

        Raises:
            SyncNotFound: Unknown, or another organization's.
        """
        async with (
            aclosing(self.watch(viewer, sync_id)) as snapshots,
            aclosing(self._followers.with_lines(snapshots, after_version, after_seq)) as items,
        ):
            async for item in items:
                yield item

    async def watch_dashboard(self, viewer: Viewer, organization_id: str) -> AsyncGenerator[Dashboard, None]:
        """The current dashboard, then a new dashboard after every change. Never ends by itself.

        Raises:
            BadInput: The organization id has a wrong form.
            Forbidden: It is not the viewer's.
        """
        self._audit.require(viewer, organization_id, Action.READ)
        topic = DashboardTopic(organization_id)
        with self.subscriptions.counted(organization_id), self._bus.subscribe(topic) as updates:
            shown: Dashboard | None = None
            while True:
                try:
                    dashboard = await self.dashboard(viewer, organization_id)
                except DatabaseAway:
                    if shown is None:
                        raise
                    dashboard = shown
                if dashboard != shown:
                    yield dashboard
                    shown = dashboard
                await updates.wait(self._wait_seconds)

    async def _reread(self, viewer: Viewer, sync_id: str) -> SyncSnapshot | None:
        """The newest snapshot; ``None`` while the database is away, so that no subscription ends."""
        try:
            return await self.status(viewer, sync_id)
        except DatabaseAway:
            return None

    @property
    def _wait_seconds(self) -> float:
        return self._settings.reread_seconds if self._engine.receives_updates else REREAD_SECONDS_ELSEWHERE


async def _visible_sync(connection: AsyncConnection, viewer: Viewer, sync_id: str, audit: Audit) -> SyncSnapshot:
    # For a viewer with access to a single sync, every other sync is not found.
    row = await sync_by_id(connection, sync_id, viewer.organization_id, only=viewer.sync_id)
    if row is None:  # the id may have been guessed
        raise audit.refused(SyncNotFound(), Action.READ, viewer)
    return snapshot_of(row)
