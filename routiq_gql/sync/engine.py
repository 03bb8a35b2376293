"""Who runs syncs. ``EmbeddedEngine`` runs them in the process that holds the lock file of the SQLite database.

Every active row that the holder finds and doesn't run is taken up and goes on from its checkpoint: one left by a
killed process as well as one that another process has just inserted. Being told is for speed; a look at the table
each second is for truth.
"""

import asyncio
import time
import traceback
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Protocol

import structlog
from filelock import FileLock, Timeout

from routiq_gql.cliniko import ClinikoError
from routiq_gql.database.engine import Database
from routiq_gql.database.syncs import active_keys, take_up
from routiq_gql.errors import StorageError
from routiq_gql.sync.bus import ProgressBus
from routiq_gql.sync.connection_state import ConnectionProblem
from routiq_gql.sync.housekeeping import Housekeeping
from routiq_gql.sync.progress import FailureCode, SyncFailure, SyncSnapshot
from routiq_gql.sync.run import StopRequested, SyncRun

LOOK_INTERVAL_SECONDS = 1.0
RETRY_INTERVAL_SECONDS = 5.0
"""How long a sync rests whose database failed, and how long a holder rests that can't read the table."""

MAX_TAKE_UPS = 200
"""A sync that so many processes have begun and none could end, each of them killed or without a database, fails."""

log = structlog.get_logger(__name__)


class SyncEngine(Protocol):
    """What the service needs of whatever runs syncs."""

    @property
    def runs_here(self) -> bool:
        """Whether news of running syncs reach this process by themselves."""

    def start(self, snapshot: SyncSnapshot) -> None:
        """A sync was inserted and committed: run it, soon."""

    def stop(self, snapshot: SyncSnapshot) -> None:
        """A sync was ended by someone else than its run, and committed: stop working on it, now."""

    async def run_worker(self) -> None:
        """Run syncs until cancelled or closed."""

    async def close(self, grace: timedelta) -> None:
        """Stop; running syncs stay active in the database and go on with the next start."""


class EmbeddedEngine:
    """Runs syncs in this process while it holds the lock file."""

    def __init__(
        self,
        database: Database,
        bus: ProgressBus,
        run_steps: Callable[[SyncRun], Awaitable[None]],
        housekeeping: Housekeeping,
        time_limit: timedelta,
        lock_path: Path,
    ) -> None:
        self._database = database
        self._bus = bus
        self._run_steps = run_steps
        self._housekeeping = housekeeping
        self._time_limit = time_limit
        self._lock = FileLock(lock_path, mode=0o600, thread_local=False)
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._rest_until: dict[int, float] = {}
        self._ended_elsewhere: set[int] = set()
        self._wake = asyncio.Event()
        self._closing = False

    @property
    def runs_here(self) -> bool:
        return self._lock.is_locked

    @property
    def running(self) -> int:
        """How many syncs run in this process now."""
        return len(self._tasks)

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

    async def run_worker(self) -> None:
        while not self._closing:
            if not self._lock.is_locked and not self.try_lock():
                await self._pause(LOOK_INTERVAL_SECONDS)
                continue
            try:
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
            rests = self._rest_until.get(key, 0) > time.monotonic()
            if key not in self._tasks and not rests and not self._closing:
                await self._take_up(key)

    async def _take_up(self, key: int) -> None:
        async with self._database.writing() as connection:
            row = await take_up(connection, key)
        if row is None:
            return
        run = SyncRun(self._database, self._bus, row)
        self._bus.publish(run.snapshot)
        task = asyncio.create_task(self._run(run), name=run.snapshot.sync_id)
        self._tasks[key] = task
        task.add_done_callback(lambda _done: self._forget(key))

    def _forget(self, key: int) -> None:
        self._tasks.pop(key, None)
        self._housekeeping.note_ended_sync()
        self._wake.set()

    async def _run(self, run: SyncRun) -> None:
        with structlog.contextvars.bound_contextvars(
            sync_id=run.snapshot.sync_id, organization_id=run.snapshot.organization_id
        ):
            log.info("sync_taken_up", epoch=run.epoch, percentage=run.snapshot.progress_percentage)
            try:
                await self._run_to_its_end(run)
            except StopRequested:
                log.info("sync_not_ours_any_more")
            except StorageError as error:
                self._rest_until[run.key] = time.monotonic() + RETRY_INTERVAL_SECONDS
                log.error("sync_rests", reason=error.message)
            else:
                self._rest_until.pop(run.key, None)
                log.info("sync_ended", status=run.snapshot.status.value)

    async def _run_to_its_end(self, run: SyncRun) -> None:
        limit = self._time_limit.total_seconds()
        try:
            async with run.signs_of_life():
                if run.epoch > MAX_TAKE_UPS:
                    await run.fail(_internal_failure(run))
                    return
                try:
                    async with asyncio.timeout(limit) as deadline:
                        await self._run_steps(run)
                except TimeoutError:
                    if not deadline.expired():
                        raise
                    await run.fail(_time_limit_failure(run, limit))
                except ConnectionProblem as problem:
                    await run.fail(SyncFailure(problem.failure_code, run.step, problem.message, problem.what_to_do))
                except ClinikoError as error:
                    log.info("cliniko_failed", code=error.code, detail=error.detail)
                    await run.fail(SyncFailure(FailureCode(error.code), run.step, error.message, error.what_to_do))
        except (StopRequested, StorageError):
            raise
        except Exception as error:
            log.error("sync_broke", error=type(error).__name__, where=traceback.format_tb(error.__traceback__)[-4:])
            await run.fail(_internal_failure(run))


def _time_limit_failure(run: SyncRun, seconds: float) -> SyncFailure:
    return SyncFailure(
        FailureCode.TIME_LIMIT,
        run.step,
        f"The sync did not end within its time limit of {seconds:.0f} s.",
        "Start it again, or raise ROUTIQ_SYNC_TIME_LIMIT if the clinic is large.",
    )


def _internal_failure(run: SyncRun) -> SyncFailure:
    return SyncFailure(
        FailureCode.INTERNAL,
        run.step,
        f"Internal error in {run.snapshot.sync_id}",
        "Start the sync again. If it fails again, give this sync's id to whoever runs the server.",
    )
