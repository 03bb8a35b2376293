"""What every worker looks after, every two seconds: syncs that nobody runs, schedules, and rows that nobody needs.

Procrastinate has periodic tasks, but these would be jobs themselves, some forty thousand a day, and would stop with
the queue whose troubles they are to mend. A lock in the database lets one process do it at a time.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog
from sqlalchemy import text

from routiq_gql import metrics
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
"""Batches of each chore in one look."""

log = structlog.get_logger(__name__)


@dataclass
class WorkerState:
    """What one process knows of itself.

    Attributes:
        former_ids: Numbers under which the queue knew it before its database went away.
        job_ids: The jobs that it is working on.
    """

    name: str
    max_syncs: int
    former_ids: set[int] = field(default_factory=set)
    job_ids: set[int] = field(default_factory=set)


class Patrol:
    """The looks of one worker process."""

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
        """Look until cancelled.

        Args:
            note_alive: Called when the worker has been at work for the time between two looks.
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
        """Put back what the queue believes this process to be working on, but which it is not."""
        async with self._database.writing() as connection:
            counted_on = await jobs.jobs_of(connection, [worker_id, *self._state.former_ids])
            idle = {job_id for job_id, _ in counted_on} - self._state.job_ids
            # A job of now may have been fetched or finished this very moment; the next look tells.
            given_up = {job_id for job_id, by in counted_on if by != worker_id} | self._seen_idle
            await jobs.put_back(connection, sorted(idle & given_up))
        self._seen_idle = idle - given_up
