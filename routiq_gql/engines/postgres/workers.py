"""Worker processes: whether they are alive, the syncs they run, and the syncs that wait for a worker.

The command ``workers`` imports it, so it needs nothing of the extra ``postgres``.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.sync.engine import QueueState

QUEUE = "syncs"
SILENT_SECONDS = 10
"""After so long without a heartbeat a worker counts as dead, and other workers continue its syncs."""


@dataclass(frozen=True, slots=True)
class WorkerInfo:
    """A worker process.

    Attributes:
        name: Its machine and process number.
        silent_seconds: Seconds since its last heartbeat.
        sync_ids: Syncs that it runs, or ran when its heartbeat stopped.
    """

    worker_id: int
    name: str
    started_at: datetime | None
    max_syncs: int | None
    silent_seconds: float
    sync_ids: list[str]

    @property
    def is_alive(self) -> bool:
        return self.silent_seconds < SILENT_SECONDS


@dataclass(frozen=True, slots=True)
class WaitingSync:
    """A sync that no process runs yet.

    Attributes:
        by_schedule: Whether a schedule started it, not a person.
        seconds: How long it has been waiting.
    """

    sync_id: str
    by_schedule: bool
    seconds: float


async def introduce(connection: AsyncConnection, worker_id: int, name: str, max_syncs: int) -> None:
    """Store the name of this process, and delete the names of workers that have ended."""
    await connection.execute(
        text(
            "INSERT INTO workers (id, name, started_at, max_syncs) VALUES (:id, :name, now(), :max_syncs) "
            "ON CONFLICT (id) DO NOTHING"
        ),
        {"id": worker_id, "name": name, "max_syncs": max_syncs},
    )
    gone = "DELETE FROM procrastinate_workers WHERE last_heartbeat < now() - interval '10 minutes'"
    await connection.execute(text(gone))
    await connection.execute(text("DELETE FROM workers WHERE id NOT IN (SELECT id FROM procrastinate_workers)"))


async def read_workers(connection: AsyncConnection) -> list[WorkerInfo]:
    """Every worker that runs or has run recently, the oldest first."""
    query = """
        SELECT worker.id, coalesce(named.name, '') AS name, named.started_at, named.max_syncs,
               extract(epoch FROM clock_timestamp() - worker.last_heartbeat)::float AS silent_seconds,
               array(SELECT syncs.sync_id FROM procrastinate_jobs job JOIN syncs ON job.lock = 'sync:' || syncs.key
                     WHERE job.worker_id = worker.id AND job.status = 'doing' ORDER BY syncs.key) AS sync_ids
        FROM procrastinate_workers worker LEFT JOIN workers named ON named.id = worker.id ORDER BY worker.id
    """
    return [
        WorkerInfo(row.id, row.name, row.started_at, row.max_syncs, max(0.0, row.silent_seconds), list(row.sync_ids))
        for row in await connection.execute(text(query))
    ]


async def read_waiting(connection: AsyncConnection) -> list[WaitingSync]:
    """Waiting syncs, the next first."""
    query = f"""
        SELECT syncs.sync_id, job.priority <= 0 AS by_schedule,
               greatest(0, extract(epoch FROM clock_timestamp() - syncs.last_updated))::float AS seconds
        FROM procrastinate_jobs job JOIN syncs ON job.lock = 'sync:' || syncs.key
        WHERE job.status = 'todo' AND job.queue_name = '{QUEUE}' ORDER BY job.priority DESC, job.id
    """  # noqa: S608 — a constant
    return [WaitingSync(row.sync_id, row.by_schedule, row.seconds) for row in await connection.execute(text(query))]


async def read_queue_state(connection: AsyncConnection) -> QueueState:
    """The same as numbers."""
    waiting = await read_waiting(connection)
    alive = sum(one.is_alive for one in await read_workers(connection))
    return QueueState(len(waiting), max((one.seconds for one in waiting), default=0.0), alive)
