"""The newest log lines of a sync, read once for all its followers in this process.

Followers at the end of the log share each read. A follower further back reads earlier lines by itself, in batches,
until it reaches the lines in memory. Lines are kept by number, never queued per follower.
"""

from collections.abc import Awaitable, Callable

from routiq_gql.live.joined_read import JoinedRead
from routiq_gql.live.topics import SyncTopic
from routiq_gql.sync.model import LogLine

KEPT_LINES = 200
"""Lines in memory per followed sync; a sync writes some dozens."""
LOG_BATCH = 500
"""Lines per read."""

ReadLines = Callable[[int, int], Awaitable[list[LogLine]]]
"""Reads at most so many lines after a number, ascending: ``(after, limit)``."""


class LogFeed:
    """The lines of a log with the numbers from ``start + 1`` to ``end``.

    Args:
        topic: The sync.
        start: The number after which lines are kept in memory.
        read: Reads lines of this log from the database.

    Attributes:
        follower_count: How many followers use it.
    """

    def __init__(self, topic: SyncTopic, start: int, read: ReadLines) -> None:
        self.topic = topic
        self._lines: list[LogLine] = []
        self._start = start
        self._read = read
        self._joined = JoinedRead(self._read_newest, "log feed")
        self._newest_wanted = start
        self.follower_count = 0

    @property
    def _end(self) -> int:
        return self._lines[-1].seq if self._lines else self._start

    async def lines(self, after: int, newest: int) -> list[LogLine]:
        """The next lines after the number ``after``, up to ``newest``, which is committed and greater.

        Fewer lines than there are may be returned: call again. None is returned only if they are gone.

        Raises:
            StorageError: The database can't be read.
        """
        while self._end <= after:
            end, self._newest_wanted = self._end, max(self._newest_wanted, newest)
            await self._joined()
            if self._end == end:
                return []
        if after < self._start:
            return await self._read(after, min(LOG_BATCH, newest - after))
        return [line for line in self._lines if after < line.seq <= newest]

    async def _read_newest(self) -> None:
        if self._end >= self._newest_wanted:
            return  # the read before has found them
        end = self._end
        lines = await self._read(end, LOG_BATCH)
        if self._end == end:  # no other read was faster
            self._lines += lines
            if len(self._lines) > KEPT_LINES:
                self._start = self._lines[-KEPT_LINES].seq - 1
                self._lines = self._lines[-KEPT_LINES:]
