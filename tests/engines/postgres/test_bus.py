"""Updates between processes: sent in batches, in pieces of a limited size, and not needed to see the end of a sync."""

import asyncio
import itertools
import json
import time

import pytest
from sqlalchemy import text

from routiq_gql.database.connections import save_connection
from routiq_gql.emulator import EMULATED_API_KEY
from routiq_gql.engines.postgres.bus import PostgresBus, payloads_of
from routiq_gql.runtime import open_runtime
from routiq_gql.security.viewer import LOCAL_OPERATOR
from routiq_gql.settings import Settings
from routiq_gql.sync.model import SyncSnapshot, SyncState, SyncStep
from tests.api.test_followers import DISCONNECTED
from tests.emulated_cliniko import Cliniko
from tests.engines.postgres.processes import LIMIT_SECONDS
from tests.engines.postgres.test_queue import idle
from tests.live.followers import Recorder
from tests.organization import ORGANIZATION
from tests.syncs import follow, start
from tests.waiting import until

pytestmark = pytest.mark.postgres_only


def test_updates_are_split_into_sizes_that_postgresql_accepts():
    """With any number of running syncs and the longest ids, each piece is below 8,000 bytes and none is lost."""
    organization = "o" * 64
    news = [(key, 7, f"sync_{organization}_20261123_000000_{key}", organization) for key in range(10**6, 10**6 + 500)]
    payloads = list(payloads_of("12345678", news, {1, 2, 3}))
    assert all(len(payload.encode()) < 8_000 for payload in payloads)
    told = [json.loads(payload) for payload in payloads]
    assert [tuple(one) for payload in told for one in payload["news"]] == news
    assert [payload["stop"] for payload in told] == [[1, 2, 3], *[[]] * (len(told) - 1)]
    assert len(payloads) < 20
    assert list(map(json.loads, payloads_of("12345678", [], {9}))) == [{"from": "12345678", "news": [], "stop": [9]}]


async def test_a_watcher_at_another_process_gets_every_step(settings: Settings, cliniko: Cliniko):
    """A browser at one server follows a sync on another machine step by step."""
    cliniko.emulator.latency_seconds = 0.05
    slow_poll = settings.model_copy(update={"reread_seconds": 60})
    async with idle(slow_poll, cliniko) as api, open_runtime(settings):
        snapshots = await follow(api, await start(api))
    assert snapshots[-1].status is SyncState.COMPLETED
    assert len({one.step for one in snapshots} & set(SyncStep)) >= 5
    versions = [one.version for one in snapshots]
    assert versions == sorted(set(versions))


async def test_a_lost_listener_reconnects_and_watchers_get_the_end(settings: Settings, cliniko: Cliniko):
    """The listening connection breaks in the middle of a sync; the subscription stays and gets the end."""
    cliniko.emulator.latency_seconds = 0.1
    async with idle(settings, cliniko) as api, open_runtime(settings):
        sync_id = await start(api)
        following = asyncio.create_task(follow(api, sync_id))
        async with asyncio.timeout(LIMIT_SECONDS):
            while not cliniko.emulator.requests:
                await asyncio.sleep(0.01)
        listeners = "FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN routiq%'"
        cut = f"SELECT count(pg_terminate_backend(pid)) {listeners}"
        async with api.database.writing() as connection:
            assert (await connection.execute(text(cut))).scalar_one() >= 1
        assert (await following)[-1].status is SyncState.COMPLETED


async def test_without_any_update_watched_rows_are_read(
    settings: Settings, cliniko: Cliniko, monkeypatch: pytest.MonkeyPatch
):
    """Without any update a follower still sees the end, as the rows are read every few seconds."""
    monkeypatch.setattr(PostgresBus, "_take", lambda *_: None)
    async with idle(settings.model_copy(update={"reread_seconds": 0.2}), cliniko) as api, open_runtime(settings):
        assert (await follow(api, await start(api)))[-1].status is SyncState.COMPLETED


async def test_a_dashboard_elsewhere_follows_too(settings: Settings, cliniko: Cliniko):
    """A follower of the organization sees the beginning and the end of its syncs, wherever they were started."""
    cliniko.emulator.latency_seconds = 0.05
    async with idle(settings, cliniko) as api, open_runtime(settings) as worker, asyncio.timeout(LIMIT_SECONDS):
        seen = []
        async for dashboard in api.syncs.watch_dashboard(LOCAL_OPERATOR, ORGANIZATION):
            if not seen:
                await start(worker)
            seen.append(dashboard.status)
            if dashboard.last_successful_sync is not None:
                break
    assert seen[0] is SyncState.IDLE is seen[-1]
    assert SyncState.FETCHING_PATIENTS in seen or SyncState.FETCHING_APPOINTMENTS in seen


async def test_updates_are_sent_together(settings: Settings, cliniko: Cliniko, monkeypatch: pytest.MonkeyPatch):
    """With any number of changes, a process sends updates at most ten times a second."""
    times: list[float] = []
    flush = PostgresBus._flush

    async def counted(self: PostgresBus) -> None:
        if self._updates:
            times.append(time.monotonic())
        await flush(self)

    monkeypatch.setattr(PostgresBus, "_flush", counted)
    async with open_runtime(settings) as worker, idle(settings, cliniko):
        await follow(worker, await start(worker))
        gaps = [after - before for before, after in itertools.pairwise(times)]
    assert len(times) >= 2
    assert min(gaps[:-1], default=1) > 0.09, "the last one is sent when the process ends"


async def test_updates_of_a_namesake_reach_no_follower(settings: Settings, cliniko: Cliniko):
    """An organization elsewhere has the id of a followed sync: the follower gets none of its updates."""
    slow_poll = settings.model_copy(update={"reread_seconds": 60})
    async with idle(slow_poll, cliniko) as api, asyncio.timeout(LIMIT_SECONDS):
        sync_id = await start(api)
        async with api.database.writing() as connection:
            await save_connection(connection, sync_id, DISCONNECTED)  # only earlier versions accepted such an id
        await api.connections.connect(LOCAL_OPERATOR, sync_id, EMULATED_API_KEY, cliniko.base_url, check=False)
        following = asyncio.create_task(follow(api, sync_id))
        while not api.syncs.subscriptions:
            await asyncio.sleep(0.01)
        seen = []
        async for dashboard in api.syncs.watch_dashboard(LOCAL_OPERATOR, sync_id):
            if not seen:
                theirs = await start(api, sync_id)
            seen.append(dashboard)
            if dashboard.current_sync is not None:
                break
        assert dashboard.current_sync.sync_id == theirs
        async with open_runtime(settings):
            snapshots = await following
    assert {one.sync_id for one in snapshots} == {sync_id}
    assert snapshots[-1].status is SyncState.COMPLETED


async def test_only_processes_that_lack_a_state_read_it(settings: Settings, cliniko: Cliniko):
    """A process without watchers reads no row for a notification, nor does one that has the newest state."""
    slow = settings.model_copy(update={"reread_seconds": 60})
    async with idle(slow, cliniko) as watching, idle(slow, cliniko) as unwatched, asyncio.timeout(LIMIT_SECONDS):
        snapshot = await watching.syncs.status(LOCAL_OPERATOR, await start(watching))
        recorder = Recorder[SyncSnapshot]()
        following = await watching.syncs.follow_progress(LOCAL_OPERATOR, snapshot.sync_id, recorder)
        newer = (snapshot.key, snapshot.version + 1, snapshot.sync_id, ORGANIZATION)
        for runtime, update, is_read in (
            (watching, (snapshot.key, snapshot.version, snapshot.sync_id, ORGANIZATION), False),
            (watching, (snapshot.key, snapshot.version + 1, "sync_other_20241222_143022", "org_other"), False),
            (unwatched, newer, False),
            (watching, newer, True),
        ):
            bus = runtime.bus
            assert isinstance(bus, PostgresBus)
            bus._take(json.dumps({"from": "elsewhere", "news": [update], "stop": []}))
            assert bool(bus._heard) == is_read
            await until(lambda bus=bus: not bus._heard)
        following.close()


async def test_a_gap_leads_to_a_read_of_everything_watched(
    settings: Settings, cliniko: Cliniko, monkeypatch: pytest.MonkeyPatch
):
    """After the connection for notifications was lost, whatever was missed meanwhile is found at once."""
    slow = settings.model_copy(update={"reread_seconds": 60})
    async with idle(slow, cliniko) as api, idle(slow, cliniko) as other, asyncio.timeout(LIMIT_SECONDS):
        sync_id = await start(api)
        recorder = Recorder[SyncSnapshot]()
        await api.syncs.follow_progress(LOCAL_OPERATOR, sync_id, recorder)
        monkeypatch.setattr(PostgresBus, "_take", lambda *_: None)
        await other.syncs.cancel(LOCAL_OPERATOR, sync_id)
        assert recorder.values == []
        assert isinstance(api.bus, PostgresBus)
        api.bus._on_gap()
        await until(lambda: bool(recorder.ends))
    assert [one.status for one in recorder.values] == [SyncState.CANCELLED]
