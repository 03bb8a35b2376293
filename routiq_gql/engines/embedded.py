"""The embedded engine: runs syncs in the process that holds the lock file of the SQLite database.

The process claims every active sync that it does not run yet, and continues it from its checkpoint: a sync of a killed
process as well as a sync that another process has just inserted. It reads the table once a second; ``wake`` only makes
it faster.
"""

import asyncio
import os
import time
from datetime import timedelta
from pathlib import Path

import structlog
from filelock import FileLock, Timeout
from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.database.engine import Database
from routiq_gql.database.syncs import active_epochs
from routiq_gql.engines.chores import Chores
from routiq_gql.errors import StorageError
from routiq_gql.supervision import Supervisor, shortage_sentence
from routiq_gql.sync.engine import Priority, QueueState
from routiq_gql.sync.model import SyncSnapshot
from routiq_gql.sync.runner import Outcome, SyncRunner
from routiq_gql.waiting import set_within

LOOK_INTERVAL_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 5.0
"""The longest pause before the engine tries a database again that could not be used."""

log = structlog.get_logger(__name__)


class EmbeddedEngine:
    """Runs syncs in this process while it holds the lock file."""

    def __init__(
        self,
        database: Database,
        runner: SyncRunner,
        chores: Chores,
        lock_path: Path,
        supervisor: Supervisor,
    ) -> None:
        self._database = database
        self._runner = runner
        self._chores = chores
        self._lock = FileLock(lock_path, mode=0o600, thread_local=False)
        self._task = supervisor.task("sync engine", "Syncs are not started or resumed.", LONGEST_PAUSE_SECONDS)
        self._tasks: dict[int, asyncio.Task[Outcome]] = {}
        self._ended_elsewhere: set[int] = set()
        self._idle_until = 0.0
        self._wake = asyncio.Event()
        self._closing = False

    @property
    def receives_updates(self) -> bool:
        return self._lock.is_locked

    @property
    def runs_here(self) -> bool:
        return self._lock.is_locked

    @property
    def works_here(self) -> bool:
        return self._lock.is_locked

    @property
    def running(self) -> int:
        return len(self._tasks)

    async def enqueue(self, connection: AsyncConnection, key: int, priority: Priority) -> None:
        """Nothing to do: the process with the lock file finds the row."""

    async def withdraw(self, connection: AsyncConnection, key: int) -> None:
        """Nothing to do: the process with the lock file finds the end in the row."""

    async def prioritize(self, connection: AsyncConnection, key: int) -> None:
        """Nothing to do: every active sync runs at once."""

    async def has_worker(self) -> bool:
        if self._lock.is_locked:
            return True
        if self.try_lock():
            self._lock.release()
            return False
        return True

    async def queue_state(self) -> QueueState:
        return QueueState(waiting=0, oldest_seconds=0, workers=int(self.runs_here))

    def try_lock(self) -> bool:
        """Take the lock file; whether this process has it now."""
        try:
            return self._acquire()
        except StorageError:
            return False

    def wake(self, snapshot: SyncSnapshot) -> None:
        self._wake.set()

    def interrupt(self, snapshot: SyncSnapshot) -> None:
        task = self._tasks.get(snapshot.key)
        if task is not None:
            task.cancel()

    def pause(self, time_off: timedelta) -> None:
        """Stop every run and claim no sync for ``time_off``, as if the process had been killed and restarted.

        The syncs stay active in the database and continue from their checkpoints. A demo shows a restart this way.
        """
        self._idle_until = time.monotonic() + time_off.total_seconds()
        for task in self._tasks.values():
            task.cancel()

    async def run_worker(self) -> None:
        await self._task.repeat(self._step, pause=self._pause, may_continue=lambda: not self._closing)

    async def _step(self) -> None:
        if not self._lock.is_locked and not self._acquire():
            await self._pause(LOOK_INTERVAL_SECONDS)
            return
        await self._look()
        if not await self._chores.run_due(self):
            await self._pause(min(LOOK_INTERVAL_SECONDS, self._runner.pauses.until_next_end()))

    def _acquire(self) -> bool:
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            return False
        except OSError as error:
            reason = shortage_sentence(error) or f"{os.strerror(error.errno or 0)}."
            raise StorageError(f"The lock file {self._lock.lock_file} can't be opened. {reason}") from error
        return True

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
        if self._lock.is_locked:
            await self._runner.release()
        self._lock.release()

    async def _pause(self, seconds: float) -> None:
        if await set_within(self._wake, seconds):
            self._wake.clear()

    async def _look(self) -> None:
        """Claim every active sync that does not run here, and stop runs whose sync has ended."""
        async with self._database.reading() as connection:
            active = await active_epochs(connection)
        ended = set(self._tasks) - set(active)
        for key in ended & self._ended_elsewhere:  # seen twice: the run would have finished by now
            self._tasks[key].cancel()
        self._ended_elsewhere = ended
        for key, epoch in active.items():
            if not self._lock.is_locked:  # lost since the step began, so another process runs the syncs
                return
            pauses = self._idle_until > time.monotonic() or self._runner.pauses.left(key) > 0
            if key in self._tasks or pauses or self._closing:
                continue
            try:
                await self._claim(key, epoch)
            except StorageError:
                raise
            except Exception as error:  # an error of this sync does not affect the others
                _, seconds = self._runner.pauses.begin(key)
                log.error("sync_not_claimed", key=key, error=type(error).__name__, seconds=seconds)

    async def _claim(self, key: int, epoch: int) -> None:
        run = await self._runner.claim(key, epoch)
        if run is None:
            return
        if self._closing:  # ``close`` has not seen this run and would not stop it
            await self._runner.release(key)
            return
        task = asyncio.create_task(self._runner.run(run), name=run.snapshot.sync_id)
        self._tasks[key] = task
        task.add_done_callback(lambda _done: self._forget(key))

    def _forget(self, key: int) -> None:
        self._tasks.pop(key, None)
        self._chores.note_ended_sync()
        self._wake.set()
