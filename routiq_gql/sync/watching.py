"""Reading and watching a sync or a dashboard, the part of ``SyncService`` that is built on feeds.

``follow_…`` attaches a follower, which is called; ``watch…`` and ``follow`` are generators for a task. Only generators
count as subscriptions: a follower may stand for many subscribers, whose owner counts them.
"""

from collections.abc import AsyncGenerator, Collection
from contextlib import aclosing, closing, suppress
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.database.engine import Database
from routiq_gql.database.organization_pages import organizations_among
from routiq_gql.database.syncs import sync_by_id, syncs_where
from routiq_gql.database.tables import SYNC
from routiq_gql.errors import SyncNotFound
from routiq_gql.live.feeds import Follower, Following
from routiq_gql.live.following import LogFollower
from routiq_gql.live.newest import Newest
from routiq_gql.live.subscriptions import Subscriptions
from routiq_gql.organizations.dashboard import Dashboard
from routiq_gql.organizations.feeds import Feeds
from routiq_gql.security.audit import Action, Audit
from routiq_gql.security.viewer import Viewer, check_sync_id
from routiq_gql.sync.log_requests import check_after
from routiq_gql.sync.mapping import snapshot_of
from routiq_gql.sync.model import LogLine, SyncSnapshot


@dataclass(frozen=True, slots=True)
class FollowedLog:
    """The log of a sync, for one reader.

    Attributes:
        following: The place in the sync's feed; close it.
        lines: Stored lines, then new lines; they end with the sync.
    """

    following: Following[SyncSnapshot]
    lines: AsyncGenerator[LogLine, None]


class Watching:
    """Reads and watches syncs and dashboards.

    Attributes:
        feeds: The feeds of this process.
        subscriptions: Open subscriptions of this process.
    """

    def __init__(self, database: Database, audit: Audit, feeds: Feeds, subscriptions: Subscriptions) -> None:
        self._database = database
        self._audit = audit
        self._followers = LogFollower(database)
        self.feeds = feeds
        self.subscriptions = subscriptions

    async def status(self, viewer: Viewer, sync_id: str) -> SyncSnapshot:
        """The newest committed snapshot.

        Raises:
            SyncNotFound: Unknown, or another organization's.
        """
        check_sync_id(sync_id)
        async with self._database.reading() as connection:
            return await self._visible_sync(connection, viewer, sync_id)

    async def statuses(self, viewer: Viewer, sync_ids: Collection[str]) -> dict[str, SyncSnapshot]:
        """The same for several syncs in a single statement; unknown ones and those of others are left out."""
        async with self._database.reading() as connection:
            rows = await syncs_where(connection, SYNC.c.sync_id.in_(sorted(sync_ids)))
        return {row.sync_id: snapshot_of(row) for row in rows if viewer.sees_sync(row.organization_id, row.sync_id)}

    async def known_organizations(self, viewer: Viewer, organization_ids: Collection[str]) -> list[str]:
        """Those of these organizations that have a connection or a sync, and are the viewer's; in one statement."""
        async with self._database.reading() as connection:
            known = await organizations_among(connection, organization_ids)
        return [one for one in organization_ids if one in known and viewer.organization_id in {None, one}]

    async def dashboard(self, viewer: Viewer, organization_id: str) -> Dashboard:
        """The organization's dashboard; all its values are of the same moment.

        Raises:
            BadInput: The organization id has a wrong form.
            Forbidden: It is not the viewer's.
        """
        self._audit.require(viewer, organization_id, Action.READ)
        feed = self.feeds.dashboards.find(organization_id)
        if feed is None:
            return (await self.feeds.dashboards.dashboards.read(organization_id)).dashboard
        await feed.fresh()
        return feed.value

    async def follow_progress(
        self, viewer: Viewer, sync_id: str, follower: Follower[SyncSnapshot]
    ) -> Following[SyncSnapshot]:
        """Attach ``follower`` to a sync. The value is at least as new as the database at this call.

        Not called for that value. If it is terminal, the following is closed already. This does not count as a
        subscription; see ``subscriptions``.

        Raises:
            SyncNotFound: Unknown, or another organization's.
        """
        check_sync_id(sync_id)
        feed = self.feeds.syncs.find(sync_id)
        if feed is not None and viewer.sees_sync(feed.value.organization_id, sync_id):
            with suppress(SyncNotFound):  # erased; the id may belong to another sync by now
                return await feed.follow(follower)
        token = self._database.change_token()
        snapshot = await self.status(viewer, sync_id)
        return await self.feeds.syncs.feed_of(snapshot, token).follow(follower)

    async def follow_dashboard(
        self, viewer: Viewer, organization_id: str, follower: Follower[Dashboard]
    ) -> Following[Dashboard]:
        """Attach ``follower`` to a dashboard, as ``follow_progress`` to a sync. It never ends by itself.

        Raises:
            BadInput: The organization id has a wrong form.
            Forbidden: It is not the viewer's.
        """
        self._audit.require(viewer, organization_id, Action.READ)
        return await self.feeds.dashboards.feed_of(organization_id).follow(follower)

    async def follow_log(self, viewer: Viewer, sync_id: str, after: int | None = None) -> FollowedLog:
        """Every log line after the number ``after``, as ``watch_log``. This does not count as a subscription.

        Raises:
            SyncNotFound: Unknown, or another organization's.
            BadInput: ``after`` is negative.
        """
        check_after(after)
        newest = Newest[SyncSnapshot]()
        following = await self.follow_progress(viewer, sync_id, newest)
        items = self._followers.with_lines(_snapshots(following, newest), 0, after or 0)
        return FollowedLog(following, _only_lines(items))

    async def watch(self, viewer: Viewer, sync_id: str) -> AsyncGenerator[SyncSnapshot, None]:
        """The current snapshot, then newer ones as fast as the caller takes them; ends after the terminal snapshot.

        Raises:
            SyncNotFound: Unknown, or another organization's.
            RateLimited: Too many subscriptions to the organization are open.
        """
        newest = Newest[SyncSnapshot]()
        with (
            closing(await self.follow_progress(viewer, sync_id, newest)) as following,
            self.subscriptions.counted(following.value.organization_id),
        ):
            async with aclosing(_snapshots(following, newest)) as snapshots:
                async for snapshot in snapshots:
                    yield snapshot

    async def watch_log(self, viewer: Viewer, sync_id: str, after: int | None = None) -> AsyncGenerator[LogLine, None]:
        """Every log line after the number ``after``, once and in order: stored, then new lines. Ends with the sync.

        Raises:
            SyncNotFound: Unknown, or another organization's.
            BadInput: ``after`` is negative.
        """
        check_after(after)
        async with aclosing(_only_lines(self.follow(viewer, sync_id, after_seq=after or 0))) as lines:
            async for line in lines:
                yield line

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
            RateLimited: Too many subscriptions to the organization are open.
        """
        self._audit.require(viewer, organization_id, Action.READ)
        newest = Newest[Dashboard]()
        with (
            self.subscriptions.counted(organization_id),
            closing(await self.follow_dashboard(viewer, organization_id, newest)) as following,
        ):
            yield following.value
            async with aclosing(newest.values()) as dashboards:
                async for dashboard in dashboards:
                    yield dashboard

    async def _visible_sync(self, connection: AsyncConnection, viewer: Viewer, sync_id: str) -> SyncSnapshot:
        # For a viewer with access to a single sync, every other sync is not found.
        row = await sync_by_id(connection, sync_id, viewer.organization_id, only=viewer.sync_id)
        if row is None:  # the id may have been guessed
            raise self._audit.refused(SyncNotFound(), Action.READ, viewer)
        return snapshot_of(row)


async def _snapshots(
    following: Following[SyncSnapshot], newest: Newest[SyncSnapshot]
) -> AsyncGenerator[SyncSnapshot, None]:
    first = following.value
    yield first
    if first.is_terminal:
        return
    async with aclosing(newest.values()) as snapshots:
        async for snapshot in snapshots:
            yield snapshot


async def _only_lines(items: AsyncGenerator[LogLine | SyncSnapshot, None]) -> AsyncGenerator[LogLine, None]:
    async with aclosing(items):
        async for item in items:
            if isinstance(item, LogLine):
                yield item
