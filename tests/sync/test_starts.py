"""Simultaneous starts, on any number of servers, make a single sync, which has a time limit."""

import asyncio
import os
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select, update

from routiq_gql.clock import utc_now
from routiq_gql.database.tables import SYNC
from routiq_gql.emulator import EMULATED_API_KEY, Fault, FaultKind
from routiq_gql.errors import RateLimited
from routiq_gql.runtime import Runtime, open_runtime
from routiq_gql.security.viewer import LOCAL_OPERATOR
from routiq_gql.settings import Settings
from routiq_gql.sync.model import FailureCode, SyncState, SyncStep
from tests.emulated_cliniko import Cliniko
from tests.organization import ORGANIZATION
from tests.syncs import follow, run_sync, shown_rows, start
from tests.waiting import LIMIT_SECONDS

pytestmark = pytest.mark.both_databases

ROOT = Path(__file__).parents[2]

STARTS = f"""
import asyncio, sys
from routiq_gql.errors import RateLimited
from routiq_gql.runtime import open_runtime
from routiq_gql.settings import load_settings
from routiq_gql.security.viewer import LOCAL_OPERATOR

async def main():
    async with open_runtime(load_settings()) as runtime:
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        started = await asyncio.gather(*(runtime.syncs.start(LOCAL_OPERATOR, "{ORGANIZATION}") for _ in range(25)))
        for one in started:
            print(one.sync.sync_id, one.created, flush=True)
        async for _ in runtime.syncs.watch(LOCAL_OPERATOR, started[0].sync.sync_id):
            pass

asyncio.run(main())
"""


async def test_fifty_starts_at_once_make_one_sync(runtime: Runtime, cliniko: Cliniko):
    """Fifty simultaneous clicks start a single sync, and each gets its id."""
    cliniko.emulator.latency_seconds = 0.05
    started = await asyncio.gather(*(runtime.syncs.start(LOCAL_OPERATOR, ORGANIZATION) for _ in range(50)))
    assert sum(one.created for one in started) == 1
    assert len({one.sync.sync_id for one in started}) == 1
    assert {one.message for one in started} == {"Sync started", "Sync already in progress"}
    assert (await follow(runtime, started[0].sync.sync_id))[-1].active_patients_stored == 12
    assert (await runtime.syncs.history(LOCAL_OPERATOR, ORGANIZATION)).total_syncs == 1


async def test_fifty_starts_from_two_processes_make_one_sync(settings: Settings, cliniko: Cliniko):
    """Fifty starts from two programs on the same database file make a single sync, visible in both."""
    cliniko.emulator.latency_seconds = 0.05
    environment = {**os.environ, "ROUTIQ_DATABASE_URL": settings.database_url, "ROUTIQ_LOG_LEVEL": "ERROR"}
    environment["ROUTIQ_CLINIKO_REQUESTS_PER_MINUTE"] = "0"
    environment["ROUTIQ_ENCRYPTION_KEYS"] = settings.encryption_keys
    async with open_runtime(settings, run_syncs=False) as here:
        await here.connections.connect(LOCAL_OPERATOR, ORGANIZATION, EMULATED_API_KEY, cliniko.base_url, check=False)
        others = [
            await asyncio.create_subprocess_exec(
                *(sys.executable, "-c", STARTS),
                cwd=ROOT,
                env=environment,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
            )
            for _ in range(2)
        ]
        async with asyncio.timeout(LIMIT_SECONDS):
            for other in others:
                assert await other.stdout.readline() == b"ready\n"
            for other in others:
                other.stdin.write(b"\n")
            outputs = [(await other.communicate())[0].decode() for other in others]
        lines = [line for line in "".join(outputs).splitlines() if line.startswith("sync_")]
        assert len(lines) == 50
        assert sum(line.endswith("True") for line in lines) == 1
        assert len({line.split()[0] for line in lines}) == 1
        history = await here.syncs.history(LOCAL_OPERATOR, ORGANIZATION)
        assert (history.total_syncs, history.successful_syncs) == (1, 1)
        assert [other.returncode for other in others] == [0, 0]


async def test_many_organizations_sync_at_once(runtime: Runtime, cliniko: Cliniko):
    """Every clinic gets a sync, none waits for the end of another, and all end correctly."""
    organizations = [f"org_{number}" for number in range(12)]
    for organization in organizations:
        await runtime.connections.connect(LOCAL_OPERATOR, organization, EMULATED_API_KEY, cliniko.base_url, check=False)
    ended = await asyncio.gather(*(run_sync(runtime, organization) for organization in organizations))
    assert {last.active_patients_stored for last in ended} == {12}


async def test_a_sync_ends_at_its_time_limit(settings: Settings, cliniko: Cliniko):
    """A source that never responds doesn't block the organization forever."""
    limit = 8  # seconds: even a busy machine has reached the appointments by then
    async with open_runtime(settings.model_copy(update={"sync_time_limit": limit})) as runtime:
        await runtime.connections.connect(LOCAL_OPERATOR, ORGANIZATION, EMULATED_API_KEY, cliniko.base_url)
        before = await shown_rows(runtime.database)
        cliniko.emulator.faults.add(Fault(FaultKind.HANG, "attendees", only_above_per_page=1))
        last = await run_sync(runtime)
        assert last.status is SyncState.FAILED
        assert last.failure is not None
        assert (last.failure.code, last.failure.step) == (FailureCode.TIME_LIMIT, SyncStep.FETCHING_APPOINTMENTS)
        assert f"{limit} s" in last.failure.message
        assert "ROUTIQ_SYNC_TIME_LIMIT" in last.failure.what_to_do
        assert last.failure.retryable
        assert await shown_rows(runtime.database) == before
        assert await start(runtime) != last.sync_id


async def test_an_organization_can_t_be_started_again_and_again(settings: Settings):
    """Syncs use the clinic's requests to Cliniko; beyond a limit per minute, the response says when to try again."""
    async with open_runtime(settings.model_copy(update={"starts_per_minute": 2})) as runtime:
        for _ in range(2):
            await follow(runtime, await start(runtime))  # ends at once, as there is no connection
        for _ in range(3):
            with pytest.raises(RateLimited) as refused:
                await start(runtime)
            assert 1 <= refused.value.retry_after_seconds <= 60
            assert f"Try again in {refused.value.retry_after_seconds} s" in refused.value.message
        assert (await runtime.syncs.history(LOCAL_OPERATOR, ORGANIZATION)).total_syncs == 2, (
            "a refused one leaves nothing"
        )
        await follow(runtime, (await runtime.syncs.start(LOCAL_OPERATOR, "org_other")).sync.sync_id)
        async with runtime.database.writing() as connection:  # a minute passes for one of them
            oldest = select(func.min(SYNC.c.key)).where(SYNC.c.organization_id == ORGANIZATION).scalar_subquery()
            earlier = utc_now() - timedelta(seconds=61)
            await connection.execute(update(SYNC).where(SYNC.c.key == oldest).values(started_at=earlier))
        await follow(runtime, await start(runtime))
        with pytest.raises(RateLimited):
            await start(runtime)


async def test_asking_for_the_running_sync_is_no_start(settings: Settings, cliniko: Cliniko):
    """Start during a sync returns the running sync, without a limit."""
    async with open_runtime(settings.model_copy(update={"starts_per_minute": 1})) as runtime:
        await runtime.connections.connect(LOCAL_OPERATOR, ORGANIZATION, EMULATED_API_KEY, cliniko.base_url)
        cliniko.emulator.faults.add(Fault(FaultKind.HANG, "patients", only_above_per_page=1))
        sync_id = await start(runtime)
        again = [await runtime.syncs.start(LOCAL_OPERATOR, ORGANIZATION) for _ in range(5)]
        assert {(one.sync.sync_id, one.created) for one in again} == {(sync_id, False)}
        await runtime.syncs.cancel(LOCAL_OPERATOR, sync_id)


async def test_ids_of_syncs_in_one_second_differ(runtime: Runtime):
    """Two syncs that start within a second get `_2`, `_3` and so on, and stay distinct."""
    ids = []
    for _ in range(3):
        ids.append(await start(runtime))
        await runtime.syncs.cancel(LOCAL_OPERATOR, ids[-1])
    assert len(set(ids)) == 3
    assert all(one.startswith(f"sync_{ORGANIZATION}_") for one in ids)
    history = await runtime.syncs.history(LOCAL_OPERATOR, ORGANIZATION)
    assert {sync.sync_id for sync in history.recent_syncs} == set(ids)
