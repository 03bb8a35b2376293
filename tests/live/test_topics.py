"""A follower gets only updates of its sync, even if another has the same id or number."""

import asyncio
from dataclasses import replace

import pytest

from routiq_gql.database.erasure import erase_organization
from routiq_gql.emulator import EMULATED_API_KEY
from routiq_gql.errors import SyncNotFound
from routiq_gql.live import log_feed
from routiq_gql.live.bus import InProcessBus
from routiq_gql.live.topics import DashboardTopic, SyncTopic, topics_of
from routiq_gql.organizations import feeds
from routiq_gql.runtime import Runtime, open_runtime
from routiq_gql.security.viewer import LOCAL_OPERATOR
from routiq_gql.settings import Settings
from routiq_gql.sync.model import SyncSnapshot, SyncState
from routiq_gql.sync.service import SyncService
from tests.emulated_cliniko import Cliniko
from tests.organization import ORGANIZATION
from tests.syncs import follow, run_sync, start
from tests.waiting import LIMIT_SECONDS

OTHER = "org_other"


class Recorder:
    """A listener that keeps everything."""

    def __init__(self) -> None:
        self.snapshots: list[SyncSnapshot] = []

    def on_snapshot(self, snapshot: SyncSnapshot) -> None:
        self.snapshots.append(snapshot)

    def lacks(self, key: int, version: int) -> bool:
        return True


async def _erase(runtime: Runtime) -> None:
    """Erase the organization like another process, without an update to this one."""
    async with runtime.database.writing() as connection:
        await erase_organization(connection, ORGANIZATION)


async def test_topics_of_different_kinds_are_never_equal(runtime: Runtime):
    """A sync, another sync with its number, and an organization with its name are different topics."""
    snapshot = await run_sync(runtime)
    others = [
        replace(snapshot, organization_id=OTHER),
        replace(snapshot, sync_id="sync_other"),
        replace(snapshot, key=snapshot.key + 1),
        replace(snapshot, key=snapshot.key + 1, sync_id="sync_other", organization_id=snapshot.sync_id),
    ]
    topics = SyncTopic.of(snapshot), DashboardTopic(snapshot.organization_id), DashboardTopic(snapshot.sync_id)
    bus = InProcessBus()
    listeners = [Recorder() for _ in topics]
    for topic, listener in zip(topics, listeners, strict=True):
        bus.listen(topic, listener)
    for other in others:
        assert SyncTopic.of(snapshot) not in topics_of(other)
        bus.publish(other)
    bus.publish(snapshot)
    assert [listener.snapshots for listener in listeners] == [[snapshot], [*others[1:3], snapshot], [others[3]]]
    for topic, listener in zip(topics, listeners, strict=True):
        bus.leave(topic, Recorder())
        bus.leave(topic, listener)
    bus.publish(snapshot)
    assert [len(listener.snapshots) for listener in listeners] == [1, 3, 1]


@pytest.mark.both_databases
async def test_an_erased_sync_is_not_followed_on(settings: Settings, cliniko: Cliniko):
    """An organization is erased while its sync is followed; a sync of another one stays hidden, whatever its number."""
    quick = settings.model_copy(update={"reread_seconds": 0.2})
    async with open_runtime(quick, run_syncs=False) as runtime, asyncio.timeout(LIMIT_SECONDS):
        for organization in (ORGANIZATION, OTHER):
            await runtime.connections.connect(
                LOCAL_OPERATOR, organization, EMULATED_API_KEY, cliniko.base_url, check=False
            )
        sync_id = await start(runtime)
        snapshots = runtime.syncs.watch(LOCAL_OPERATOR, sync_id)
        lines = runtime.syncs.watch_log(LOCAL_OPERATOR, sync_id)
        first = await anext(snapshots)
        reading = asyncio.ensure_future(anext(lines))
        await _erase(runtime)
        other = await start(runtime, OTHER)
        second = await runtime.syncs.status(LOCAL_OPERATOR, other)
        assert second.key > first.key
        for version in range(first.version + 1, first.version + 4):
            runtime.bus.publish(replace(second, key=first.key, version=version, last_log_seq=5))
            await asyncio.sleep(0)
        with pytest.raises(SyncNotFound):
            await anext(snapshots)
        with pytest.raises(SyncNotFound):
            await reading


@pytest.mark.both_databases
async def test_the_number_of_an_erased_sync_is_not_given_away(
    settings: Settings, cliniko: Cliniko, monkeypatch: pytest.MonkeyPatch
):
    """A reader in the middle of an erased sync's log gets no lines of the next sync, which gets a new number."""
    monkeypatch.setattr(log_feed, "LOG_BATCH", 1)
    async with open_runtime(settings) as runtime, asyncio.timeout(LIMIT_SECONDS):
        for organization in (ORGANIZATION, OTHER):
            await runtime.connections.connect(LOCAL_OPERATOR, organization, EMULATED_API_KEY, cliniko.base_url)
        sync_id = (await run_sync(runtime)).sync_id
        lines = runtime.syncs.watch_log(LOCAL_OPERATOR, sync_id)
        assert (await anext(lines)).seq == 1
        key = (await runtime.syncs.status(LOCAL_OPERATOR, sync_id)).key
        await _erase(runtime)
        other = await run_sync(runtime, OTHER)
        assert other.key > key
        assert other.last_log_seq > 5
        assert [line async for line in lines] == []


@pytest.mark.both_databases
async def test_a_change_just_before_subscribing_is_not_lost(
    runtime: Runtime, cliniko: Cliniko, monkeypatch: pytest.MonkeyPatch
):
    """The sync is cancelled between reading it and subscribing to it: its follower learns it at once."""
    cliniko.emulator.latency_seconds = 30
    sync_id = await start(runtime)
    status, is_first = SyncService.status, True

    async def then_cancelled(self: SyncService, *arguments: object) -> object:
        nonlocal is_first
        snapshot = await status(self, *arguments)  # type: ignore[arg-type]
        if is_first:
            is_first = False
            await runtime.syncs.cancel(LOCAL_OPERATOR, sync_id)
        return snapshot

    monkeypatch.setattr(SyncService, "status", then_cancelled)
    monkeypatch.setattr(feeds, "REREAD_SECONDS_ELSEWHERE", 30)
    async with asyncio.timeout(4):  # the next safety read would be after five seconds
        assert (await follow(runtime, sync_id))[-1].status is SyncState.CANCELLED
