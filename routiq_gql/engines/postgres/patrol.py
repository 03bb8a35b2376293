"""The patrol of a worker: every two seconds it rescues syncs without a worker and does the chores.

Procrastinate has periodic tasks, but each would be a job, some forty thousand a day, and would stop with the queue that
the patrol repairs. A lock in the database lets a single process do the rescue at a time.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql import metrics
from routiq_gql.clock import utc_now
from routiq_gql.database.engine import Database
from routiq_gql.engines.chores import Chores
from routiq_gql.engines.postgres import jobs
from routiq_gql.engines.postgres.workers import introduce
from routiq_gql.supervision import Supervisor
from routiq_gql.sync.engine import Priority, SyncEngine

LOOK_SECONDS = 2.0
LONGEST_PAUSE_SECONDS = 5.0
LOCK = 0x70617472  # "patr"; any number, the same for every process
MOST_BATCHES = 20
"""Batches of each chore in a round."""

log = structlog.get_logger(__name__)


@dataclass
class WorkerState:
    """The state of a worker process.

    Attributes:
        former_ids: Earlier numbers of the process in the queue, from before the database was away.
        job_ids: Jobs that the process works on.
        clock_ahead: How far this machine's clock was ahead of the database's when they were compared last.
    """

    name: str
    max_syncs: int
    former_ids: set[int] = field(default_factory=set)
    job_ids: set[int] = field(default_factory=set)
    clock_ahead: timedelta = timedelta()

    async def compare_clocks(self, connection: AsyncConnection) -> None:
        """Measure ``clock_ahead``."""
        database_time = (await connection.execute(text("SELECT clock_timestamp()"))).scalar_one()
        self.clock_ahead = utc_now() - database_time

    def database_time_in(self, seconds: float) -> datetime:
        """The time of the database's clock after so many seconds."""
        return utc_now() - self.clock_ahead + timedelta(seconds=seconds)


class Patrol:
    """The patrol of a worker process."""

    def __init__(
        self,
        database: Database,
        engine: SyncEngine,
        state: WorkerState,
        chores: Chores,
        supervisor: Supervisor,
    ) -> None:
        self._database = database
        self._engine = engine
        self._state = state
        self._chores = chores
        self._seen_idle: set[int] = set()
        self._task = supervisor.task("patrol", "Syncs of dead workers are not rescued.", LONGEST_PAUSE_SECONDS)

    async def run(self, worker_id: Callable[[], int | None], note_alive: Callable[[], None]) -> None:
        """Patrol until cancelled.

        Args:
            note_alive: Called when the worker has run for the whole time between two rounds.
        """
        was_there = False

        async def step() -> None:
            nonlocal was_there
            number = worker_id()
            if was_there and number is not None:
                note_alive()
            was_there = number is not None
            if number is not None:
                await self._look(number)
            await asyncio.sleep(LOOK_SECONDS if number is not None else 0.05)

        await self._task.repeat(step)

    async def _look(self, worker_id: int) -> None:
        await self._take_back(worker_id)
        async with self._database.writing() as connection:
            await introduce(connection, worker_id, self._state.name, self._state.max_syncs)
            await self._state.compare_clocks(connection)
            has_lock = await connection.execute(text("SELECT pg_try_advisory_xact_lock(:number)"), {"number": LOCK})
            if not has_lock.scalar_one():
                return
            await jobs.correct_future_times(connection)
            stalled = await jobs.lock_stalled(connection, worker_id)
            await jobs.put_back(connection, stalled)
            lost = await jobs.syncs_without_job(connection)
            for key in lost:
                await self._engine.enqueue(connection, key, Priority.PERSON)
        if stalled or lost:
            metrics.rescued(len(stalled) + len(lost))
            log.warning("syncs_rescued", from_silent_workers=len(stalled), without_job=len(lost))
        self._chores.note_ended_sync()  # any process may have run it
        await self._chores.run_due(self._engine, MOST_BATCHES)

    async def _take_back(self, worker_id: int) -> None:
        """Put back jobs that belong to this process in the queue, but on which it does not work."""
        async with self._database.writing() as connection:
            counted_on = await jobs.jobs_of(connection, [worker_id, *self._state.former_ids])
            idle = {job_id for job_id, _ in counted_on} - self._state.job_ids
            # A current job may have been fetched or finished at this moment; the next round decides.
            given_up = {job_id for job_id, by in counted_on if by != worker_id} | self._seen_idle
            await jobs.put_back(connection, sorted(idle & given_up))
        self._seen_idle = idle - given_up
