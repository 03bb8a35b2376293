"""Merges the log lines of a sync with its snapshots, for streams that show both.

Used by ``SyncService.follow`` and ``watch_log``. Lines are read from the database after a cursor, never queued: a slow
follower reads more lines at once.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator

from routiq_gql.database.engine import Database
from routiq_gql.database.sync_log import log_after
from routiq_gql.errors import DatabaseAway
from routiq_gql.shares import FOLLOW_CONNECTIONS, Shares
from routiq_gql.sync.mapping import log_line_of
from routiq_gql.sync.model import LogLine, SyncSnapshot

LOG_BATCH = 500
"""Lines per read."""
RETRY_SECONDS = 0.5
"""Pause before another read of an unreachable database."""


class LogFollower:
    """Reads lines for all followers in this process, with a share of the database connections per organization."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._shares = Shares(FOLLOW_CONNECTIONS)

    async def with_lines(
        self, snapshots: AsyncIterator[SyncSnapshot], after_version: int, after_seq: int
    ) -> AsyncGenerator[LogLine | SyncSnapshot, None]:
        """Lines after ``after_seq`` and snapshots newer than ``after_version``, in the order of their commits.

        Lines come before the snapshot of the same commit. The terminal snapshot comes last, even if its version is not
        above ``after_version``.
        """
        version, seq = after_version, after_seq
        async for snapshot in snapshots:
            while seq < snapshot.last_log_seq:
                try:
                    lines = await self._lines(snapshot, seq)
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

    async def _lines(self, snapshot: SyncSnapshot, seq: int) -> list[LogLine]:
        limit = min(LOG_BATCH, snapshot.last_log_seq - seq)
        async with self._database.reading(self._shares.of(snapshot.organization_id)) as connection:
            rows = await log_after(connection, snapshot.key, seq, limit, snapshot.sync_id)
        return [log_line_of(snapshot.sync_id, row) for row in rows]
