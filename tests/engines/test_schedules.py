"""Scheduled syncs: spread out, never beside a running sync, and none with a refused key. On both engines."""

import asyncio
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select, update

from routiq_gql.clock import utc_now
from routiq_gql.connections.state import ConnectionState
from routiq_gql.database.tables import CONNECTION, SCHEDULE
from routiq_gql.emulator import EMULATED_API_KEY, Fault, FaultKind
from routiq_gql.engines import scheduler
from routiq_gql.errors import BadInput, Forbidden
from routiq_gql.runtime import Runtime, open_runtime
from routiq_gql.security.viewer import LOCAL_OPERATOR, Viewer
from routiq_gql.settings import Settings
from routiq_gql.sync.model import FailureCode, SyncState
from tests.emulated_cliniko import Cliniko
from tests.organization import ORGANIZATION
from tests.syncs import follow, run_sync, start
from tests.waiting import LIMIT_SECONDS

pytestmark = pytest.mark.both_databases

HOUR = timedelta(hours=1)


async def set_due(
    runtime: Runtime, ago: timedelta = timedelta(seconds=1), organization: str = ORGANIZATION
) -> datetime:
    """Make the schedule overdue by this time; returns its due time."""
    due = utc_now() - ago
    async with runtime.database.writing() as connection:
        await connection.execute(update(SCHEDULE).where(SCHEDULE.c.organization_id == organization).values(next_at=due))
    return due


async def next_at(runtime: Runtime, organization: str = ORGANIZATION) -> datetime | None:
    return (await runtime.syncs.dashboard(LOCAL_OPERATOR, organization)).next_sync_at


async def until_put_off(runtime: Runtime) -> datetime:
    """The next due time, after the current due time has been handled."""
    async with asyncio.timeout(LIMIT_SECONDS):
        while True:
            async with runtime.database.reading() as connection:
                due: datetime = (await connection.execute(select(SCHEDULE.c.next_at))).scalar_one()
            if due > utc_now():
                return due
            await asyncio.sleep(0.05)


async def until_synced(runtime: Runtime, organization: str, number: int = 1) -> None:
    async with asyncio.timeout(LIMIT_SECONDS):
        while (await runtime.syncs.history(LOCAL_OPERATOR, organization)).successful_syncs < number:
            await asyncio.sleep(0.05)


async def test_a_schedule_starts_a_sync_and_shows_the_next(runtime: Runtime):
    """A scheduled sync runs at its time without a click, and the dashboard shows the time of the next."""
    assert await next_at(runtime) is None
    first = await runtime.schedules.begin(LOCAL_OPERATOR, ORGANIZATION, HOUR)
    assert first is not None
    assert utc_now() - timedelta(seconds=1) <= first <= utc_now() + HOUR
    assert await next_at(runtime) == first
    due = await set_due(runtime)
    await until_synced(runtime, ORGANIZATION)
    assert await next_at(runtime) == due + HOUR
    assert await runtime.schedules.end(LOCAL_OPERATOR, ORGANIZATION)
    assert await next_at(runtime) is None
    assert not await runtime.schedules.end(LOCAL_OPERATOR, ORGANIZATION)


async def test_never_beside_a_running_sync(runtime: Runtime, cliniko: Cliniko):
    """A due time during a sync is skipped, and the schedule keeps its later times."""
    cliniko.emulator.latency_seconds = 2  # long enough for dozens of seconds
    sync_id = await start(runtime)
    await runtime.schedules.begin(LOCAL_OPERATOR, ORGANIZATION, HOUR)
    due = await set_due(runtime, timedelta(minutes=150))
    assert await until_put_off(runtime) == due + 3 * HOUR
    assert not (await runtime.syncs.status(LOCAL_OPERATOR, sync_id)).is_terminal
    cliniko.emulator.latency_seconds = 0
    assert (await follow(runtime, sync_id))[-1].status is SyncState.COMPLETED
    assert (await runtime.syncs.history(LOCAL_OPERATOR, ORGANIZATION)).total_syncs == 1


@pytest.mark.parametrize(("kind", "code"), [(FaultKind.STATUS_401, FailureCode.KEY_REFUSED)])
async def test_a_refused_key_pauses_the_schedule_until_it_is_mended(
    runtime: Runtime, cliniko: Cliniko, kind: FaultKind, code: FailureCode
):
    """A refused key pauses the schedule, and a working key resumes it."""
    await runtime.schedules.begin(LOCAL_OPERATOR, ORGANIZATION, HOUR)
    cliniko.emulator.faults.add(Fault(kind, "patients", times=None))
    failed = await run_sync(runtime)
    assert failed.failure is not None
    assert failed.failure.code is code
    assert await next_at(runtime) is None
    await set_due(runtime)
    asked = len(cliniko.emulator.requests)
    await runtime.connections.connect(LOCAL_OPERATOR, "org_other", EMULATED_API_KEY, cliniko.base_url, check=False)
    await runtime.schedules.begin(LOCAL_OPERATOR, "org_other", HOUR)
    await set_due(runtime, organization="org_other")
    async with asyncio.timeout(LIMIT_SECONDS):  # by then the engine has checked both schedules
        while not (await runtime.syncs.history(LOCAL_OPERATOR, "org_other")).failed_syncs:
            await asyncio.sleep(0.05)
    assert (await runtime.syncs.history(LOCAL_OPERATOR, ORGANIZATION)).total_syncs == 1
    assert len(cliniko.emulator.requests) > asked, "the other one was tried"

    cliniko.emulator.faults.clear()
    mended = await runtime.connections.test(LOCAL_OPERATOR, ORGANIZATION)
    assert mended.state is ConnectionState.CONNECTED
    await until_synced(runtime, ORGANIZATION)
    assert await next_at(runtime) is not None


async def set_retry(runtime: Runtime, at: datetime) -> None:
    async with runtime.database.writing() as connection:
        await connection.execute(update(CONNECTION).values(retry_at=at))


async def until_ended(runtime: Runtime, number: int) -> None:
    async with asyncio.timeout(LIMIT_SECONDS):
        while True:
            history = await runtime.syncs.history(LOCAL_OPERATOR, ORGANIZATION)
            if history.failed_syncs + history.successful_syncs >= number:
                return
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("request_number", [1, 2])
async def test_a_denied_connection_recovers_by_itself(runtime: Runtime, cliniko: Cliniko, request_number: int):
    """After a 403 the schedule tries again in an hour, then daily, until it succeeds; the dashboard shows when.

    It makes no difference whether the check of the key is denied or a list that is read afterwards.
    """
    week = timedelta(days=7)
    await runtime.schedules.begin(LOCAL_OPERATOR, ORGANIZATION, week)
    due = utc_now() + timedelta(days=3)
    await set_due(runtime, utc_now() - due)
    denied = Fault(FaultKind.STATUS_403, "patients", times=None, only_above_per_page=request_number - 1)
    cliniko.emulator.faults.add(denied)
    failed = await run_sync(runtime)
    assert failed.failure is not None
    assert failed.failure.code is FailureCode.KEY_LACKS_PERMISSION
    assert near(await next_at(runtime), utc_now() + HOUR)
    await run_sync(runtime)
    assert near(await next_at(runtime), utc_now() + HOUR), "a person who tries does not put it off"

    # The second time was written while the clock was two years ahead.
    for number, from_now in ((3, timedelta(seconds=-1)), (4, timedelta(days=730))):
        await set_retry(runtime, utc_now() + from_now)
        await until_ended(runtime, number)
        assert near(await next_at(runtime), utc_now() + timedelta(days=1))

    cliniko.emulator.faults.clear()
    await set_retry(runtime, utc_now() - timedelta(seconds=1))
    await until_synced(runtime, ORGANIZATION)
    dashboard = await runtime.syncs.dashboard(LOCAL_OPERATOR, ORGANIZATION)
    assert dashboard.connection is not None
    assert (dashboard.connection.state, dashboard.connection.problem) == (ConnectionState.CONNECTED, None)
    assert near(dashboard.next_sync_at, due)
    async with runtime.database.reading() as connection:
        assert (await connection.execute(select(CONNECTION.c.retry_at))).scalar_one() is None


def near(found: datetime | None, expected: datetime) -> bool:
    return found is not None and abs(found - expected) < timedelta(minutes=5)


async def test_a_retry_that_reaches_nothing_is_not_repeated_at_once(runtime: Runtime, cliniko: Cliniko):
    """If Cliniko is down when a denied connection is tried, the next attempt is a day later."""
    await runtime.schedules.begin(LOCAL_OPERATOR, ORGANIZATION, HOUR)
    cliniko.emulator.faults.add(Fault(FaultKind.STATUS_403, "patients", times=None))
    await run_sync(runtime)
    cliniko.emulator.faults.clear()
    cliniko.emulator.faults.add(Fault(FaultKind.STATUS_503, times=None))
    await set_retry(runtime, utc_now() - timedelta(seconds=1))
    await until_ended(runtime, 2)
    assert near(await next_at(runtime), utc_now() + timedelta(days=1))


async def test_a_block_of_this_server_leaves_the_key_alone(runtime: Runtime, cliniko: Cliniko):
    """If Cliniko blocks this server, no key or role is at fault: connection and schedule stay."""
    await runtime.schedules.begin(LOCAL_OPERATOR, ORGANIZATION, HOUR)
    cliniko.emulator.faults.add(Fault(FaultKind.STATUS_403, times=None))
    failed = await run_sync(runtime)
    assert failed.failure is not None
    assert failed.failure.code is FailureCode.CLINIKO_UNREACHABLE
    assert "blocks this server" in failed.failure.message
    dashboard = await runtime.syncs.dashboard(LOCAL_OPERATOR, ORGANIZATION)
    assert dashboard.connection is not None
    assert dashboard.connection.state is ConnectionState.CONNECTED
    assert dashboard.next_sync_at is not None


async def test_a_disconnected_organization_is_not_synced(runtime: Runtime):
    """Without a connection a schedule waits; erasing an organization deletes its schedule."""
    await runtime.schedules.begin(LOCAL_OPERATOR, ORGANIZATION, HOUR)
    await runtime.connections.disconnect(LOCAL_OPERATOR, ORGANIZATION)
    assert await next_at(runtime) is None
    assert await runtime.schedules.begin(LOCAL_OPERATOR, "org_unknown", HOUR) is None
    assert await runtime.connections.erase(LOCAL_OPERATOR, ORGANIZATION) in {True, False}
    assert not await runtime.schedules.end(LOCAL_OPERATOR, ORGANIZATION)


async def test_after_a_standstill_not_all_begin_at_once(
    settings: Settings, cliniko: Cliniko, monkeypatch: pytest.MonkeyPatch
):
    """Many overdue syncs start a few at a time, each once: first those of the clinics that have waited longest."""
    begun: list[int] = []
    order: list[str] = []
    begin_sync = scheduler.begin_sync

    async def counted(*arguments):
        begun[-1] += 1
        order.append(arguments[2])
        return await begin_sync(*arguments)

    due_schedules = scheduler.due_schedules

    async def asked(*arguments, **options):
        begun.append(0)
        return await due_schedules(*arguments, **options)

    monkeypatch.setattr(scheduler, "begin_sync", counted)
    monkeypatch.setattr(scheduler, "due_schedules", asked)
    organizations = [f"org_{number}" for number in range(8)]
    async with open_runtime(settings, run_syncs=False) as prepared:
        for hours, organization in enumerate(organizations):
            await prepared.connections.connect(
                LOCAL_OPERATOR, organization, EMULATED_API_KEY, cliniko.base_url, check=False
            )
            await prepared.schedules.begin(LOCAL_OPERATOR, organization, HOUR)
            await set_due(prepared, timedelta(days=3, hours=hours), organization)
    async with open_runtime(settings) as runtime:
        for organization in organizations:
            await until_synced(runtime, organization)
        assert {(await runtime.syncs.history(LOCAL_OPERATOR, one)).total_syncs for one in organizations} == {1}
    assert max(begun) == scheduler.MOST_AT_ONCE < len(organizations)
    assert order == organizations[::-1]


@pytest.mark.parametrize("every", [timedelta(minutes=4), timedelta(days=32)])
async def test_a_time_out_of_range_is_refused(runtime: Runtime, every: timedelta):
    """An interval of a second or a year is refused."""
    with pytest.raises(BadInput, match="5 minutes"):
        await runtime.schedules.begin(LOCAL_OPERATOR, ORGANIZATION, every)
    with pytest.raises(Forbidden):
        await runtime.schedules.begin(Viewer("org_else"), ORGANIZATION, HOUR)
