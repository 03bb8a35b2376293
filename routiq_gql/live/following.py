"""Merges the log lines of a sync with its snapshots, for streams that show both.

Used by ``SyncService.follow`` and ``watch_log``. Lines are taken from a ``LogFeed`` after a cursor, never queued: a
slow follower takes more lines at once.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from functools import partial

from routiq_gql.database.engine import Database
from routiq_gql.database.sync_log import log_after
from routiq_gql.errors import DatabaseAway
from routiq_gql.live.log_feed import KEPT_LINES, LogFeed
from routiq_gql.live.topics import SyncTopic
from routiq_gql.shares import FOLLOW_CONNECTIONS, Shares
from routiq_gql.sync.mapping import log_line_of
from routiq_gql.sync.model import LogLine, SyncSnapshot

RETRY_SECONDS = 0.5
"""Pause before another read of an unreachable database."""


class LogFollower:
    """Reads lines for all followers in this process, with a share of the database connections per organization."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._shares = Shares(FOLLOW_CONNECTIONS)
        self._feeds: dict[SyncTopic, LogFeed] = {}

    def __len__(self) -> int:
        """How many logs are followed."""
        return len(self._feeds)

    async def with_lines(
        self, snapshots: AsyncIterator[SyncSnapshot], after_version: int, after_seq: int
    ) -> AsyncGenerator[LogLine | SyncSnapshot, None]:
        """Lines after ``after_seq`` and snapshots newer than ``after_version``, in the order of their commits.

        Lines come before the snapshot of the same commit. The terminal snapshot comes last, even if its version is not
        above ``after_version``.

        Args:
            snapshots: The snapshots of a sync.
        """
        version, seq = after_version, after_seq
        feed: LogFeed | None = None
        try:
            async for snapshot in snapshots:
                feed = feed or self._opened(snapshot, seq)
                while seq < snapshot.last_log_seq:
                    try:
                        lines = await feed.lines(seq, snapshot.last_log_seq)
                    except DatabaseAway:
                        await asyncio.sleep(RETRY_SECONDS)
                        continue
                    for line in lines:
                        yield line
                        seq = line.seq
                    if not lines:  # pruned meanwhile
                        break
                if snapshot.version > version or snapshot.is_terminal:
                    yield snapshot
                    version = snapshot.version
        finally:
            if feed is not None:
                self._leave(feed)

    def _opened(self, snapshot: SyncSnapshot, seq: int) -> LogFeed:
        """The feed of the sync's log, for another follower who has the lines up to ``seq``."""
        topic, last = SyncTopic.of(snapshot), snapshot.last_log_seq
        feed = self._feeds.get(topic)
        if feed is None:
            start = max(min(seq, last), last - KEPT_LINES)
            feed = self._feeds[topic] = LogFeed(topic, start, partial(self._read, topic))
        feed.follower_count += 1
        return feed

    def _leave(self, feed: LogFeed) -> None:
        feed.follower_count -= 1
        if not feed.follower_count:
            del self._feeds[feed.topic]

    async def _read(self, topic: SyncTopic, after: int, limit: int) -> list[LogLine]:
        async with self._database.reading(self._shares.of(topic.organization_id)) as connection:
            rows = await log_after(connection, topic.key, after, limit, topic.sync_id)
        return [log_line_of(topic.sync_id, row) for row in rows]
