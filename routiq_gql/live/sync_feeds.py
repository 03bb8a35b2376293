"""The feeds of syncs: a feed for each sync that is followed in this process.

A feed gets snapshots from the bus. ``SyncFeeds.reread`` is the safety net: it compares the versions of all followed
syncs with the database in a single statement, and reads only the rows that are newer.
"""

from collections.abc import Collection, Iterator

from routiq_gql.database.columns import among
from routiq_gql.database.engine import Database
from routiq_gql.database.rows import SyncRow
from routiq_gql.database.syncs import syncs_where
from routiq_gql.database.tables import SYNC
from routiq_gql.database.watched import versions_of
from routiq_gql.errors import SyncNotFound
from routiq_gql.live.bus import ProgressBus
from routiq_gql.live.feeds import Feed, stopping
from routiq_gql.live.joined_read import JoinedRead
from routiq_gql.live.topics import SyncTopic
from routiq_gql.sync.mapping import snapshot_of
from routiq_gql.sync.model import SyncSnapshot


class SyncFeed(Feed[SyncSnapshot]):
    """The newest snapshot of a sync. It ends after the terminal snapshot, or when the sync is erased.

    Versions order the snapshots, so neither a late notification nor a slow read brings an older state back.
    """

    def __init__(self, feeds: "SyncFeeds", database: Database, snapshot: SyncSnapshot, token: int | None) -> None:
        super().__init__()
        self.topic = SyncTopic.of(snapshot)
        self._feeds = feeds
        self._database = database
        self._token = token
        self._value = snapshot
        self.has_ended = snapshot.is_terminal
        self._joined = JoinedRead(self._read, "sync feed")

    async def fresh(self) -> None:
        token = self._database.change_token()
        if not self.has_ended and (token is None or token != self._token):
            await self._joined()
        if self._error is not None:
            raise self._error

    def on_snapshot(self, snapshot: SyncSnapshot) -> None:
        if snapshot.version <= self.value.version:
            return
        self._publish(snapshot)
        if snapshot.is_terminal:
            self._end(None)

    def lacks(self, key: int, version: int) -> bool:
        return version > self.value.version

    def note_erased(self) -> None:
        """End, since the row is gone or belongs to another sync."""
        self._end(SyncNotFound())

    async def _read(self) -> None:
        token = self._database.change_token()
        async with self._database.reading() as connection:
            rows = await syncs_where(connection, SYNC.c.key == self.topic.key)
        self.take(rows[0] if rows else None)
        self._token = token

    def take(self, row: SyncRow | None) -> None:
        """Take the row with the sync's number as it was read; ``None`` if there is none."""
        snapshot = snapshot_of(row) if row is not None else None
        if snapshot is None or SyncTopic.of(snapshot) != self.topic:
            self.note_erased()
        else:
            self.on_snapshot(snapshot)

    def _closed(self) -> None:
        self._feeds.drop(self)


class SyncFeeds:
    """The feeds of all syncs that are followed in this process."""

    def __init__(self, database: Database, bus: ProgressBus) -> None:
        self._database = database
        self._bus = bus
        self._feeds: dict[SyncTopic, SyncFeed] = {}
        self._by_id: dict[str, SyncFeed] = {}
        self._is_closed = False

    def __len__(self) -> int:
        return len(self._feeds)

    def __iter__(self) -> Iterator[SyncFeed]:
        return iter(list(self._feeds.values()))

    def find(self, sync_id: str) -> SyncFeed | None:
        """The feed of a sync that is followed. The caller checks whether the viewer may see the sync."""
        return self._by_id.get(sync_id)

    def feed_of(self, snapshot: SyncSnapshot, token: int | None) -> SyncFeed:
        """The feed of a sync, which is opened if need be. It stays open only while it has followers.

        Args:
            snapshot: The sync as it was read; a terminal snapshot gets a feed that has ended.
            token: The change token from before that read.

        Raises:
            DatabaseAway: The process is stopping.
        """
        if self._is_closed:
            raise stopping()
        topic = SyncTopic.of(snapshot)
        feed = self._feeds.get(topic)
        if feed is None:
            feed = SyncFeed(self, self._database, snapshot, token)
            if not feed.has_ended:
                self._feeds[topic] = self._by_id[snapshot.sync_id] = feed
                self._bus.listen(topic, feed)
        return feed

    def drop(self, feed: SyncFeed) -> None:
        """Forget a feed that has ended or has no followers."""
        self._bus.leave(feed.topic, feed)
        if self._feeds.get(feed.topic) is feed:
            del self._feeds[feed.topic]
        if self._by_id.get(feed.topic.sync_id) is feed:
            del self._by_id[feed.topic.sync_id]

    def close(self) -> None:
        """End all feeds."""
        self._is_closed = True
        for feed in self:
            feed.stop()

    async def reread(self, also: Collection[SyncSnapshot] = ()) -> None:
        """Deliver every newer state of the followed syncs, and end the feeds of erased syncs.

        Args:
            also: Snapshots of other syncs whose newer states are delivered too.

        Raises:
            StorageError: The database can't be read.
        """
        feeds = {feed.topic.key: feed for feed in self}
        known = {one.key: one.version for one in also} | {key: feed.value.version for key, feed in feeds.items()}
        if not known:
            return
        async with self._database.reading() as connection:
            found = await versions_of(connection, known)
            newer = [key for key, (_, version) in found.items() if version > known[key]]
            rows = await syncs_where(connection, among(SYNC.c.key, newer)) if newer else []
        for key, feed in feeds.items():
            if key not in found or found[key][0] != feed.topic.sync_id:
                feed.note_erased()
        for row in rows:
            self._bus.deliver(snapshot_of(row))
