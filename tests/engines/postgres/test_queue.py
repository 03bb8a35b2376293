"""The queue between processes: no started sync is lost, and the order is as documented."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from sqlalchemy import text

from routiq_gql.emulator import EMULATED_API_KEY
from routiq_gql.engines.postgres import jobs, patrol
from routiq_gql.engines.postgres.workers import read_waiting, read_workers
from routiq_gql.errors import StorageError
from routiq_gql.runtime import Runtime, open_runtime
from routiq_gql.security.audit import SCHEDULE_VIEWER
from routiq_gql.security.viewer import LOCAL_OPERATOR
from routiq_gql.settings import Settings
from routiq_gql.sync.engine import Priority, begin_sync
from routiq_gql.sync.model import SyncState
from routiq_gql.sync.pauses import FIRST_PAUSE_SECONDS
from routiq_gql.sync.run import SyncRun
from routiq_gql.sync.runner import SyncRunner
from tests.emulated_cliniko import Cliniko
from tests.engines.postgres.processes import LIMIT_SECONDS
from tests.organization import ORGANIZATION
from tests.syncs import follow, run_sync, start

pytestmark = pytest.mark.postgres_only


@asynccontextmanager
async def idle(settings: Settings, cliniko: Cliniko, *organizations: str) -> AsyncIterator[Runtime]:
    """An API process: it starts and watches syncs, and runs none."""
    async with open_runtime(settings, run_syncs=False) as runtime:
        for organization in organizations or (ORGANIZATION,):
            await runtime.connections.connect(
                LOCAL_OPERATOR, organization, EMULATED_API_KEY, cliniko.base_url, check=False
            )
        yield runtime


async def execute(runtime: Runtime, statement: str) -> None:
    async with runtime.database.writing() as connection:
        await connection.execute(text(statement))


async def test_a_sync_waits_for_a_worker_and_is_run_by_the_first_that_comes(settings: Settings, cliniko: Cliniko):
    """A sync started without a worker waits visibly, and runs as soon as there is a worker."""
    async with idle(settings, cliniko) as api:
        sync_id = await start(api)
        state = await api.engine.queue_state()
        assert (state.waiting, state.workers) == (1, 0)
        async with api.database.reading() as connection:
            assert [one.sync_id for one in await read_waiting(connection)] == [sync_id]
        async with open_runtime(settings):
            last = (await follow(api, sync_id))[-1]
        assert (last.status, last.active_patients_stored) == (SyncState.COMPLETED, 12)
        async with api.database.reading() as connection:
            assert await read_workers(connection) == [], "it took its leave"
        assert (await api.engine.queue_state()).waiting == 0


async def test_a_sync_and_its_job_are_there_together_or_not_at_all(settings: Settings, cliniko: Cliniko):
    """If starting fails at its very end, neither the sync nor its job is stored."""
    async with idle(settings, cliniko) as api:
        with pytest.raises(RuntimeError):
            async with api.database.writing() as connection:
                assert (
                    await begin_sync(connection, api.engine, ORGANIZATION, Priority.PERSON, LOCAL_OPERATOR.actor)
                    is not None
                )
                raise RuntimeError
        assert (await api.engine.queue_state()).waiting == 0
        assert (await api.syncs.history(LOCAL_OPERATOR, ORGANIZATION)).total_syncs == 0


async def test_a_sync_whose_job_has_vanished_is_run_all_the_same(
    settings: Settings, cliniko: Cliniko, monkeypatch: pytest.MonkeyPatch
):
    """A sync that lost its job gets exactly one new job within seconds."""
    monkeypatch.setattr(patrol, "LOOK_SECONDS", 0.1)
    async with idle(settings, cliniko) as api:
        sync_id = await start(api)
        await execute(api, "DELETE FROM procrastinate_jobs")
        async with open_runtime(settings):
            assert (await follow(api, sync_id))[-1].status is SyncState.COMPLETED


async def test_a_job_that_its_worker_has_forgotten_is_run(
    settings: Settings, cliniko: Cliniko, monkeypatch: pytest.MonkeyPatch
):
    """A job that the queue lists as running, but its worker does not run, is queued again."""
    monkeypatch.setattr(patrol, "LOOK_SECONDS", 0.1)
    async with idle(settings, cliniko) as api, open_runtime(settings) as worker:
        await run_sync(worker)  # so that it is registered as running
        sync_ids = []
        async with api.database.writing() as connection:
            row = await begin_sync(connection, api.engine, ORGANIZATION, Priority.PERSON, LOCAL_OPERATOR.actor)
            assert row is not None
            sync_ids.append(row.sync_id)
            mine = "SELECT max(id) FROM procrastinate_workers"
            await connection.execute(text(f"UPDATE procrastinate_jobs SET status = 'doing', worker_id = ({mine})"))
        assert (await follow(api, sync_ids[0]))[-1].status is SyncState.COMPLETED


async def test_a_sync_that_is_cancelled_while_it_waits_leaves_the_queue(settings: Settings, cliniko: Cliniko):
    """A cancelled sync leaves the queue, and the organization is free at once."""
    async with idle(settings, cliniko) as api:
        for _ in range(3):
            answer = await api.syncs.cancel(LOCAL_OPERATOR, await start(api))
            assert answer.cancelled
            assert (await api.engine.queue_state()).waiting == 0
        sync_id = await start(api)
        async with open_runtime(settings):
            assert (await follow(api, sync_id))[-1].status is SyncState.COMPLETED


async def test_a_cancel_in_one_process_stops_the_sync_in_another(settings: Settings, cliniko: Cliniko):
    """A cancellation in one process stops the sync in another, which sends no further request to Cliniko."""
    cliniko.emulator.latency_seconds = 0.3
    async with idle(settings, cliniko) as api, open_runtime(settings) as worker:
        sync_id = await start(api)
        async with asyncio.timeout(LIMIT_SECONDS):
            while not cliniko.emulator.requests:
                await asyncio.sleep(0.01)
        assert (await api.syncs.cancel(LOCAL_OPERATOR, sync_id)).cancelled
        async with asyncio.timeout(LIMIT_SECONDS):
            while worker.engine.running:
                await asyncio.sleep(0.01)
        asked = len(cliniko.emulator.requests)
        cliniko.emulator.latency_seconds = 0
        assert (await run_sync(api)).status is SyncState.COMPLETED
        own = [request for request in cliniko.emulator.requests[asked:] if request.resource == "settings"]
        assert len(own) == 1, "only the second sync went on"


async def test_people_come_before_schedules_and_a_worker_takes_no_more_than_it_may(
    settings: Settings, cliniko: Cliniko
):
    """A worker with room for a single sync runs users' syncs first, in their order, then those of schedules."""
    organizations = [f"org_{number}" for number in range(6)]
    async with idle(settings, cliniko, *organizations) as api:
        by_schedule = []
        for organization in organizations[:3]:
            async with api.database.writing() as connection:
                row = await begin_sync(connection, api.engine, organization, Priority.SCHEDULE, SCHEDULE_VIEWER.actor)
                assert row is not None
                by_schedule.append(row.sync_id)
        by_people = [await start(api, organization) for organization in organizations[3:]]
        hurried = await api.syncs.start(LOCAL_OPERATOR, organizations[1])
        assert not hurried.created, "it waits already, and a person wants it now"
        expected = [by_schedule[1], *by_people, by_schedule[0], by_schedule[2]]
        async with api.database.reading() as connection:
            assert [one.sync_id for one in await read_waiting(connection)] == expected
        most = 0
        async with open_runtime(settings.model_copy(update={"worker_max_syncs": 1})) as worker:
            ended: list[str] = []

            async def note(sync_id: str) -> None:
                await follow(api, sync_id)
                ended.append(sync_id)

            async with asyncio.timeout(LIMIT_SECONDS):
                followers = asyncio.gather(*(note(sync_id) for sync_id in expected))
                while not followers.done():
                    most = max(most, worker.engine.running)
                    await asyncio.sleep(0.005)
                await followers
        assert most == 1
        lasts = [await api.syncs.status(LOCAL_OPERATOR, sync_id) for sync_id in expected]
        assert [one.completed_at for one in lasts] == sorted(one.completed_at for one in lasts if one.completed_at)


async def test_a_command_in_a_terminal_runs_syncs_only_without_a_worker(settings: Settings, cliniko: Cliniko):
    """`routiq-gql sync` needs no worker, and leaves syncs to the workers if there are any."""
    async with idle(settings, cliniko) as api:
        async with open_runtime(settings, only_if_alone=True) as alone:
            assert (await run_sync(alone)).status is SyncState.COMPLETED
            assert alone.engine.runs_here
        async with open_runtime(settings) as worker:
            assert (await run_sync(worker)).status is SyncState.COMPLETED
            async with open_runtime(settings, only_if_alone=True) as second:
                assert (await run_sync(second)).status is SyncState.COMPLETED
                assert not second.engine.runs_here
        assert (await api.syncs.history(LOCAL_OPERATOR, ORGANIZATION)).successful_syncs == 3


async def test_a_worker_that_died_while_the_clock_was_ahead_is_not_counted_on(
    settings: Settings, cliniko: Cliniko, monkeypatch: pytest.MonkeyPatch
):
    """Its last heartbeat lies years ahead; its sync is rescued all the same once the clock is right."""
    monkeypatch.setattr(jobs, "SILENT_SECONDS", 5)
    async with idle(settings, cliniko) as api:
        sync_id = await start(api)
        await execute(
            api,
            "WITH dead AS (INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() + interval '2 years') "
            "RETURNING id) UPDATE procrastinate_jobs SET status = 'doing', worker_id = (SELECT id FROM dead)",
        )
        async with open_runtime(settings):
            last = (await follow(api, sync_id))[-1]
        assert last.status is SyncState.COMPLETED


@pytest.mark.parametrize("ahead_seconds", [-600, 75, 600])
async def test_a_pause_is_as_long_on_a_machine_with_a_wrong_clock(
    settings: Settings, cliniko: Cliniko, monkeypatch: pytest.MonkeyPatch, ahead_seconds: int
):
    """The end of a sync's pause is by the database's clock, which all workers share."""
    run, failures = SyncRunner._run_to_its_end, iter([StorageError("The disk is full.")])

    async def fail_once(runner: SyncRunner, sync: SyncRun) -> None:
        for failure in failures:
            raise failure
        await run(runner, sync)

    monkeypatch.setattr(SyncRunner, "_run_to_its_end", fail_once)
    query = "SELECT extract(epoch FROM scheduled_at - clock_timestamp()) FROM procrastinate_jobs WHERE status = 'todo'"
    query += " AND attempts > 0"
    with time_machine.travel(datetime.now(UTC) + timedelta(seconds=ahead_seconds), tick=True):
        async with idle(settings, cliniko) as api:
            sync_id = await start(api)
            async with open_runtime(settings):
                left = None
                while left is None:
                    async with api.database.reading() as connection:
                        left = (await connection.execute(text(query))).scalar_one_or_none()
                assert FIRST_PAUSE_SECONDS / 2 < left <= FIRST_PAUSE_SECONDS
                last = (await follow(api, sync_id))[-1]
    assert last.status is SyncState.COMPLETED


async def test_a_pause_that_a_wrong_clock_made_long_is_shortened(settings: Settings, cliniko: Cliniko):
    """A sync never waits for longer than the longest pause, even if its job's time was written with a wrong clock."""
    async with idle(settings, cliniko) as api:
        sync_id = await start(api)
        await execute(api, "UPDATE procrastinate_jobs SET scheduled_at = now() + interval '2 minutes'")
        async with open_runtime(settings):
            last = (await follow(api, sync_id))[-1]
        assert last.status is SyncState.COMPLETED
