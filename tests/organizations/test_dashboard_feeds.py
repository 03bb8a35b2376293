"""One feed keeps an organization's dashboard current for all its watchers, and reads it only when it has changed."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from sqlalchemy import update
from structlog.testing import capture_logs

from routiq_gql.clock import utc_now
from routiq_gql.database.erasure import erase_organization, erase_patients
from routiq_gql.database.tables import CONNECTION, MIRROR, SYNC
from routiq_gql.emulator import EMULATED_API_KEY
from routiq_gql.errors import DatabaseAway, Forbidden
from routiq_gql.live.feeds import Following
from routiq_gql.organizations import dashboard as dashboard_module
from routiq_gql.organizations import dashboard_feeds
from routiq_gql.organizations.dashboard import Dashboard
from routiq_gql.organizations.feeds import Feeds
from routiq_gql.runtime import Runtime, open_runtime
from routiq_gql.security.viewer import LOCAL_OPERATOR, Viewer
from routiq_gql.settings import Settings
from routiq_gql.sync.model import SyncMode, SyncSnapshot, SyncState, SyncStep
from tests.emulated_cliniko import Cliniko
from tests.live.followers import Recorder, statements
from tests.organization import ORGANIZATION
from tests.syncs import run_sync, start
from tests.waiting import LIMIT_SECONDS, until

pytestmark = pytest.mark.both_databases

OTHER = "org_other"


@pytest.fixture
async def calm(settings: Settings, cliniko: Cliniko) -> AsyncIterator[Runtime]:
    """A runtime that runs no syncs and hardly ever re-reads, on a database with a completed sync."""
    async with open_runtime(settings) as runtime:
        await runtime.connections.connect(LOCAL_OPERATOR, ORGANIZATION, EMULATED_API_KEY, cliniko.base_url)
        await run_sync(runtime)
    async with AsyncExitStack() as stack:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("routiq_gql.organizations.feeds.REREAD_SECONDS_ELSEWHERE", 60)
            slow = settings.model_copy(update={"reread_seconds": 60})
            runtime = await stack.enter_async_context(open_runtime(slow, run_syncs=False))
            yield runtime
            assert not runtime.syncs.feeds


async def _follow(runtime: Runtime, organization_id: str = ORGANIZATION) -> tuple[Recorder[Dashboard], Any]:
    recorder = Recorder[Dashboard]()
    return recorder, await runtime.syncs.follow_dashboard(LOCAL_OPERATOR, organization_id, recorder)


async def _commit(runtime: Runtime, sync: SyncSnapshot, **values: Any) -> SyncSnapshot:
    """Commit another version of the sync, and publish it."""
    changed = replace(sync, version=sync.version + 1, **values)
    async with runtime.database.writing() as connection:
        statement = update(SYNC).where(SYNC.c.key == sync.key)
        await connection.execute(statement.values(version=changed.version, **values))
    runtime.bus.publish(changed)
    return changed


async def _settled(runtime: Runtime, following: Following[Dashboard]) -> Dashboard:
    """The value once no read is due any more."""
    await until(lambda: not runtime.syncs.feeds.dashboards._reading)
    return following.value


async def test_the_progress_of_a_sync_costs_no_statement(calm: Runtime, readings: list[str]):
    """A thousand updates of a running sync appear on the dashboard at once and without reading the database."""
    await start(calm)
    recorder, following = await _follow(calm)
    before = following.value
    sync = before.current_sync
    assert sync is not None
    newer = [replace(sync, version=sync.version + number, patients_found=number) for number in range(1, 1001)]
    readings.clear()
    with statements(calm.database) as executed:
        for one in newer:
            calm.bus.publish(one)
        calm.bus.publish(newer[5])
    assert (executed, readings) == ([], [])
    assert recorder.values == [replace(before, current_sync=one) for one in newer]
    following.close()


async def test_each_step_start_and_end_is_read(calm: Runtime, readings: list[str]):
    """When a sync starts, enters a step or ends, the rest of the dashboard is read as well, once for all watchers."""
    followers = [await _follow(calm) for _ in range(5)]
    recorder, following = followers[0]
    assert following.value.next_sync is not None
    readings.clear()
    sync_id = await start(calm)
    started = await _settled(calm, following)
    assert started.current_sync is not None
    assert (started.current_sync.sync_id, started.next_sync, len(readings)) == (sync_id, None, 1)
    async with calm.database.writing() as connection:
        await connection.execute(update(CONNECTION).values(role="owner of all"))
    sync = await _commit(calm, started.current_sync, step=SyncStep.CHECKING_CONFIG)
    stepped = await _settled(calm, following)
    assert (stepped.current_sync, len(readings)) == (sync, 2)
    assert stepped.connection is not None
    assert stepped.connection.role == "owner of all"
    await calm.syncs.cancel(LOCAL_OPERATOR, sync_id)
    ended = await _settled(calm, following)
    assert (ended.status, ended.current_sync, len(readings)) == (SyncState.IDLE, None, 3)
    assert ended.last_sync is not None
    assert ended.last_sync.sync_id == sync_id
    for other, place in followers:
        assert other.values == recorder.values
        place.close()


async def test_a_slow_read_does_not_bring_older_progress_back(calm: Runtime, monkeypatch: pytest.MonkeyPatch):
    """Progress published while the dashboard is read stays; an end published meanwhile leads to another read."""
    sync_id = await start(calm)
    recorder, following = await _follow(calm)
    sync = following.value.current_sync
    assert sync is not None
    read, has_begun, may_end = dashboard_module.read_dashboard, asyncio.Event(), asyncio.Event()

    async def slow(*arguments: Any) -> Any:
        dashboard = await read(*arguments)
        has_begun.set()
        await may_end.wait()
        return dashboard

    monkeypatch.setattr(dashboard_module, "read_dashboard", slow)
    async with asyncio.timeout(LIMIT_SECONDS):
        newest = await _commit(calm, sync, step=SyncStep.CHECKING_CONFIG)
        await has_begun.wait()
        for patients in range(5):
            newest = await _commit(calm, newest, patients_found=patients)
        await calm.syncs.cancel(LOCAL_OPERATOR, sync_id)
        assert following.value.current_sync == newest
        may_end.set()
        ended = await _settled(calm, following)
    versions = [one.current_sync.version for one in recorder.values if one.current_sync is not None]
    assert versions == sorted(versions)
    assert ended.status is SyncState.IDLE
    assert ended.last_sync is not None
    assert ended.last_sync.status is SyncState.CANCELLED
    following.close()


async def test_a_late_snapshot_of_an_ended_sync_changes_nothing(calm: Runtime, readings: list[str]):
    """A notification that comes after the end doesn't make the sync run again on the dashboard."""
    sync_id = await start(calm)
    recorder, following = await _follow(calm)
    sync = following.value.current_sync
    assert sync is not None
    await calm.syncs.cancel(LOCAL_OPERATOR, sync_id)
    ended = await _settled(calm, following)
    readings.clear()
    seen = len(recorder.values)
    for late in (replace(sync, version=2), ended.last_sync, ended.last_successful_sync):
        assert late is not None
        calm.bus.publish(late)
    assert (await _settled(calm, following), len(recorder.values), readings) == (ended, seen, [])
    following.close()


Change = Callable[[Runtime], Awaitable[object]]


async def _disconnect(runtime: Runtime) -> None:
    await runtime.connections.disconnect(LOCAL_OPERATOR, ORGANIZATION)


async def _schedule(runtime: Runtime) -> None:
    await runtime.schedules.begin(LOCAL_OPERATOR, ORGANIZATION, timedelta(hours=6))


async def _start_and_cancel(runtime: Runtime) -> None:
    await runtime.syncs.cancel(LOCAL_OPERATOR, await start(runtime))


async def _erase_patients(runtime: Runtime) -> None:
    async with runtime.database.writing() as connection:
        await erase_patients(connection, ORGANIZATION)


async def _erase(runtime: Runtime) -> None:
    async with runtime.database.writing() as connection:
        await erase_organization(connection, ORGANIZATION)


async def _set_back_full_sync(runtime: Runtime) -> None:
    async with runtime.database.writing() as connection:
        await connection.execute(update(MIRROR).values(full_at=utc_now() - timedelta(days=400)))


async def _problem(runtime: Runtime) -> None:
    async with runtime.database.writing() as connection:
        values = {"state": "needs_attention", "problem_code": "KEY_REFUSED", "problem_message": "Refused."}
        await connection.execute(update(CONNECTION).values(**values))


CHANGES: list[Change] = [start, _start_and_cancel, _disconnect, _schedule, _erase_patients, _erase, _problem,
                         _set_back_full_sync]  # fmt: skip


@pytest.mark.parametrize("change", CHANGES, ids=lambda one: one.__name__.strip("_"))
async def test_changes_by_another_process_are_found(calm: Runtime, settings: Settings, change: Change):
    """Whatever another process changes on a dashboard is found by the safety net; other dashboards are not read."""
    recorder, following = await _follow(calm)
    other, other_place = await _follow(calm, OTHER)
    before = following.value
    async with open_runtime(settings, run_syncs=False) as elsewhere:
        await change(elsewhere)
    await calm.syncs.feeds.reread()
    after = await _settled(calm, following)
    assert after != before
    assert after == (await calm.syncs.feeds.dashboards.dashboards.read(ORGANIZATION)).dashboard or change is _problem
    assert recorder.values[-1] == after
    assert other.values == []
    following.close()
    other_place.close()


async def test_commits_that_no_dashboard_shows_lead_to_no_read(calm: Runtime, readings: list[str]):
    """While other clinics sync, a re-read compares fingerprints in one statement and reads no dashboard."""
    recorder, following = await _follow(calm)
    _, other_place = await _follow(calm, OTHER)
    async with calm.database.writing() as connection:
        await connection.execute(update(SYNC).values(claimed_by="someone"))
        await connection.execute(update(MIRROR).values(writing=None, oldest_kept=0))
    readings.clear()
    with statements(calm.database) as executed:
        await calm.syncs.feeds.reread()
        await _settled(calm, following)
    assert (len(executed), readings, recorder.values) == (1, [], [])
    following.close()
    other_place.close()


async def test_progress_by_another_process_is_found(calm: Runtime, readings: list[str]):
    """Progress without a notification appears with the next re-read, from the sync's row alone."""
    await start(calm)
    recorder, following = await _follow(calm)
    async with calm.database.writing() as connection:
        running = SYNC.c.completed_at.is_(None)
        await connection.execute(update(SYNC).where(running).values(version=5, patients_found=9))
    readings.clear()
    await calm.syncs.feeds.reread()
    assert [one.current_sync.patients_found for one in recorder.values if one.current_sync] == [9]
    assert (await _settled(calm, following), readings) == (recorder.values[-1], [])
    following.close()


async def test_a_failed_read_is_repeated(calm: Runtime, monkeypatch: pytest.MonkeyPatch):
    """If the database is away when a sync ends, the dashboard shows the end as soon as the database is back."""
    sync_id = await start(calm)
    recorder, following = await _follow(calm)
    with monkeypatch.context() as patched:

        async def away(*_arguments: Any) -> Any:
            raise DatabaseAway("The database can't be reached at the moment.")

        patched.setattr(dashboard_module, "read_dashboard", away)
        await calm.syncs.cancel(LOCAL_OPERATOR, sync_id)
        assert (await _settled(calm, following)).current_sync is not None
        with pytest.raises(DatabaseAway):
            await following.fresh()
    assert recorder.ends == []
    await calm.syncs.feeds.reread()
    assert (await _settled(calm, following)).status is SyncState.IDLE
    following.close()


async def test_an_unreadable_dashboard_is_logged_without_its_content(calm: Runtime, monkeypatch: pytest.MonkeyPatch):
    """A fault in one clinic's rows is logged by kind and place, and its watchers keep what they have."""
    sync_id = await start(calm)
    _, following = await _follow(calm)
    private = "Zoë Quist"

    async def broken(*_arguments: Any) -> Any:
        raise ValueError(private)

    monkeypatch.setattr(dashboard_module, "read_dashboard", broken)
    monkeypatch.setattr(dashboard_feeds._NOT_READ, "_next_at", float("-inf"))
    with capture_logs() as logged:
        await calm.syncs.cancel(LOCAL_OPERATOR, sync_id)
        assert (await _settled(calm, following)).current_sync is not None
    assert any((line["event"], line.get("error")) == ("dashboard_not_read", "ValueError") for line in logged)
    assert private not in str(logged)
    following.close()


async def test_the_next_sync_follows_the_clock(calm: Runtime):
    """A dashboard that stays open announces a full sync once the last one is old enough, without reading anything."""
    recorder, following = await _follow(calm)
    shown = (await _settled(calm, following)).next_sync
    assert shown is not None
    assert shown.mode is SyncMode.INCREMENTAL
    with time_machine.travel(utc_now() + timedelta(days=60)), statements(calm.database) as executed:
        for feed in calm.syncs.feeds.dashboards:
            feed.note_time()
            feed.note_time()
    assert executed == []
    assert [one.next_sync.mode for one in recorder.values if one.next_sync] == [SyncMode.FULL]
    following.close()


async def test_every_dashboard_gets_its_turn_to_follow_the_clock(calm: Runtime, monkeypatch: pytest.MonkeyPatch):
    """Within a minute each open dashboard is compared with the clock, and not all of them at the same moment."""
    places = [(await _follow(calm, f"org_{number}"))[1] for number in range(30)]
    turns: list[str] = []
    monkeypatch.setattr(dashboard_feeds.DashboardFeed, "note_time", lambda feed: turns.append(feed.organization_id))
    monkeypatch.setattr(Feeds, "interval_seconds", 5)
    most = 0
    for _ in range(12):
        before = len(turns)
        calm.syncs.feeds._note_time()
        most = max(most, len(turns) - before)
    assert sorted(turns) == sorted(f"org_{number}" for number in range(30))
    assert most == 3
    for place in places:
        place.close()


async def test_another_clinic_is_refused(calm: Runtime):
    """A dashboard that one clinic watches is not shown to another."""
    _, following = await _follow(calm)
    with pytest.raises(Forbidden):
        await calm.syncs.follow_dashboard(Viewer(organization_id=OTHER), ORGANIZATION, Recorder[Dashboard]())
    assert len(calm.syncs.feeds) == 1
    following.close()


async def test_a_request_uses_what_watchers_have(calm: Runtime, readings: list[str], database_kind: str):
    """While a dashboard is watched, a request for it is answered from memory, unless something was committed."""
    _, following = await _follow(calm)
    readings.clear()
    assert await calm.syncs.dashboard(LOCAL_OPERATOR, ORGANIZATION) is following.value
    assert len(readings) == (0 if database_kind == "sqlite" else 1)
    async with calm.database.writing() as connection:
        await connection.execute(update(CONNECTION).values(role="new"))
    shown = await calm.syncs.dashboard(LOCAL_OPERATOR, ORGANIZATION)
    assert shown.connection is not None
    assert shown.connection.role == "new"
    assert following.value == shown
    following.close()
