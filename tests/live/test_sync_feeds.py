"""One feed reads a sync for all its followers: none misses the newest state or the end, or sees an older state."""

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import update
from structlog.testing import capture_logs

from routiq_gql.clock import utc_now
from routiq_gql.database.engine import Database
from routiq_gql.database.erasure import erase_organization
from routiq_gql.database.tables import SYNC
from routiq_gql.emulator import EMULATED_API_KEY
from routiq_gql.errors import DatabaseAway, SyncNotFound
from routiq_gql.live import sync_feeds
from routiq_gql.organizations.dashboard import Dashboard
from routiq_gql.runtime import Runtime, open_runtime
from routiq_gql.security.viewer import LOCAL_OPERATOR, Viewer
from routiq_gql.settings import Settings
from routiq_gql.sync.model import SyncSnapshot, SyncState
from tests.emulated_cliniko import Cliniko
from tests.live.followers import Recorder, statements
from tests.organization import ORGANIZATION
from tests.syncs import start
from tests.waiting import LIMIT_SECONDS, until

pytestmark = pytest.mark.both_databases

OTHER = "org_other"


@pytest.fixture
async def calm(settings: Settings, cliniko: Cliniko) -> AsyncIterator[Runtime]:
    """A runtime that runs no syncs and hardly ever re-reads: nothing changes but by the test."""
    slow = settings.model_copy(update={"reread_seconds": 60})
    async with AsyncExitStack() as stack:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("routiq_gql.organizations.feeds.REREAD_SECONDS_ELSEWHERE", 60)
            runtime = await stack.enter_async_context(open_runtime(slow, run_syncs=False))
            for organization in (ORGANIZATION, OTHER):
                await runtime.connections.connect(
                    LOCAL_OPERATOR, organization, EMULATED_API_KEY, cliniko.base_url, check=False
                )
            yield runtime
            assert not runtime.syncs.feeds


async def _change(database: Database, snapshot: SyncSnapshot, **values: Any) -> SyncSnapshot:
    """Commit another version of the sync like another process, without a notification."""
    changed = replace(snapshot, version=snapshot.version + 1, **values)
    async with database.writing() as connection:
        statement = update(SYNC).where(SYNC.c.key == snapshot.key)
        await connection.execute(statement.values(version=changed.version, **values))
    return changed


async def _erase(runtime: Runtime, organization_id: str) -> None:
    async with runtime.database.writing() as connection:
        await erase_organization(connection, organization_id)


async def _follow(runtime: Runtime, sync_id: str) -> tuple[Recorder[SyncSnapshot], Any]:
    recorder = Recorder[SyncSnapshot]()
    return recorder, await runtime.syncs.follow_progress(LOCAL_OPERATOR, sync_id, recorder)


async def test_all_followers_are_called_in_the_turn_of_the_publication(calm: Runtime):
    """A change reaches every browser's connection at once, without a statement and without a task per browser."""
    sync_id = await start(calm)
    followers = [await _follow(calm, sync_id) for _ in range(20)]
    snapshot = followers[0][1].value
    assert len(calm.syncs.feeds) == 1
    newer = [replace(snapshot, version=snapshot.version + number) for number in (1, 2, 3)]
    tasks = len(asyncio.all_tasks())
    with statements(calm.database) as executed:
        for one in newer:
            calm.bus.publish(one)
    assert executed == []
    assert len(asyncio.all_tasks()) == tasks
    for recorder, following in followers:
        assert recorder.values == newer, "each of them, and not the state at attachment"
        assert following.value == newer[-1]
        following.close()


async def test_neither_an_old_nor_a_repeated_snapshot_is_shown(calm: Runtime):
    """A notification that is late, or comes twice, never sets the progress bar back."""
    recorder, following = await _follow(calm, await start(calm))
    snapshot = following.value
    third, second = replace(snapshot, version=3), replace(snapshot, version=2)
    for one in (third, second, third, snapshot):
        calm.bus.publish(one)
    assert recorder.values == [third]
    following.close()


async def test_the_end_comes_last_and_once(calm: Runtime):
    """After the final state nothing follows, whatever is published later; then the feed is gone."""
    sync_id = await start(calm)
    followers = [await _follow(calm, sync_id) for _ in range(3)]
    await calm.syncs.cancel(LOCAL_OPERATOR, sync_id)
    snapshot = followers[0][1].value
    assert snapshot.status is SyncState.CANCELLED
    assert not calm.syncs.feeds
    calm.bus.publish(replace(snapshot, version=snapshot.version + 1))
    for recorder, following in followers:
        assert recorder.values[-1] == snapshot == following.value
        assert recorder.ends == [None]
        await following.fresh()
        following.close()
        following.close()
        assert recorder.ends == [None]


async def test_an_ended_sync_has_no_feed(calm: Runtime):
    """A page that opens an old sync gets its final state and waits for nothing."""
    sync_id = await start(calm)
    await calm.syncs.cancel(LOCAL_OPERATOR, sync_id)
    recorder, following = await _follow(calm, sync_id)
    assert following.value.is_terminal
    assert not calm.syncs.feeds
    await following.fresh()
    following.close()
    assert (recorder.values, recorder.ends) == ([], [])


async def test_a_follower_that_fails_stops_no_other(calm: Runtime):
    """An error in one connection is logged without its text, and the others still get every state and the end."""
    sync_id = await start(calm)
    private = "Zoë Quist"

    def fail(_value: object) -> None:
        raise ValueError(private)

    broken = Recorder[SyncSnapshot](fail)
    await calm.syncs.follow_progress(LOCAL_OPERATOR, sync_id, broken)
    recorder, _ = await _follow(calm, sync_id)
    with capture_logs() as logged:
        await calm.syncs.cancel(LOCAL_OPERATOR, sync_id)
    assert recorder.values[-1].is_terminal
    assert recorder.ends == broken.ends == [None]
    assert any((line["event"], line.get("error")) == ("follower_failed", "ValueError") for line in logged)
    assert private not in str(logged)


async def test_followers_may_leave_while_they_are_called(calm: Runtime):
    """A connection that closes itself or others during a change gets nothing more, and the rest gets everything."""
    sync_id = await start(calm)
    followers = [await _follow(calm, sync_id) for _ in range(4)]
    (first, first_place), (second, second_place), (third, third_place), (fourth, fourth_place) = followers

    def leave(_value: SyncSnapshot) -> None:
        first_place.close()
        second_place.close()
        third_place.close()

    second.on_call = leave
    snapshot = first_place.value
    for version in (2, 3):
        calm.bus.publish(replace(snapshot, version=version))
    assert [len(one.values) for one in (first, second, third, fourth)] == [1, 1, 0, 2]
    fourth.on_call = lambda _value: fourth_place.close()
    calm.bus.publish(replace(snapshot, version=4))
    assert not calm.syncs.feeds
    calm.bus.publish(replace(snapshot, version=5))
    assert len(fourth.values) == 3
    assert not any(one.ends for one, _ in followers)


async def test_a_change_caused_by_a_follower_overtakes_nothing(calm: Runtime):
    """If the first connection causes a newer state, the second doesn't get the older one after it."""
    sync_id = await start(calm)
    first, first_place = await _follow(calm, sync_id)
    second, second_place = await _follow(calm, sync_id)
    snapshot = first_place.value
    newest = replace(snapshot, version=9)
    first.on_call = lambda value: calm.bus.publish(newest) if value.version < 9 else None
    calm.bus.publish(replace(snapshot, version=2))
    assert [one.version for one in first.values] == [2, 9]
    assert [one.version for one in second.values] == [9]
    first_place.close()
    second_place.close()


async def test_an_unchanged_database_is_not_read_again(calm: Runtime, database_kind: str):
    """Further browsers that open the same sync cost no statement with SQLite, and one with PostgreSQL."""
    sync_id = await start(calm)
    _, first = await _follow(calm, sync_id)
    with statements(calm.database) as executed:
        _, second = await _follow(calm, sync_id)
        await first.fresh()
    assert len(executed) == (0 if database_kind == "sqlite" else 2)
    first.close()
    second.close()


async def test_what_another_process_has_committed_is_read_once_for_all(calm: Runtime, database_kind: str):
    """A browser that connects gets what is stored now, even without any notification; so do all others."""
    sync_id = await start(calm)
    recorder, following = await _follow(calm, sync_id)
    newer = await _change(calm.database, following.value, patients_found=7)
    with statements(calm.database) as executed:
        joined = await asyncio.gather(*(_follow(calm, sync_id) for _ in range(30)))
    assert len(executed) == 1
    assert all(place.value.patients_found == 7 for _, place in joined)
    assert [one.version for one in recorder.values] == [newer.version]
    newest = await _change(calm.database, newer, patients_found=8)
    await asyncio.gather(*(place.fresh() for _, place in joined))
    assert following.value.patients_found == 8
    assert [one.version for one in recorder.values] == [newer.version, newest.version]
    for place in (following, *(place for _, place in joined)):
        place.close()


async def test_a_slow_read_does_not_bring_an_older_state_back(calm: Runtime, monkeypatch: pytest.MonkeyPatch):
    """While the database is being read, a newer state arrives by notification: it stays."""
    recorder, following = await _follow(calm, await start(calm))
    snapshot = following.value
    read, has_begun, may_end = sync_feeds.syncs_where, asyncio.Event(), asyncio.Event()

    async def slow(*arguments: Any) -> Any:
        rows = await read(*arguments)
        has_begun.set()
        await may_end.wait()
        return rows

    monkeypatch.setattr(sync_feeds, "syncs_where", slow)
    await _change(calm.database, snapshot)
    async with asyncio.timeout(LIMIT_SECONDS):
        reading = asyncio.create_task(following.fresh())
        await has_begun.wait()
        newest = replace(snapshot, version=5)
        calm.bus.publish(newest)
        may_end.set()
        await reading
    assert recorder.values == [newest]
    assert following.value == newest
    following.close()


async def test_an_erased_sync_ends_for_its_followers(calm: Runtime):
    """When a clinic's data are erased, its watchers are told that there is no such sync, and other watchers stay."""
    sync_id, other_id = await start(calm), await start(calm, OTHER)
    recorder, following = await _follow(calm, sync_id)
    other, other_place = await _follow(calm, other_id)
    await _erase(calm, ORGANIZATION)
    await calm.syncs.feeds.reread()
    assert [type(one) for one in recorder.ends] == [SyncNotFound]
    with pytest.raises(SyncNotFound):
        await following.fresh()
    with pytest.raises(SyncNotFound):
        await _follow(calm, sync_id)
    assert (other.values, other.ends) == ([], [])
    other_place.close()


async def test_a_sync_that_reuses_an_id_is_another_sync(calm: Runtime):
    """An id that an erased sync has left is followed as the new sync's, and never shows the old one."""
    sync_id = await start(calm)
    recorder, old = await _follow(calm, sync_id)
    await _erase(calm, ORGANIZATION)
    other = await calm.syncs.status(LOCAL_OPERATOR, await start(calm, OTHER))
    async with calm.database.writing() as connection:
        await connection.execute(update(SYNC).where(SYNC.c.key == other.key).values(sync_id=sync_id))
    _, new = await _follow(calm, sync_id)
    assert (new.value.organization_id, old.value.organization_id) == (OTHER, ORGANIZATION)
    assert [type(one) for one in recorder.ends] == [SyncNotFound]
    calm.bus.publish(replace(new.value, version=9, key=old.value.key))
    assert (new.value.version, old.value.version) == (other.version, 1)
    new.close()


async def test_a_feed_is_shown_only_to_those_who_may_see_the_sync(calm: Runtime):
    """A sync that one clinic watches stays hidden from every other clinic, and from tokens for other syncs."""
    sync_id = await start(calm)
    _, following = await _follow(calm, sync_id)
    for viewer in (
        Viewer(organization_id=OTHER),
        Viewer(organization_id=ORGANIZATION, sync_id="sync_other_20241222_143022"),
    ):
        recorder = Recorder[SyncSnapshot]()
        with pytest.raises(SyncNotFound):
            await calm.syncs.follow_progress(viewer, sync_id, recorder)
        assert recorder.values == []
    for viewer in (Viewer(organization_id=ORGANIZATION), Viewer(organization_id=ORGANIZATION, sync_id=sync_id)):
        (await calm.syncs.follow_progress(viewer, sync_id, Recorder[SyncSnapshot]())).close()
    assert len(calm.syncs.feeds) == 1
    following.close()


async def test_a_database_that_is_away_ends_nothing(calm: Runtime, monkeypatch: pytest.MonkeyPatch):
    """While the database can't be reached, watchers keep the last state; afterwards they get the newest."""
    recorder, following = await _follow(calm, await start(calm))
    newer = await _change(calm.database, following.value)
    with monkeypatch.context() as patched:

        async def away(*_arguments: Any) -> Any:
            raise DatabaseAway("The database can't be reached at the moment.")

        patched.setattr(sync_feeds, "versions_of", away)
        patched.setattr(sync_feeds, "syncs_where", away)
        for read in (calm.syncs.feeds.reread, following.fresh):
            with pytest.raises(DatabaseAway):
                await read()
    assert (recorder.values, recorder.ends) == ([], [])
    await calm.syncs.feeds.reread()
    assert [one.version for one in recorder.values] == [newer.version]
    following.close()


async def test_the_end_is_found_without_a_notification(settings: Settings, cliniko: Cliniko):
    """A process that never hears of a cancel finds it in the database by itself."""
    quick = settings.model_copy(update={"reread_seconds": 0.1})
    async with open_runtime(quick, run_syncs=False) as runtime, asyncio.timeout(LIMIT_SECONDS):
        await runtime.connections.connect(LOCAL_OPERATOR, ORGANIZATION, EMULATED_API_KEY, cliniko.base_url, check=False)
        recorder, following = await _follow(runtime, await start(runtime))
        ended = {"status": "cancelled", "completed_at": utc_now()}
        await _change(runtime.database, following.value, **ended)
        await until(lambda: bool(recorder.ends))
    assert [one.status for one in recorder.values] == [SyncState.CANCELLED]


async def test_a_process_that_stops_releases_its_followers(settings: Settings, cliniko: Cliniko):
    """When a server stops, its followers end with advice to connect again, and no more may join."""
    recorder, dashboards = Recorder[SyncSnapshot](), Recorder[Dashboard]()
    async with open_runtime(settings, run_syncs=False) as runtime:
        await runtime.connections.connect(LOCAL_OPERATOR, ORGANIZATION, EMULATED_API_KEY, cliniko.base_url, check=False)
        sync_id = await start(runtime)
        await runtime.syncs.follow_progress(LOCAL_OPERATOR, sync_id, recorder)
        await runtime.syncs.follow_dashboard(LOCAL_OPERATOR, ORGANIZATION, dashboards)
    for one in (recorder, dashboards):
        assert [type(error) for error in one.ends] == [DatabaseAway]
    with pytest.raises(DatabaseAway):
        await runtime.syncs.follow_dashboard(LOCAL_OPERATOR, ORGANIZATION, dashboards)
    assert not runtime.syncs.feeds


# SQLAlchemy drops a connection to PostgreSQL that is cancelled while it is prepared; it is closed when it is collected.
@pytest.mark.filterwarnings("ignore:.* was deleted while still open:ResourceWarning")
async def test_a_cancelled_attachment_leaves_no_feed(calm: Runtime):
    """A browser that leaves while it connects leaves nothing behind."""
    sync_id = await start(calm)
    for turns in range(12):
        task = asyncio.create_task(_follow(calm, sync_id))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        results = await asyncio.gather(task, return_exceptions=True)
        if isinstance(results[0], tuple):
            results[0][1].close()
        assert not calm.syncs.feeds
    gc.collect()


async def test_a_feed_that_nobody_follows_is_freed(calm: Runtime):
    """A server that has shown a million syncs keeps none of them in memory."""
    _, following = await _follow(calm, await start(calm))
    feed = weakref.ref(next(iter(calm.syncs.feeds.syncs)))
    following.close()
    del following

    def is_freed() -> bool:
        gc.collect()
        return feed() is None

    await until(is_freed)  # a read of it may still be under way
