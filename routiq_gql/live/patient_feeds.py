"""The feeds of published patients: for each organization that is watched, the number of the sync that readers see.

The value is a number and no list: followers that want the changes read them once for all; see ``patients.watching``.
A snapshot of a completed sync names the number, so a publication costs no statement. ``PatientFeeds.reread`` is the
safety net, one statement for all organizations.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from routiq_gql.database.engine import Database
from routiq_gql.database.watched import published_syncs
from routiq_gql.live.bus import ProgressBus
from routiq_gql.live.feeds import Feed, stopping
from routiq_gql.live.joined_read import JoinedRead
from routiq_gql.live.topics import PatientsTopic
from routiq_gql.sync.model import SyncSnapshot, SyncState


@dataclass(frozen=True, slots=True)
class PublishedPatients:
    """The patients that readers of an organization see: those of the sync with this number, 0 before the first."""

    organization_id: str
    sync: int


class PatientFeed(Feed[PublishedPatients]):
    """The newest published patients of an organization. It never ends by itself, and the number never falls."""

    def __init__(self, feeds: "PatientFeeds", organization_id: str) -> None:
        super().__init__()
        self.topic = PatientsTopic(organization_id)
        self._feeds = feeds
        self._token: int | None = None
        self._joined = JoinedRead(self._read, "patient feed")

    async def fresh(self) -> None:
        token = self._feeds.database.change_token()
        if self._value is None or token is None or token != self._token:
            await self._joined()

    def on_snapshot(self, snapshot: SyncSnapshot) -> None:
        if snapshot.status is SyncState.COMPLETED and self._value is not None:
            self.take(snapshot.key)

    def lacks(self, key: int, version: int) -> bool:
        return self._value is not None and key > self._value.sync

    def take(self, sync: int) -> None:
        """Take the number of the published sync as it was read."""
        if self._value is None or sync > self._value.sync:
            self._publish(PublishedPatients(self.topic.organization_id, sync))

    async def _read(self) -> None:
        token = self._feeds.database.change_token()
        async with self._feeds.database.reading() as connection:
            found = await published_syncs(connection, [self.topic.organization_id])
        self.take(found.get(self.topic.organization_id, 0))
        self._token = token

    def _closed(self) -> None:
        self._feeds.drop(self)


class PatientFeeds:
    """The feeds of all organizations whose patients are watched in this process."""

    def __init__(self, database: Database, bus: ProgressBus) -> None:
        self.database = database
        self._bus = bus
        self._feeds: dict[str, PatientFeed] = {}
        self._is_closed = False

    def __len__(self) -> int:
        return len(self._feeds)

    def __iter__(self) -> Iterator[PatientFeed]:
        return iter(list(self._feeds.values()))

    def feed_of(self, organization_id: str) -> PatientFeed:
        """The feed of an organization, which is opened if need be. It stays open only while it has followers.

        Raises:
            DatabaseAway: The process is stopping.
        """
        if self._is_closed:
            raise stopping()
        feed = self._feeds.get(organization_id)
        if feed is None:
            feed = self._feeds[organization_id] = PatientFeed(self, organization_id)
            self._bus.listen(feed.topic, feed)
        return feed

    def drop(self, feed: PatientFeed) -> None:
        """Forget a feed without followers."""
        self._bus.leave(feed.topic, feed)
        if self._feeds.get(feed.topic.organization_id) is feed:
            del self._feeds[feed.topic.organization_id]

    async def reread(self) -> None:
        """Deliver every publication that no notification has brought.

        Raises:
            StorageError: The database can't be read.
        """
        feeds = list(self)
        if not feeds:
            return
        async with self.database.reading() as connection:
            found = await published_syncs(connection, [feed.topic.organization_id for feed in feeds])
        for feed in feeds:
            feed.take(found.get(feed.topic.organization_id, 0))

    def close(self) -> None:
        """End all feeds."""
        self._is_closed = True
        for feed in self:
            feed.stop()
