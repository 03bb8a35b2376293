"""Runs syncs in the one process that holds the lock file of the SQLite database.

Every active row that the holder finds and doesn't run is taken up and goes on from its checkpoint: one left by a
killed process as well as one that another process has just inserted. Being told is for speed; a look at the table
each second is for truth.
"""

import asyncio
import time
from datetime import timedelta
from pathlib import Path

import structlog
from filelock import FileLock, Timeout
from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.database.engine import Database
from routiq_gql.database.syncs import active_keys
from routiq_gql.errors import StorageError
from routiq_gql.sync.engine import RETRY_INTERVAL_SECONDS, Priority, QueueState
from routiq_gql.sync.housekeeping import Housekeeping
from routiq_gql.sync.progress import SyncSnapshot
from routiq_gql.sync.run import SyncRun
from routiq_gql.sync.runner import Outcome, SyncRunner
from routiq_gql.sync.scheduler import Scheduler

LOOK_INTERVAL_SECONDS = 1.0

log = structlog.get_logger(__name__)


class EmbeddedEngine:
    """Runs syncs in this process while it holds the lock file."""

    def __init__(
        self,
        database: Database,
        runner: SyncRunner,
        housekeeping: Housekeeping,
        scheduler: Scheduler,
        lock_path: Path,
    ) -> None:
        self._database = database
        self._runner = runner
        self._housekeeping = housekeeping
        self._scheduler = scheduler
        self._lock = FileLock(lock_path, mode=0o600, thread_local=False)
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._rest_until: dict[int, float] = {}
        self._ended_elsewhere: set[int] = set()
        self._idle_until = 0.0
        self._wake = asyncio.Event()
        self._closing = False

    @property
    def hears_news(self) -> bool:
        return self._lock.is_locked

    @property
    def runs_here(self) -> bool:
        return self._lock.is_locked

    @property
    def running(self) -> int:
        return len(self._tasks)

    async def enqueue(self, connection: AsyncConnection, key: int, priority: Priority) -> None:
        """The row is enough: the holder looks for those that it doesn't run."""

    async def withdraw(self, connection: AsyncConnection, key: int) -> None:
        """The row is enough, as above."""

    async def hurry(self, connection: AsyncConnection, key: int) -> None:
        """Every active sync is run at once."""

    async def queue_state(self) -> QueueState:
        return QueueState(waiting=0, oldest_seconds=0, workers=int(self.runs_here))

    def try_lock(self) -> bool:
        """Become the process that runs syncs, unless another one is."""
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            return False
        return True

    def start(self, snapshot: SyncSnapshot) -> None:
        self._wake.set()

    def stop(self, snapshot: SyncSnapshot) -> None:
        task = self._tasks.get(snapshot.key)
        if task is not None:
            task.cancel()

    def rest(self, time_off: timedelta) -> None:
        """Put every running sync down and take none up for so long, as if the process had been killed and restarted.

        They stay active in the database and go on from their checkpoints. A demo shows with it what that looks like.
        """
        self._idle_until = time.monotonic() + time_off.total_seconds()
        for task in self._tasks.values():
            task.cancel()

    async def run_worker(self) -> None:
        while not self._closing:
            if not self._lock.is_locked and not self.try_lock():
                await self._pause(LOOK_INTERVAL_SECONDS)
                continue
            try:
                await self._scheduler.step(self)
                await self._look()
                has_more = await self._housekeeping.step()
            except StorageError as error:
                log.error("database_unusable", reason=error.message)
                await self._pause(RETRY_INTERVAL_SECONDS)
                continue
            if not has_more:
                await self._pause(LOOK_INTERVAL_SECONDS)

    async def close(self, grace: timedelta) -> None:
        self._closing = True
        self._wake.set()
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        if tasks:
            _, stuck = await asyncio.wait(tasks, timeout=grace.total_seconds())
            if stuck:
                log.warning("syncs_left_behind", count=len(stuck), reason="they did not stop within the grace period")
        self._lock.release()

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            return
        self._wake.clear()

    async def _look(self) -> None:
        """Take up every active sync that doesn't run here, and stop those that have ended."""
        async with self._database.reading() as connection:
            active = await active_keys(connection)
        ended = set(self._tasks) - set(active)
        for key in ended & self._ended_elsewhere:  # seen twice: its own run would have finished by now
            self._tasks[key].cancel()
        self._ended_elsewhere = ended
        for key in active:
            rests = max(self._idle_until, self._rest_until.get(key, 0)) > time.monotonic()
            if key not in self._tasks and not rests and not self._closing:
                await self._take_up(key)

    async def _take_up(self, key: int) -> None:
        run = await self._runner.take_up(key)
        if run is None:
            return
        task = asyncio.create_task(self._run(run), name=run.snapshot.sync_id)
        self._tasks[key] = task
        task.add_done_callback(lambda _done: self._forget(key))

    def _forget(self, key: int) -> None:
        self._tasks.pop(key, None)
        self._housekeeping.note_ended_sync()
        self._wake.set()

    async def _run(self, run: SyncRun) -> None:
        if await self._runner.run(run) is Outcome.RESTS:
            self._rest_until[run.key] = time.monotonic() + RETRY_INTERVAL_SECONDS
        else:
            self._rest_until.pop(run.key, None)
