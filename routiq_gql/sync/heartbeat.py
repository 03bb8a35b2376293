"""The heartbeat of running syncs: each run of this process writes to its row at least once a second.

All due runs share a statement, because a worker with two hundred runs would otherwise spend its time on transactions
without new values. The statement still checks the epoch of every run.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager

from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.database.engine import Database
from routiq_gql.database.rows import SyncRow
from routiq_gql.database.syncs import change_running, touch_running
from routiq_gql.supervision import Supervisor
from routiq_gql.sync.run import MAX_INTERVAL_SECONDS, SyncRun

BEAT_SECONDS = 0.1


class Heartbeat:
    """The heartbeat of all runs of a process."""

    def __init__(self, database: Database, supervisor: Supervisor) -> None:
        self._database = database
        self._task = supervisor.task("signs of life", "Running syncs send no heartbeats.", MAX_INTERVAL_SECONDS)
        self._runs: set[SyncRun] = set()
        self._beating: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def keep(self, run: SyncRun) -> AsyncIterator[None]:
        """Write to the row of ``run`` at least once a second while the block runs."""
        self._runs.add(run)
        if self._beating is None or self._beating.done():
            self._beating = asyncio.create_task(self._task.repeat(self._beat), name=self._task.name)
        try:
            yield
        finally:
            self._runs.discard(run)
            if not self._runs and self._beating is not None:
                beating, self._beating = self._beating, None
                beating.cancel()
                await asyncio.wait([beating])

    async def _beat(self) -> None:
        await asyncio.sleep(BEAT_SECONDS)
        if self._due():
            await self._touch()

    def _due(self) -> list[SyncRun]:
        """Runs that will have been silent for a second at the next beat. A run that is being written is not silent."""
        silent = MAX_INTERVAL_SECONDS - BEAT_SECONDS
        return [run for run in self._runs if run.silent_seconds >= silent and not run.change_lock.locked()]

    async def _touch(self) -> None:
        async with AsyncExitStack() as locks:
            async with self._database.writing() as connection:
                due = self._due()  # determined only now, as the lock may have taken long
                for run in due:
                    await locks.enter_async_context(run.change_lock)  # free, so this does not wait
                rows = await self._write(connection, due)
            for run in due:
                if run.key in rows:
                    run.show(rows[run.key])
        self._forget(run for run in due if run.key not in rows)

    async def _write(self, connection: AsyncConnection, due: list[SyncRun]) -> dict[int, SyncRow]:
        """The new rows of these runs. A run whose estimate has passed gets another; that is rare."""
        late = {run.key: estimate for run in due if (estimate := run.forecast.changes_if_overdue(run.snapshot))}
        epochs = {run.key: run.epoch for run in due}
        on_time = {key: epoch for key, epoch in epochs.items() if key not in late}
        rows = await touch_running(connection, on_time) if on_time else {}
        for key, estimate in late.items():
            row = await change_running(connection, key, epochs[key], estimate)
            if row is not None:
                rows[key] = row
        return rows

    def _forget(self, runs: Iterable[SyncRun]) -> None:
        """Drop runs that this process has lost. Their next write, or a cancellation, ends their steps."""
        self._runs.difference_update(runs)
