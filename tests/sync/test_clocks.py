"""After a period with a wrong clock, its rows neither hide nor delay later events."""

import asyncio
from datetime import timedelta

import pytest
import time_machine
from sqlalchemy import func, select, text

from routiq_gql.cli.status import judge
from routiq_gql.clock import utc_now
from routiq_gql.database.tables import RETENTION, SCHEDULE
from routiq_gql.emulator import EMULATED_API_KEY, Fault, FaultKind
from routiq_gql.errors import RateLimited
from routiq_gql.runtime import Runtime, open_runtime
from routiq_gql.security.viewer import LOCAL_OPERATOR
from routiq_gql.settings import Settings
from routiq_gql.sync.model import SyncState
from tests.emulated_cliniko import Cliniko
from tests.organization import ORGANIZATION
from tests.syncs import follow, run_sync, start
from tests.waiting import LIMIT_SECONDS

pytestmark = pytest.mark.both_databases

YEARS = timedelta(days=730)
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
async def pruned_once(runtime: Runtime) -> None:
    """Wait for the pruning at the start: with a clock that is years ahead it would delete the rows of these tests."""
    async with asyncio.timeout(LIMIT_SECONDS):
        while not await cutoffs(runtime):
            await asyncio.sleep(0.02)


async def cutoffs(runtime: Runtime) -> int:
    async with runtime.database.reading() as connection:
        return (await connection.execute(select(func.count()).select_from(RETENTION))).scalar_one()


async def next_at(runtime: Runtime) -> list:
    async with runtime.database.reading() as connection:
        return list((await connection.execute(select(SCHEDULE.c.next_at).order_by(SCHEDULE.c.next_at))).scalars())


async def test_the_newest_sync_is_the_one_that_was_started_last(runtime: Runtime, cliniko: Cliniko):
    """A sync with a start in the future doesn't hide later failures."""
    before = await run_sync(runtime)
    with time_machine.travel(utc_now() + YEARS):
        ahead = await run_sync(runtime)
        judged = judge((await runtime.connections.organizations(LOCAL_OPERATOR))[0], 6 * HOUR, utc_now())
        assert (judged.is_stale, judged.next_step) == (False, None)
    cliniko.emulator.faults.add(Fault(FaultKind.STATUS_401, times=None))
    after = await run_sync(runtime)
    assert after.status is SyncState.FAILED
    ids = [after.sync_id, ahead.sync_id, before.sync_id]

    dashboard = await runtime.syncs.dashboard(LOCAL_OPERATOR, ORGANIZATION)
    assert dashboard.last_sync is not None
    assert dashboard.last_successful_sync is not None
    assert [dashboard.last_sync.sync_id, dashboard.last_successful_sync.sync_id] == ids[:2]
    history = await runtime.syncs.history(LOCAL_OPERATOR, ORGANIZATION)
    assert [sync.sync_id for sync in history.recent_syncs] == ids
    assert (history.last_sync_at, history.last_successful_sync_at) == (after.started_at, ahead.completed_at)
    page = await runtime.syncs.history(LOCAL_OPERATOR, ORGANIZATION, limit=1)
    seen = [page.recent_syncs[0].sync_id]
    while page.next_cursor:
        page = await runtime.syncs.history(LOCAL_OPERATOR, ORGANIZATION, limit=1, after=page.next_cursor)
        seen += [sync.sync_id for sync in page.recent_syncs]
    assert seen == ids
    (organization,) = await runtime.connections.organizations(LOCAL_OPERATOR)
    assert organization.last_sync is not None
    assert organization.last_sync.sync_id == after.sync_id
    entries = await runtime.audit.entries(10)
    assert [entry.sync_id for entry in entries if entry.sync_id] == ids


async def test_a_success_in_the_future_is_stale(runtime: Runtime):
    """The age of data with a time in the future is unknown, so the message asks to check the clock."""
    with time_machine.travel(utc_now() + YEARS):
        await run_sync(runtime)
    for limit in (6 * HOUR, None):
        (organization,) = await runtime.connections.organizations(LOCAL_OPERATOR)
        judged = judge(organization, limit, utc_now())
        assert judged.is_stale
        assert judged.next_step is not None
        assert "in the future" in judged.next_step
        assert "clock" in judged.next_step
    await run_sync(runtime)
    (organization,) = await runtime.connections.organizations(LOCAL_OPERATOR)
    assert judge(organization, 6 * HOUR, utc_now()).next_step is None
    almost = organization.last_success_at
    assert almost is not None
    assert not judge(organization, 6 * HOUR, almost - timedelta(seconds=2)).is_stale, "two machines' clocks may differ"


async def test_a_sync_during_which_the_clock_is_set_back_took_no_negative_time(runtime: Runtime, cliniko: Cliniko):
    """A duration is never below zero, and doesn't distort the average."""
    cliniko.emulator.faults.add(Fault(FaultKind.HANG, "patients", only_above_per_page=1))
    with time_machine.travel(utc_now() + YEARS):
        sync_id = await start(runtime)
    await runtime.syncs.cancel(LOCAL_OPERATOR, sync_id)
    ended = (await follow(runtime, sync_id))[-1]
    assert ended.duration_seconds == 0
    async with runtime.database.writing() as connection:
        await connection.execute(text("UPDATE syncs SET status = 'completed'"))
    assert (await runtime.syncs.history(LOCAL_OPERATOR, ORGANIZATION)).average_sync_duration_seconds == 0


@pytest.mark.parametrize("kind", ["ahead", "behind"])
async def test_a_schedule_is_due_within_its_interval_after_the_clock_was_wrong(
    settings: Settings, cliniko: Cliniko, kind: str
):
    """An hourly sync runs within an hour once the clock is right again, and many clinics' syncs are spread."""
    organizations = [f"org_{number}" for number in range(5)]
    wrong = utc_now() + (YEARS if kind == "ahead" else -YEARS)
    # While the clock is years ahead, schedules are made; or they are made, and then the clock goes years back.
    with time_machine.travel(wrong if kind == "ahead" else utc_now()):
        async with open_runtime(settings, run_syncs=False) as runtime:
            for organization in organizations:
                await runtime.connections.connect(
                    LOCAL_OPERATOR, organization, EMULATED_API_KEY, cliniko.base_url, check=False
                )
                await runtime.schedules.begin(LOCAL_OPERATOR, organization, HOUR)
    with time_machine.travel(utc_now() if kind == "ahead" else wrong):
        async with open_runtime(settings, run_syncs=False) as runtime:
            shown = (await runtime.syncs.dashboard(LOCAL_OPERATOR, organizations[0])).next_sync_at
            assert shown is not None
            assert shown <= utc_now() + HOUR, "what people are shown is true"
        async with open_runtime(settings) as runtime, asyncio.timeout(LIMIT_SECONDS):
            while max(times := await next_at(runtime)) > utc_now() + HOUR:
                await asyncio.sleep(0.05)
            assert min(times) > utc_now() + HOUR * 0.4
            assert len(set(times)) == len(organizations)
            shown = (await runtime.syncs.dashboard(LOCAL_OPERATOR, organizations[0])).next_sync_at
            assert shown in times


async def test_a_right_schedule_is_left_alone(runtime: Runtime):
    """The longest regular wait, seen from a machine with another clock, does not cause more syncs."""
    await runtime.schedules.begin(LOCAL_OPERATOR, ORGANIZATION, HOUR)
    latest = utc_now() + HOUR + timedelta(seconds=5)
    async with runtime.database.writing() as connection:
        await connection.execute(SCHEDULE.update().values(next_at=latest))
    await run_sync(runtime)  # by then the engine has checked schedules
    assert await next_at(runtime) == [latest]
    assert (await runtime.syncs.dashboard(LOCAL_OPERATOR, ORGANIZATION)).next_sync_at == latest


async def test_starts_in_the_future_block_no_sync_and_the_limit_still_holds(settings: Settings):
    """After the clock was ahead, an organization can be synced at once, within the usual limit."""
    async with open_runtime(settings.model_copy(update={"starts_per_minute": 2})) as runtime:

        async def start_as_often_as_allowed() -> None:
            for _ in range(2):
                await follow(runtime, await start(runtime))  # ends at once, as there is no connection
            with pytest.raises(RateLimited) as refused:
                await start(runtime)
            assert 1 <= refused.value.retry_after_seconds <= 60

        with time_machine.travel(utc_now() + YEARS):
            await start_as_often_as_allowed()
        await start_as_often_as_allowed()
