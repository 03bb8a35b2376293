"""The queries on jobs, compared with plain Python over jobs in every state, of every kind of worker."""

from dataclasses import dataclass
from itertools import product
from typing import Any, cast

import pytest
from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.clock import utc_now
from routiq_gql.database.engine import Database
from routiq_gql.database.tables import SYNC
from routiq_gql.engines.postgres import jobs
from routiq_gql.engines.postgres.patrol import Patrol, WorkerState
from routiq_gql.engines.postgres.workers import QUEUE, SILENT_SECONDS
from routiq_gql.supervision import Supervisor
from routiq_gql.sync.mapping import first_values
from routiq_gql.sync.model import SyncMode

pytestmark = pytest.mark.postgres_only

STATES = ("todo", "doing", "succeeded", "failed", "cancelled", "aborted")
HOLDERS = {"own": 0, "own, silent": 3600, "another": 0, "another, silent": SILENT_SECONDS + 1, "gone": None}
"""Seconds since the heartbeat of each worker; a job of a worker whose row is gone has none."""


@dataclass(frozen=True)
class _Job:
    id: int
    key: int
    state: str
    queue: str
    holder: str
    worker_id: int | None
    is_active: bool


async def _worker(connection: AsyncConnection, silent_seconds: int | None) -> int | None:
    if silent_seconds is None:
        return None
    heartbeat = "now() - make_interval(secs => :silent)"
    made = text(f"INSERT INTO procrastinate_workers (last_heartbeat) VALUES ({heartbeat}) RETURNING id")
    return int((await connection.execute(made, {"silent": silent_seconds})).scalar_one())


async def _filled(connection: AsyncConnection) -> list[_Job]:
    """A sync with a job of each kind."""
    workers = {name: await _worker(connection, silent) for name, silent in HOLDERS.items()}
    made: list[_Job] = []
    kinds = product(STATES, (QUEUE, "others"), HOLDERS, (True, False))
    for key, (state, queue, holder, is_active) in enumerate(kinds, 1):
        ended = {} if is_active else {"completed_at": utc_now(), "status": "failed"}
        values = {**first_values(SyncMode.FULL, utc_now()), "version": 1, "epoch": 0, **ended}
        await connection.execute(
            insert(SYNC).values(**values, key=key, sync_id=f"sync_{key}", organization_id=f"org_{key}")
        )
        job = {"queue": queue, "state": state, "worker": workers[holder], "lock": jobs.lock_of(key)}
        statement = (
            "INSERT INTO procrastinate_jobs (queue_name, task_name, status, worker_id, lock) "
            "VALUES (:queue, 'run_sync', CAST(:state AS procrastinate_job_status), :worker, :lock) RETURNING id"
        )
        number = (await connection.execute(text(statement), job)).scalar_one()
        made.append(_Job(number, key, state, queue, holder, workers[holder], is_active))
    return made


async def test_jobs_in_every_state(database_url: str):
    """Exactly the running jobs of silent and vanished workers are stalled, and each worker finds its own."""
    database = Database(database_url)
    async with database.writing() as connection:
        made = await _filled(connection)
        running = [one for one in made if one.state == "doing"]
        own = {one.worker_id for one in made if one.holder.startswith("own") and one.worker_id is not None}
        silent = [one for one in running if one.queue == QUEUE and HOLDERS[one.holder] != 0]
        for worker_id in own:
            stalled = [one.id for one in silent if one.worker_id != worker_id]
            assert await jobs.lock_stalled(connection, worker_id) == stalled
        found = await jobs.jobs_of(connection, sorted(own))
        assert sorted(found) == [(one.id, one.worker_id) for one in running if one.worker_id in own]
        for one, number in product(made[::7], own):
            is_its_job = one.state == "doing" and one.worker_id == number
            assert await jobs.is_run_by(connection, one.id, number) == is_its_job
        lost = [one.key for one in made if one.is_active and one.state not in {"todo", "doing"}]
        assert await jobs.syncs_without_job(connection) == lost
    await database.close()


async def test_a_worker_puts_a_job_of_its_own_back_in_the_second_round(database_url: str):
    """A job that it may have fetched at this moment is left alone once; one that it works on is left alone for ever."""
    database, nothing = Database(database_url), cast(Any, None)
    async with database.writing() as connection:
        made = [one for one in await _filled(connection) if one.state == "doing"]
    ids = {holder: next(one.worker_id for one in made if one.holder == holder) for holder in HOLDERS}
    own, former = ids["own"], ids["own, silent"]
    assert own is not None
    assert former is not None
    of_own = [one.id for one in made if one.worker_id == own]
    state = WorkerState("worker", 1, former_ids={former}, job_ids={of_own[0]})
    patrol = Patrol(database, nothing, state, nothing, Supervisor())
    for number, left in enumerate([of_own[1:], [], []]):
        await patrol._take_back(own)
        async with database.writing() as connection:  # it locks them
            running = {one for one, _ in await jobs.jobs_of(connection, [own, former])}
        assert running == {of_own[0], *left}, f"round {number}"
    await database.close()
