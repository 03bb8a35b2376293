"""The queue: a Procrastinate job for each sync that must run, in the same database as the sync.

Jobs are locked by sync and not by organization. An index already limits an organization to a single active sync, and a
cancelled sync on a frozen machine must not delay the organization's next sync.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime

import psycopg_pool
from procrastinate import App, BaseRetryStrategy, JobContext, PsycopgConnector, RetryDecision
from procrastinate.exceptions import AlreadyEnqueued
from procrastinate.jobs import Job
from sqlalchemy import URL, text
from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.database.postgresql import connect_settings
from routiq_gql.engines.postgres.workers import QUEUE, SILENT_SECONDS
from routiq_gql.sync.engine import Priority
from routiq_gql.sync.pauses import LONGEST_PAUSE_SECONDS

TASK = "run_sync"
HEARTBEAT_SECONDS = 2
POOL_WAIT_SECONDS = 5.0
FARTHEST_RESUMPTION_SECONDS = LONGEST_PAUSE_SECONDS + 30
"""No sync pauses for so long: a job with a later time got it from a wrong clock."""


class HandedOver(Exception):
    """This process stops working on a job; another process, or this process later, continues it."""

    def __init__(self, resumes_at: datetime | None = None) -> None:
        """The exception.

        Args:
            resumes_at: When the job may be run again, by the database's clock; ``None`` for at once.
        """
        super().__init__()
        self.resumes_at = resumes_at


class _HandOver(BaseRetryStrategy):
    """Puts a job that was handed over back into the queue. Without this, a stopping worker would abort the job."""

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
        if not isinstance(exception, HandedOver):
            return None
        return RetryDecision(retry_at=exception.resumes_at)


def make_app(url: URL, run_job: Callable[[JobContext, int], Awaitable[None]] | None = None) -> App:
    """Procrastinate's app for a process. Open its pool before running a worker; enqueueing needs no pool."""
    app = App(connector=PsycopgConnector(conninfo=conninfo(url), kwargs=connect_settings(url)))

    @app.task(name=TASK, queue=QUEUE, pass_context=True, retry=_HandOver())
    async def run_sync(context: JobContext, key: int) -> None:
        if run_job is not None:
            await run_job(context, key)

    return app


def make_pool(url: URL) -> psycopg_pool.AsyncConnectionPool:
    """The few connections with which a worker fetches jobs. Syncs write over the other pool."""
    return psycopg_pool.AsyncConnectionPool(
        conninfo(url),
        kwargs=connect_settings(url),
        open=False,
        min_size=1,
        max_size=4,
        timeout=POOL_WAIT_SECONDS,
        check=psycopg_pool.AsyncConnectionPool.check_connection,
    )


def conninfo(url: URL) -> str:
    """The address in libpq's form."""
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


def lock_of(key: int) -> str:
    """The lock of a sync's jobs; it is their queueing lock, too."""
    return f"sync:{key}"


async def enqueue(app: App, connection: AsyncConnection, key: int, priority: Priority) -> None:
    """Enqueue a job in the connection's transaction, unless a job of the sync already waits."""
    driver = (await connection.get_raw_connection()).driver_connection
    lock = lock_of(key)
    try:
        async with connection.begin_nested():  # a refused statement would otherwise abort the whole transaction
            await (
                app.tasks[TASK]
                .configure(lock=lock, queueing_lock=lock, priority=int(priority), connection=driver)
                .defer_async(key=key)
            )
    except AlreadyEnqueued:
        pass


async def withdraw(connection: AsyncConnection, key: int) -> None:
    """Remove a waiting job. A running job belongs to its worker."""
    query = "SELECT procrastinate_cancel_job_v1(id, false, true) FROM procrastinate_jobs WHERE queueing_lock = :lock"
    await connection.execute(text(query + " AND status = 'todo'"), {"lock": lock_of(key)})


async def prioritize(connection: AsyncConnection, key: int) -> None:
    """Let a waiting job begin before the jobs of schedules."""
    query = "UPDATE procrastinate_jobs SET priority = :priority WHERE queueing_lock = :lock AND status = 'todo'"
    await connection.execute(
        text(query + " AND priority < :priority"), {"lock": lock_of(key), "priority": int(Priority.PERSON)}
    )


async def is_run_by(connection: AsyncConnection, job_id: int, worker_id: int | None) -> bool:
    """Whether the job still belongs to this worker."""
    query = "SELECT worker_id FROM procrastinate_jobs WHERE id = :id AND status = 'doing'"
    found = (await connection.execute(text(query), {"id": job_id})).one_or_none()
    return found is not None and found.worker_id == worker_id


async def jobs_of(connection: AsyncConnection, worker_ids: list[int]) -> list[tuple[int, int]]:
    """Id and worker of the running jobs of these workers, locked."""
    query = "SELECT id, worker_id FROM procrastinate_jobs WHERE status = 'doing' AND worker_id = ANY(:ids)"
    query += " FOR UPDATE SKIP LOCKED"
    return [(row.id, row.worker_id) for row in await connection.execute(text(query), {"ids": worker_ids})]


async def put_back(connection: AsyncConnection, job_ids: list[int]) -> None:
    """Let any worker take these jobs, at once. Their rows must be locked by the connection's transaction."""
    for job_id in job_ids:
        await connection.execute(text("SELECT procrastinate_retry_job_v2(:id, NULL, NULL, NULL, NULL)"), {"id": job_id})
    if job_ids:  # a retry sends no notification by itself
        notify = text("SELECT pg_notify(:channel, :payload)")
        payload = f'{{"type": "job_inserted", "job_id": {job_ids[0]}}}'
        await connection.execute(notify, {"channel": f"procrastinate_queue_v1#{QUEUE}", "payload": payload})


async def lock_stalled(connection: AsyncConnection, own_worker_id: int) -> list[int]:
    """Lock the jobs of workers without a recent heartbeat, except jobs of ``own_worker_id``, which is alive."""
    query = f"""
        SELECT job.id FROM procrastinate_jobs job
        WHERE job.status = 'doing' AND job.queue_name = '{QUEUE}' AND job.worker_id IS DISTINCT FROM :own
          AND NOT EXISTS (SELECT 1 FROM procrastinate_workers worker WHERE worker.id = job.worker_id
                          AND worker.last_heartbeat > now() - make_interval(secs => {SILENT_SECONDS}))
        ORDER BY job.id FOR UPDATE OF job SKIP LOCKED
    """  # noqa: S608 — two constants
    return list((await connection.execute(text(query), {"own": own_worker_id})).scalars())


async def correct_future_times(connection: AsyncConnection) -> None:
    """Set times to now that were written while a clock was ahead, the server's or a worker's.

    Otherwise a dead worker would count as alive, and a job that pauses for a moment would pause, until that time. A
    live worker soon writes a new heartbeat.
    """
    heartbeats = (
        "UPDATE procrastinate_workers SET last_heartbeat = now() WHERE last_heartbeat > now() + interval '10 s'"
    )
    await connection.execute(text(heartbeats))
    paused = "UPDATE procrastinate_jobs SET scheduled_at = now() WHERE status = 'todo' AND queue_name = :queue"
    paused += " AND scheduled_at > now() + make_interval(secs => :farthest)"
    await connection.execute(text(paused), {"queue": QUEUE, "farthest": FARTHEST_RESUMPTION_SECONDS})


async def syncs_without_job(connection: AsyncConnection) -> list[int]:
    """Keys of active syncs without a job."""
    query = """
        SELECT key FROM syncs WHERE completed_at IS NULL AND NOT EXISTS (
            SELECT 1 FROM procrastinate_jobs job WHERE job.lock = 'sync:' || syncs.key AND status IN ('todo', 'doing'))
        ORDER BY key
    """
    return list((await connection.execute(text(query))).scalars())
