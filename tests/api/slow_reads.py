"""Slow reads and changes for tests: a statement that runs until it is interrupted, and starts that wait for events."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import text

from routiq_gql.database.engine import Database
from routiq_gql.sync.service import SyncService

ENDLESS = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n",
    "postgres": "SELECT pg_sleep(600)",
}
SLOW = "org_slow"
"""Reads of this organization's dashboard and history never end; those of others do."""


class SlowReads:
    """Counts running reads, and reads that were ended."""

    def __init__(self) -> None:
        self.running = self.ended = self.most = 0


def make_slow(monkeypatch: pytest.MonkeyPatch, database_kind: str, database: Database) -> SlowReads:
    """Make reads of ``SLOW`` run an endless statement."""
    reads, history = SlowReads(), SyncService.history

    async def slow(self: SyncService, viewer: Any, organization_id: str, *arguments: Any, **options: Any) -> Any:
        if organization_id != SLOW:
            return await history(self, viewer, organization_id, *arguments, **options)
        async with database.reading() as connection:
            reads.running += 1
            reads.most = max(reads.most, reads.running)
            try:
                return await connection.execute(text(ENDLESS[database_kind]))
            finally:
                reads.running -= 1
                reads.ended += 1

    monkeypatch.setattr(SyncService, "history", slow)
    return reads


class HeldStarts:
    """Starts of syncs that wait before they begin, and the number of completed starts."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.go_on = asyncio.Event()
        self.waiting = self.done = 0
        start = SyncService.start

        async def held(service: SyncService, *arguments: Any, **options: Any) -> Any:
            self.waiting += 1
            await self.go_on.wait()
            self.waiting -= 1
            started = await start(service, *arguments, **options)
            self.done += 1
            return started

        monkeypatch.setattr(SyncService, "start", held)
