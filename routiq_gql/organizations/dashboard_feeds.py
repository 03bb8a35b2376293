"""The feeds of dashboards: a feed for each organization whose dashboard is watched in this process.

While a sync runs, only ``current_sync`` changes, up to ten times a second. The feed takes it from the published
snapshot without a statement. It reads the whole dashboard when a sync starts, enters another step or ends, and when
``DashboardFeeds.reread`` finds another fingerprint.
"""

import asyncio
from collections.abc import Iterator
from contextvars import copy_context
from dataclasses import replace

from routiq_gql.database.engine import Database
from routiq_gql.database.watched import Fingerprint, fingerprints_of
from routiq_gql.errors import StorageError, frames_of
from routiq_gql.live.bus import ProgressBus
from routiq_gql.live.feeds import Feed, stopping
from routiq_gql.live.topics import DashboardTopic, SyncTopic
from routiq_gql.organizations.dashboard import Dashboard, Dashboards, Reading
from routiq_gql.rate_limited_log import RateLimitedLog
from routiq_gql.sync.forecast import NextSyncForecast
from routiq_gql.sync.model import SyncSnapshot

READS_AT_ONCE = 4
"""Dashboards that are read at the same time, so that many changes at once leave connections to others."""

_NOT_READ = RateLimitedLog("dashboard_not_read")


class DashboardFeed(Feed[Dashboard]):
    """The newest dashboard of an organization. It never ends by itself.

    Reads are numbered as they begin, and a read is taken only if its number is higher than that of the last. A change
    that is published during a read leads to another read.
    """

    def __init__(self, feeds: "DashboardFeeds", organization_id: str) -> None:
        super().__init__()
        self.topic = DashboardTopic(organization_id)
        self._fingerprint: Fingerprint = ()
        self._feeds = feeds
        self._forecast: NextSyncForecast | None = None
        self._token: int | None = None
        self._taken = 0
        self._needed = 1

    @property
    def organization_id(self) -> str:
        return self.topic.organization_id

    @property
    def is_behind(self) -> bool:
        """Whether something has changed since the read that was taken last began."""
        return self._taken < self._needed

    @property
    def current_sync(self) -> SyncSnapshot | None:
        """The running sync that the feed shows."""
        return self._value.current_sync if self._value is not None else None

    async def fresh(self) -> None:
        token = self._feeds.database.change_token()
        if self.is_behind or token is None or token != self._token:
            await self.read()

    async def read(self) -> None:
        """Read the dashboard and publish it if it differs.

        Raises:
            StorageError: The database can't be read.
        """
        self.take(await self._feeds.dashboards.read(self.organization_id))

    def require_read(self) -> None:
        """Have the dashboard read by a read that begins from now on."""
        self._needed = self._feeds.dashboards.begun + 1
        self._feeds.refresh(self)

    def take(self, reading: Reading) -> None:
        """Take a dashboard as it was read, unless a later read was taken."""
        if reading.number <= self._taken:
            return
        self._taken, self._token = reading.number, reading.token
        dashboard, read, known = reading.dashboard, reading.dashboard.current_sync, self.current_sync
        if read is not None and known is not None and _is_newer(known, read):  # published since the read began
            dashboard = replace(dashboard, current_sync=known)
        if self._value is not None and reading.fingerprint == self._fingerprint:
            dashboard = replace(dashboard, connection=self._value.connection)  # its problem equals only itself
        self._fingerprint, self._forecast = reading.fingerprint, reading.forecast
        if dashboard != self._value:
            self._publish(dashboard)
        if self.is_behind:
            self._feeds.refresh(self)

    def on_snapshot(self, snapshot: SyncSnapshot) -> None:
        if not self.lacks(snapshot.key, snapshot.version):
            return
        if snapshot.is_in_background:
            if snapshot.is_terminal:
                self.require_read()
            return
        current = self.current_sync
        if current is None or not _is_newer(snapshot, current):  # a sync that starts
            self.require_read()
            return
        if not snapshot.is_terminal:
            self._publish(replace(self.value, current_sync=snapshot))
        if snapshot.is_terminal or (snapshot.step, snapshot.mode) != (current.step, current.mode):
            self.require_read()  # a step may have changed the connection

    def lacks(self, key: int, version: int) -> bool:
        value, current = self._value, self.current_sync
        if current is not None and key <= current.key:
            return key == current.key and version > current.version
        return value is None or value.last_sync is None or key > value.last_sync.key

    def compare(self, fingerprint: Fingerprint) -> None:
        """Have the dashboard read if it has changed, or if its last read has failed."""
        if self._value is None:
            return  # its first follower reads it
        if fingerprint != self._fingerprint:
            self.require_read()
        elif self.is_behind:
            self._feeds.refresh(self)

    def note_time(self) -> None:
        """Publish the dashboard if time alone has changed the cost of the next sync."""
        if self._forecast is None or self.is_behind:
            return
        next_sync = self._forecast.now()
        if next_sync != self.value.next_sync:
            self._publish(replace(self.value, next_sync=next_sync))

    def _closed(self) -> None:
        self._feeds.drop(self)


class DashboardFeeds:
    """The feeds of all dashboards that are watched in this process.

    Attributes:
        database: The database that they read, by
        dashboards: the reader that requests use as well.
    """

    def __init__(self, database: Database, bus: ProgressBus, dashboards: Dashboards) -> None:
        self.database = database
        self.dashboards = dashboards
        self._bus = bus
        self._feeds: dict[str, DashboardFeed] = {}
        self._turn = asyncio.Semaphore(READS_AT_ONCE)
        self._reading: dict[DashboardFeed, asyncio.Task[None]] = {}
        self._is_closed = False
        self._context = copy_context()  # reads belong to the process and not to the request that publishes a change

    def __len__(self) -> int:
        return len(self._feeds)

    def __iter__(self) -> Iterator[DashboardFeed]:
        return iter(list(self._feeds.values()))

    def find(self, organization_id: str) -> DashboardFeed | None:
        """The feed of an organization whose dashboard is watched."""
        return self._feeds.get(organization_id)

    def feed_of(self, organization_id: str) -> DashboardFeed:
        """The feed of an organization, which is opened if need be. It stays open only while it has followers.

        Raises:
            DatabaseAway: The process is stopping.
        """
        if self._is_closed:
            raise stopping()
        feed = self._feeds.get(organization_id)
        if feed is None:
            feed = self._feeds[organization_id] = DashboardFeed(self, organization_id)
            self._bus.listen(feed.topic, feed)
        return feed

    def drop(self, feed: DashboardFeed) -> None:
        """Forget a feed without followers."""
        self._bus.leave(feed.topic, feed)
        if self._feeds.get(feed.organization_id) is feed:
            del self._feeds[feed.organization_id]

    def refresh(self, feed: DashboardFeed) -> None:
        """Read a dashboard in the background until the feed is no longer behind."""
        if feed not in self._reading:
            task = asyncio.get_running_loop().create_task(
                self._refresh(feed), name="dashboard feed", context=self._context.copy()
            )
            self._reading[feed] = task

    @property
    def is_behind(self) -> bool:
        """Whether a read is due that has failed or was not tried yet."""
        return any(feed.is_behind and feed not in self._reading for feed in self)

    async def reread(self) -> None:
        """Read the dashboards whose fingerprints have changed, and those whose last read has failed.

        Raises:
            StorageError: The database can't be read.
        """
        feeds = list(self)
        if not feeds:
            return
        async with self.database.reading() as connection:
            found = await fingerprints_of(connection, [feed.organization_id for feed in feeds])
        for feed in feeds:
            feed.compare(found[feed.organization_id])

    async def close(self) -> None:
        """End all feeds, and stop the reads in the background."""
        self._is_closed = True
        for feed in self:
            feed.stop()
        tasks = list(self._reading.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _refresh(self, feed: DashboardFeed) -> None:
        try:
            while feed.is_behind and self._feeds.get(feed.organization_id) is feed:
                async with self._turn:
                    await feed.read()
        except StorageError:
            return  # the next ``reread`` tries again
        except Exception as error:
            _NOT_READ.warn(error=type(error).__name__, where=frames_of(error))
        finally:
            del self._reading[feed]


def _is_newer(one: SyncSnapshot, other: SyncSnapshot) -> bool:
    """Whether both are of the same sync, and ``one`` is the newer state."""
    return SyncTopic.of(one) == SyncTopic.of(other) and one.version > other.version
