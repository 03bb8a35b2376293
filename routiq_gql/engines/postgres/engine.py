"""The distributed engine: runs syncs in any number of processes. Each sync is a job in the database for a free worker.

Only the epoch of a sync decides which process can write to it. The search for lost workers serves speed and order. A
process that has lost a job to another process exits at once, before it can disturb the other run.
"""

import asyncio
import os
import socket
from datetime import timedelta

import structlog
from procrastinate import JobContext
from procrastinate.worker import Worker
from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.database.engine import Database
from routiq_gql.engines.chores import Chores
from routiq_gql.engines.postgres import jobs
from routiq_gql.engines.postgres.bus import PostgresBus
from routiq_gql.engines.postgres.patrol import Patrol, WorkerState
from routiq_gql.engines.postgres.watchdog import Watchdog, leave_process
from routiq_gql.engines.postgres.workers import QUEUE, read_queue_state, read_workers
from routiq_gql.errors import StorageError, frames_of
from routiq_gql.settings import Settings
from routiq_gql.supervision import Supervisor
from routiq_gql.sync.engine import Priority, QueueState
from routiq_gql.sync.model import SyncSnapshot
from routiq_gql.sync.pauses import FIRST_PAUSE_SECONDS
from routiq_gql.sync.run import SyncRun
from routiq_gql.sync.runner import Outcome, SyncRunner
from routiq_gql.waiting import set_within

RESTART_SECONDS = 1.0
"""How long a process that runs syncs only while it is alone waits before it checks again."""
LONGEST_PAUSE_SECONDS = 5.0
"""The longest pause before a worker tries a database again that was away."""

log = structlog.get_logger(__name__)


class WorkerEnded(Exception):
    """The queue's worker has stopped without being asked to; most of its failures end this way."""


class DistributedEngine:
    """The engine of a process. Without ``run_worker`` it only enqueues and stops syncs.

    Args:
        only_if_alone: Run syncs only while no other worker is alive, as a command in a terminal does.
    """

    def __init__(
        self,
        database: Database,
        bus: PostgresBus,
        runner: SyncRunner,
        chores: Chores,
        settings: Settings,
        supervisor: Supervisor,
        *,
        only_if_alone: bool = False,
    ) -> None:
        self._database = database
        self._bus = bus
        self._runner = runner
        self._only_if_alone = only_if_alone
        self._queue = jobs.make_app(database.url)
        self._state = WorkerState(f"{socket.gethostname()}:{os.getpid()}", settings.worker_max_syncs)
        self._task = supervisor.task("sync engine", "Syncs are not started or resumed.", LONGEST_PAUSE_SECONDS)
        self._patrol = Patrol(database, self, self._state, chores, supervisor)
        self._watchdog_task = supervisor.task("watchdog", "A heartbeat that stops would not be noticed.")
        self._worker: Worker | None = None
        self._tasks: dict[int, asyncio.Task[Outcome]] = {}
        self._closing = asyncio.Event()
        self._ended = asyncio.Event()
        self._ended.set()
        bus.on_stop(self._stop_here)

    @property
    def receives_updates(self) -> bool:
        return True

    @property
    def runs_here(self) -> bool:
        return self._only_if_alone and self.worker_id is not None

    @property
    def works_here(self) -> bool:
        return self.worker_id is not None

    @property
    def running(self) -> int:
        return len(self._tasks)

    @property
    def worker_id(self) -> int | None:
        """The number of this process in the queue; ``None`` while it runs no syncs."""
        return self._worker.worker_id if self._worker is not None else None

    async def enqueue(self, connection: AsyncConnection, key: int, priority: Priority) -> None:
        await jobs.enqueue(self._queue, connection, key, priority)

    async def withdraw(self, connection: AsyncConnection, key: int) -> None:
        await jobs.withdraw(connection, key)

    async def prioritize(self, connection: AsyncConnection, key: int) -> None:
        await jobs.prioritize(connection, key)

    async def has_worker(self) -> bool:
        return (await self.queue_state()).workers > 0

    async def queue_state(self) -> QueueState:
        async with self._database.reading() as connection:
            return await read_queue_state(connection)

    def wake(self, snapshot: SyncSnapshot) -> None:
        """Nothing to do: the queue notifies the workers."""

    def interrupt(self, snapshot: SyncSnapshot) -> None:
        self._stop_here(snapshot.key)
        self._bus.request_stop(snapshot.key)

    async def run_worker(self) -> None:
        self._ended.clear()
        try:
            with Watchdog(self._database.url, lambda: self.worker_id, self._watchdog_task):
                await self._task.repeat(self._step, pause=self._pause, may_continue=lambda: not self._closing.is_set())
        finally:
            self._ended.set()

    async def _step(self) -> None:
        if not self._only_if_alone or await self._is_alone():
            await self._work()
            if not self._closing.is_set():
                raise WorkerEnded
        await self._pause(RESTART_SECONDS)

    async def close(self, grace: timedelta) -> None:
        self._closing.set()
        if self._worker is not None:
            self._worker.stop()  # type: ignore[no-untyped-call]
        if not await set_within(self._ended, grace.total_seconds()):
            log.warning("syncs_left_behind", count=self.running, reason="they did not stop within the grace period")

    async def _is_alone(self) -> bool:
        async with self._database.reading() as connection:
            workers = await read_workers(connection)
        return not any(one.is_alive and one.worker_id not in self._state.former_ids for one in workers)

    async def _pause(self, seconds: float) -> None:
        await set_within(self._closing, seconds)

    async def _work(self) -> None:
        """Run syncs until closed, or until the database is away, which Procrastinate reports in several ways."""
        async with self._database.reading() as connection:
            await self._state.compare_clocks(connection)
        app = jobs.make_app(self._database.url, self._run_job)
        async with jobs.make_pool(self._database.url) as pool, app.open_async(pool):
            worker = self._worker = Worker(
                app,
                queues=[QUEUE],
                concurrency=self._state.max_syncs,
                fetch_job_polling_interval=1,
                abort_job_polling_interval=3600,  # stop requests come over the bus
                shutdown_graceful_timeout=0,  # syncs are handed over to other processes
                delete_jobs="always",
                install_signal_handlers=False,
                update_heartbeat_interval=jobs.HEARTBEAT_SECONDS,
                stalled_worker_timeout=60,
            )
            patrol = asyncio.create_task(
                self._patrol.run(lambda: worker.worker_id, self._task.succeeded), name="patrol"
            )
            try:
                if not self._closing.is_set():
                    await worker.run()  # type: ignore[no-untyped-call]
            finally:
                patrol.cancel()
                await asyncio.wait({patrol})
                if worker.worker_id is not None:  # it could not unregister itself in the database
                    self._state.former_ids.add(worker.worker_id)
                self._worker = None

    async def _run_job(self, context: JobContext, key: int) -> None:
        job = context.job
        if job.id is None:
            return
        self._state.job_ids.add(job.id)
        try:
            run = await self._claim(key)
            if run is None:
                return
            task = self._tasks[key] = asyncio.create_task(self._runner.run(run), name=run.snapshot.sync_id)
            try:
                await asyncio.wait({task})
            finally:
                _cancel_once(task)
                await asyncio.wait({task})
                self._tasks.pop(key, None)
            if task.cancelled():  # the caller of the stop ends the sync; otherwise it runs again
                await self._runner.release(key)
                raise jobs.HandedOver
            match task.result():
                case Outcome.PAUSED:
                    raise self._handed_over(self._runner.pauses.left(key))
                case Outcome.NOT_OURS:
                    await self._leave_unless_ours(job.id, job.worker_id)
        except asyncio.CancelledError:
            await self._runner.release(key)
            # The worker is stopping. This error puts the job back into the queue; a cancellation would abort the job.
            raise jobs.HandedOver from None
        finally:
            self._state.job_ids.discard(job.id)

    async def _claim(self, key: int) -> SyncRun | None:
        try:
            return await self._runner.claim(key)
        except Exception as error:
            _, seconds = self._runner.pauses.begin(key)
            if not isinstance(error, StorageError):
                log.error("sync_not_claimed", key=key, error=type(error).__name__, where=frames_of(error))
            raise self._handed_over(seconds) from None

    async def _leave_unless_ours(self, job_id: int, worker_id: int | None) -> None:
        try:
            async with self._database.reading() as connection:
                is_ours = await jobs.is_run_by(connection, job_id, worker_id)
        except StorageError:
            raise self._handed_over(FIRST_PAUSE_SECONDS) from None
        if not is_ours:
            leave_process("its syncs were taken over while it was silent")

    def _handed_over(self, seconds: float) -> jobs.HandedOver:
        return jobs.HandedOver(self._state.database_time_in(seconds))

    def _stop_here(self, key: int) -> None:
        task = self._tasks.get(key)
        if task is not None:
            _cancel_once(task)


def _cancel_once(task: asyncio.Task[Outcome]) -> None:
    """A second cancellation would interrupt the driver while it asks the server to end a long statement."""
    if not task.cancelling():
        task.cancel()
