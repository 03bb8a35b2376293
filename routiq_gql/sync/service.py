"""The service for syncs: start, cancel, read and watch. GraphQL, REST and the command line call the same methods.

Every method takes the viewer first. A sync that a viewer may not reach is not found; an organization that a viewer may
not reach is refused.
"""

from collections.abc import Collection
from typing import TYPE_CHECKING

from sqlalchemy.exc import IntegrityError

from routiq_gql.connections.state import ConnectionState
from routiq_gql.database.connections import connection_of, organizations_by_state
from routiq_gql.database.engine import Database
from routiq_gql.database.syncs import active_sync
from routiq_gql.errors import BadInput, RateLimited, SyncNotFound
from routiq_gql.live.bus import ProgressBus
from routiq_gql.live.subscriptions import Subscriptions
from routiq_gql.organizations.cursors import read_history_cursor
from routiq_gql.organizations.feeds import Feeds
from routiq_gql.organizations.history import History, read_history
from routiq_gql.organizations.history_pages import HistoryPage, read_history_page
from routiq_gql.organizations.stored_history import keeps_window
from routiq_gql.organizations.summaries import ListRequest, OrganizationList, read_organization_list
from routiq_gql.paging import PageArguments
from routiq_gql.security.audit import Action, Audit
from routiq_gql.security.viewer import Viewer, check_sync_id
from routiq_gql.settings import Settings
from routiq_gql.sync.endings import Cancelled, announce, end_from_outside, end_refresh
from routiq_gql.sync.engine import Priority, SyncEngine, begin_sync
from routiq_gql.sync.log_pages import LogPage, LogPageRequest, read_log_pages
from routiq_gql.sync.log_requests import LogRequest, check_limit, read_logs
from routiq_gql.sync.mapping import snapshot_of
from routiq_gql.sync.model import LogLine, SyncMode, SyncState
from routiq_gql.sync.outcomes import CancelledSync, StartedSync
from routiq_gql.sync.problems import start_problem
from routiq_gql.sync.start_limit import enforce_start_limit
from routiq_gql.sync.watching import Watching
from routiq_gql.sync.whole_log import WholeLog, read_parts

if TYPE_CHECKING:
    from routiq_gql.tracing.spans import Tracing


class SyncService(Watching):
    """Starts, ends, reads and watches syncs; see ``Watching`` for ``status``, ``dashboard``, and following them."""

    def __init__(
        self,
        database: Database,
        bus: ProgressBus,
        engine: SyncEngine,
        audit: Audit,
        settings: Settings,
        feeds: Feeds,
        tracing: "Tracing | None" = None,
    ) -> None:
        super().__init__(database, audit, feeds, Subscriptions(settings.max_subscriptions))
        self._bus = bus
        self._engine = engine
        self._settings = settings
        self._tracing = tracing

    async def start(self, viewer: Viewer, organization_id: str, mode: SyncMode = SyncMode.AUTO) -> StartedSync:
        """Start a sync, or return the running sync, which keeps its mode.

        A running sync that a look at Cliniko has started is ended first, so that the new one need not wait.

        Args:
            mode: How much to read. INCREMENTAL becomes FULL where the service has a reason to read everything.

        Raises:
            BadInput: The organization id has a wrong form.
            Forbidden: It is not the viewer's, or the viewer may not start syncs.
            RateLimited: The organization has started too many syncs within the last minute.
        """
        self._audit.require(viewer, organization_id, Action.START)
        if mode is SyncMode.TIME_ONLY:
            raise BadInput("“mode” must be AUTO, FULL or INCREMENTAL. The server makes time-only syncs by itself.")
        origin = self._tracing.origin() if self._tracing is not None else None
        ended = None
        try:
            async with self._database.writing() as connection:
                access = await connection_of(connection, organization_id)
                ended = await end_refresh(connection, self._engine, organization_id, viewer.actor)
                row = await begin_sync(
                    connection, self._engine, organization_id, Priority.PERSON, viewer.actor, mode, origin
                )
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
                access = await connection_of(connection, organization_id)
                running = await active_sync(connection, organization_id)
        if row is None:
            if running is None:  # the running sync has ended meanwhile
                return await self.start(viewer, organization_id, mode)
            snapshot = snapshot_of(running)
            return StartedSync(snapshot, created=False, problem=start_problem(access, snapshot, mode))
        snapshot = snapshot_of(row)
        if ended is not None:
            announce(ended, self._bus, self._engine)
        self._bus.publish(snapshot)
        self._engine.wake(snapshot)
        return StartedSync(snapshot, created=True, problem=start_problem(access, snapshot, mode))

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
            current = await self._visible_sync(connection, viewer, sync_id)
            ended = await end_from_outside(connection, self._engine, current.key, Cancelled(current.step, viewer.actor))
            if ended is not None:
                await self._audit.note(connection, viewer, Action.CANCEL, current.organization_id, sync_id)
            else:  # the sync ended between the two statements
                current = await self._visible_sync(connection, viewer, sync_id)
        if ended is not None:
            announce(ended, self._bus, self._engine)
            return CancelledSync(ended.snapshot, cancelled=True)
        self._engine.interrupt(current)
        self._bus.publish(current)  # a run that was stopped at its very end has not published it
        return CancelledSync(current, cancelled=False)

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

    async def log_pages(
        self, viewer: Viewer, requests: Collection[LogPageRequest]
    ) -> dict[LogPageRequest, LogPage | SyncNotFound]:
        """Pages of the logs of several syncs, read in a single statement."""
        async with self._database.reading() as connection:
            return await read_log_pages(connection, viewer, requests)

    async def whole_log(self, viewer: Viewer, sync_id: str, after: int = 0) -> WholeLog:
        """All log lines after the number ``after`` that exist now, to be read in parts.

        Raises:
            SyncNotFound: Unknown, or another organization's.
        """
        sync = await self.status(viewer, sync_id)
        return WholeLog(sync, read_parts(self._database, sync, after))

    async def connected_organizations(self, viewer: Viewer, limit: int) -> list[str]:
        """The first ``limit`` organizations with an enabled connection, by id; or the viewer's organization."""
        if viewer.organization_id is not None:
            return [viewer.organization_id]
        enabled = [state.value for state in ConnectionState if state is not ConnectionState.DISABLED]
        async with self._database.reading() as connection:
            return list(await organizations_by_state(connection, enabled, limit))

    async def organizations(
        self, viewer: Viewer, limit: int = 50, after: str | None = None, search: str | None = None
    ) -> OrganizationList:
        """A page of 1 to 100 organizations that the viewer may see, by name, behind the cursor ``after``.

        Args:
            search: Only organizations whose name or id contains this text, whatever the case.

        Raises:
            BadInput: ``limit``, ``after`` or ``search`` has a wrong form.
            Forbidden: The viewer's token is for a single sync.
        """
        if viewer.organization_id is not None:
            self._audit.require(viewer, viewer.organization_id, Action.READ)
        check_limit(limit)
        request = ListRequest(limit, after, search, only=viewer.organization_id)
        async with self._database.reading() as connection:
            return await read_organization_list(connection, request, self._settings)

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
        _check_outcomes(outcomes)
        before = read_history_cursor(after) if after is not None else None
        async with self._database.reading() as connection:
            return await read_history(connection, organization_id, limit, before, outcomes)

    async def history_page(
        self,
        viewer: Viewer,
        organization_id: str,
        page: PageArguments,
        outcomes: Collection[SyncState] = (),
        *,
        counts: bool = True,
        live_updates: bool = False,
    ) -> HistoryPage:
        """A page of 1 to 100 syncs (50) by cursors, newest first.

        Args:
            outcomes: Only syncs with these final states; when empty, all syncs, including running syncs.
            counts: Whether the syncs of all pages are counted.
            live_updates: Whether the syncs of looks between them are counted.

        Raises:
            BadInput: An argument has a wrong form or is out of range.
            Forbidden: The organization is not the viewer's.
        """
        self._audit.require(viewer, organization_id, Action.READ)
        _check_outcomes(outcomes)
        async with self._database.reading() as connection:
            return await read_history_page(
                connection, organization_id, page, outcomes, counts=counts, live_updates=live_updates
            )


def _check_outcomes(outcomes: Collection[SyncState]) -> None:
    if not all(outcome.is_terminal for outcome in outcomes):
        raise BadInput("“status” must be completed, failed or cancelled.")
