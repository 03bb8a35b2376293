"""Watching changes of patients: each change once and in order, through publications, pauses, restarts and pruning."""

import asyncio
from contextlib import aclosing
from dataclasses import replace

import pytest

from routiq_gql.database.erasure import erase_patients
from routiq_gql.database.publishing import mirror_of
from routiq_gql.database.syncs import sync_by_id
from routiq_gql.errors import BadInput, DatabaseAway, Forbidden, RateLimited
from routiq_gql.patients import change_feed, changes
from routiq_gql.patients.change_cursors import Place, change_cursor
from routiq_gql.patients.change_model import PatientChange
from routiq_gql.runtime import Runtime, open_runtime
from routiq_gql.security.viewer import LOCAL_OPERATOR, NO_RIGHTS, Viewer
from routiq_gql.settings import Settings
from routiq_gql.sync.mapping import snapshot_of
from tests.live.followers import statements
from tests.patients.clinics import ListedClinic, Person
from tests.waiting import LIMIT_SECONDS, until

pytestmark = pytest.mark.both_databases
ORGANIZATION = "org_1"
ANA = Person(1)


@pytest.fixture
async def calm(settings: Settings):
    """A process that runs no syncs and hardly ever re-reads. No watcher and no feed may be left afterwards."""
    slow = settings.model_copy(update={"reread_seconds": 60})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("routiq_gql.organizations.feeds.REREAD_SECONDS_ELSEWHERE", 60)
        async with open_runtime(slow, run_syncs=False) as runtime:
            yield runtime
            assert not len(runtime.patient_changes)
            assert not runtime.syncs.feeds
            assert not runtime.syncs.subscriptions


class Publisher:
    """Publishes syncs of a clinic, each of which gives Ana another phone number, and others besides."""

    def __init__(self, runtime: Runtime, organization_id: str = ORGANIZATION) -> None:
        self.runtime = runtime
        self.clinic = ListedClinic(runtime.database, organization_id)
        self.number = 0

    async def publish(self, *others: int, quietly: bool = False) -> None:
        """Publish a sync, and notify this process of it unless ``quietly``."""
        self.number += 1
        people = [replace(ANA, id=one, phone=str(self.number)) for one in (1, *others)]
        kept = [one for one in self.clinic.people.values() if one.id not in {1, *others}]
        sync_id = await self.clinic.sync([*people, *kept])
        if not quietly:
            async with self.runtime.database.reading() as connection:
                row = await sync_by_id(connection, sync_id)
            assert row is not None
            self.runtime.bus.publish(snapshot_of(row))


class Watch:
    """A task that watches changes, and those that it has got."""

    def __init__(self, runtime: Runtime, after: str | None = None, organization_id: str = ORGANIZATION) -> None:
        self.found: list[PatientChange] = []
        self.error: Exception | None = None
        self.may_take = asyncio.Event()
        self.may_take.set()
        self._runtime, self._after, self._organization_id = runtime, after, organization_id
        self.task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        watched = self._runtime.patient_changes.watch_changes(LOCAL_OPERATOR, self._organization_id, self._after)
        try:
            async with aclosing(watched) as found:
                async for one in found:
                    await self.may_take.wait()
                    self.found.append(one)
        except Exception as error:
            self.error = error

    @property
    def places(self) -> list[tuple[int, int]]:
        return [(one.place.sync, one.place.patient_id) for one in self.found]

    async def wait_for(self, number: int) -> None:
        await until(lambda: len(self.found) >= number or self.task.done())
        assert len(self.found) == number, self.error

    async def stop(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


@pytest.fixture
async def watch(calm: Runtime):
    """Begins to watch, and returns once it does."""
    begun: list[Watch] = []

    async def begin(after: str | None = None) -> Watch:
        open_before = len(calm.syncs.subscriptions)
        one = Watch(calm, after)
        begun.append(one)
        await until(lambda: len(calm.syncs.subscriptions) > open_before or one.task.done())
        await asyncio.sleep(0)
        return one

    yield begin
    for one in begun:
        await one.stop()


@pytest.fixture
async def publisher(calm: Runtime) -> Publisher:
    """A clinic with a first sync."""
    made = Publisher(calm)
    await made.publish(2, 3)
    return made


async def test_a_watcher_gets_what_comes(calm: Runtime, publisher: Publisher, watch):
    """Without a cursor nothing earlier is shown, then each change of each sync once, in order."""
    await publisher.publish(2)
    watcher = await watch()
    await until(lambda: len(calm.patient_changes) == 1)
    for _ in range(3):
        await publisher.publish(2, 5)
    await watcher.wait_for(9)
    keys = publisher.clinic.keys[2:]
    assert watcher.places == [(key, patient) for key in keys for patient in (1, 2, 5)]


async def test_a_cursor_resumes_behind_each_change(calm: Runtime, publisher: Publisher, watch):
    """Whichever change was the last that a client got, it gets all later ones: from the past, then as they come."""
    for _ in range(3):
        await publisher.publish(2, 5)
    whole = await watch(change_cursor(Place.behind(publisher.clinic.keys[0])))
    await whole.wait_for(9)
    resumed = [await watch(one.cursor) for one in whole.found]
    await publisher.publish(2)
    await whole.wait_for(11)
    for number, one in enumerate(resumed, 1):
        await one.wait_for(11 - number)
        assert one.places == whole.places[number:]


async def test_a_page_of_a_sync_leads_to_the_subscription(calm: Runtime, publisher: Publisher, watch):
    """The cursor of a page, also of an empty one, is where the subscription begins."""
    await publisher.publish(2, 3)
    page = await calm.patient_changes.sync_changes(LOCAL_OPERATOR, publisher.clinic.sync_ids[1], first=2)
    rest = await watch(page.cursor)
    await rest.wait_for(1)
    first = await calm.patient_changes.sync_changes(LOCAL_OPERATOR, publisher.clinic.sync_ids[0])
    assert (first.changes, first.is_baseline) == ([], True)
    everything = await watch(first.cursor)
    await everything.wait_for(3)


async def test_publications_during_the_backlog_are_not_lost(
    calm: Runtime, publisher: Publisher, watch, monkeypatch: pytest.MonkeyPatch
):
    """Syncs publish while a client still reads what it has missed, page by page: nothing is lost or repeated."""
    monkeypatch.setattr(changes, "LARGEST_SIZE", 2)
    for _ in range(4):
        await publisher.publish(2, 3)
    watcher = await watch(change_cursor(Place.behind(publisher.clinic.keys[0])))
    watcher.may_take.clear()
    for _ in range(3):
        await publisher.publish(2, 5)
        watcher.may_take.set()
        await asyncio.sleep(0)
        watcher.may_take.clear()
    watcher.may_take.set()
    await watcher.wait_for(21)
    assert watcher.places == sorted(set(watcher.places))


async def test_a_slow_watcher_gets_all_and_delays_no_other(
    calm: Runtime, publisher: Publisher, watch, monkeypatch: pytest.MonkeyPatch
):
    """One client stops reading for many syncs, more than are kept in memory; others go on, and it catches up."""
    monkeypatch.setattr(change_feed, "KEPT_CHANGES", 4)
    slow, quick = await watch(), await watch()
    await until(lambda: len(calm.patient_changes) == 1)
    slow.may_take.clear()
    for number in range(1, 7):
        await publisher.publish(2, 3)
        await quick.wait_for(3 * number)
    assert not slow.found
    slow.may_take.set()
    await slow.wait_for(18)
    assert slow.places == quick.places


async def test_watchers_share_the_reads(calm: Runtime, publisher: Publisher, watch):
    """Twenty watchers of an organization cost as many statements for a sync as one."""
    alone = await watch()
    with statements(calm.database) as of_one:
        await publisher.publish(2)
        await alone.wait_for(2)
    many = [alone] + [await watch() for _ in range(19)]
    await asyncio.sleep(0)
    with statements(calm.database) as of_all:
        await publisher.publish(2)
        for one in many:
            await until(lambda one=one: len(one.found) >= 2)
    assert len([one for one in of_all if "SELECT" in one]) <= len([one for one in of_one if "SELECT" in one])


async def test_a_sync_without_changes_wakes_nobody_and_is_passed(calm: Runtime, publisher: Publisher, watch):
    """Nothing is shown for a quiet sync, and the next change still comes once."""
    watcher = await watch()
    await until(lambda: len(calm.patient_changes) == 1)
    publisher.number -= 1
    await publisher.publish(2, 3)
    await publisher.publish(2)
    await watcher.wait_for(2)
    assert watcher.places == [(publisher.clinic.keys[-1], 1), (publisher.clinic.keys[-1], 2)]


async def test_a_publication_without_a_notification_is_found(
    settings: Settings, calm: Runtime, publisher: Publisher, watch
):
    """A publication of another process, whose notification is lost, is found by re-reading."""
    watcher = await watch()
    await until(lambda: len(calm.patient_changes) == 1)
    await publisher.publish(2, quietly=True)
    await calm.syncs.feeds.reread()
    await watcher.wait_for(2)


async def test_a_restart_loses_and_repeats_nothing(settings: Settings, calm: Runtime, publisher: Publisher, watch):
    """The server stops: the watcher gets an error. With its last cursor it gets the rest from the next server."""
    async with open_runtime(settings, run_syncs=False) as first:
        await publisher.publish(2, 3)
        before = Watch(first, change_cursor(Place.behind(publisher.clinic.keys[0])))
        await before.wait_for(3)
    async with asyncio.timeout(LIMIT_SECONDS):
        await before.task
    assert isinstance(before.error, DatabaseAway)
    await publisher.publish(2)
    async with open_runtime(settings, run_syncs=False) as second:
        after = Watch(second, before.found[-2].cursor)
        await after.wait_for(3)
        assert [*before.places[:-1], *after.places] == sorted({*before.places, *after.places})
        await after.stop()


async def test_a_pruned_cursor_says_so(calm: Runtime, publisher: Publisher, watch):
    """After a long time the changes are no longer kept: the client learns it, with the oldest sync that has some."""
    for _ in range(3):
        await publisher.publish(2)
    keys, ids = publisher.clinic.keys, publisher.clinic.sync_ids
    await publisher.clinic.prune_before(ids[2])
    for place in (Place.behind(keys[0]), Place.behind(keys[1]), Place(keys[2], 1)):
        with pytest.raises(BadInput, match=f"no longer kept. The oldest sync with changes is {ids[3]}"):
            await calm.patient_changes.require_watchable(LOCAL_OPERATOR, ORGANIZATION, change_cursor(place))
        watcher = await watch(change_cursor(place))
        await asyncio.gather(watcher.task)
        assert isinstance(watcher.error, BadInput)
    kept = await watch(change_cursor(Place.behind(keys[2])))
    await kept.wait_for(2)


async def test_patients_that_are_read_anew_end_a_watch(calm: Runtime, publisher: Publisher, watch):
    """The organization gets another account: a watcher can't go on from the old patients, and is told so."""
    watcher = await watch()
    await until(lambda: len(calm.patient_changes) == 1)
    async with calm.database.writing() as connection:
        await erase_patients(connection, ORGANIZATION)
    publisher.clinic = anew = ListedClinic(calm.database, ORGANIZATION)
    anew.mirror, anew.sync_ids = await _mirror(calm), list(map(str, range(5)))
    await publisher.publish(2)
    await anew.prune_before(anew.sync_ids[-1])
    await publisher.publish(2)
    async with asyncio.timeout(LIMIT_SECONDS):
        await watcher.task
    assert isinstance(watcher.error, BadInput)


async def _mirror(runtime: Runtime) -> int:
    async with runtime.database.reading() as connection:
        row = await mirror_of(connection, ORGANIZATION)
    assert row is not None
    return row.number


async def test_foreign_cursors_and_viewers_are_refused(calm: Runtime, publisher: Publisher):
    """Another organization's cursor, an unknown sync's, or a difference's is refused, and so is a wrong viewer."""
    other = Publisher(calm, "org_2")
    await other.publish()
    own = publisher.clinic.keys[0]
    for place in (Place.behind(other.clinic.keys[0]), Place(other.clinic.keys[0], 1), Place(10**9, 1)):
        with pytest.raises(BadInput, match="not a cursor of this organization"):
            await calm.patient_changes.require_watchable(LOCAL_OPERATOR, ORGANIZATION, change_cursor(place))
    with pytest.raises(BadInput, match="difference"):
        cursor = change_cursor(Place(own, 1), since=own)
        await calm.patient_changes.require_watchable(LOCAL_OPERATOR, ORGANIZATION, cursor)
    sync_id = publisher.clinic.sync_ids[0]
    for viewer in (Viewer("org_2"), Viewer(ORGANIZATION, NO_RIGHTS), Viewer(ORGANIZATION, sync_id=sync_id)):
        with pytest.raises(Forbidden):
            await anext(calm.patient_changes.watch_changes(viewer, ORGANIZATION))
        with pytest.raises(Forbidden):
            await calm.patient_changes.require_watchable(viewer, ORGANIZATION, None)


async def test_an_organization_without_patients_can_be_watched(settings: Settings, calm: Runtime, watch):
    """Before the first sync there is nothing; the first is a baseline; the second has changes."""
    watcher = await watch()
    await until(lambda: len(calm.patient_changes) == 1)
    first = Publisher(calm)
    await first.publish(2)
    await first.publish(2)
    await watcher.wait_for(2)
    assert watcher.places == [(first.clinic.keys[1], 1), (first.clinic.keys[1], 2)]


async def test_watchers_count_as_subscriptions(settings: Settings):
    """An organization can't have more watchers than subscriptions; one that leaves makes room."""
    few = settings.model_copy(update={"max_subscriptions": 1})
    async with open_runtime(few, run_syncs=False) as runtime:
        watcher = Watch(runtime)
        await until(lambda: len(runtime.syncs.subscriptions) == 1)
        with pytest.raises(RateLimited):
            await anext(runtime.patient_changes.watch_changes(LOCAL_OPERATOR, ORGANIZATION))
        await watcher.stop()
        await runtime.patient_changes.require_watchable(LOCAL_OPERATOR, ORGANIZATION, None)


async def test_reading_changes_is_audited(settings: Settings):
    """Each watcher's changes are in the audit log with their number, and without names."""
    async with open_runtime(settings, run_syncs=False) as runtime:
        publisher = Publisher(runtime)
        await publisher.publish(2)
        await publisher.publish(2)
        await runtime.patient_changes.sync_changes(LOCAL_OPERATOR, publisher.clinic.sync_ids[1])
        watcher = Watch(runtime, change_cursor(Place.behind(publisher.clinic.keys[0])))
        await watcher.wait_for(2)
        await watcher.stop()
    async with open_runtime(settings, run_syncs=False) as runtime:
        (entry,) = await runtime.audit.entries(10)
        assert (entry.list, entry.count, entry.times) == ("changes", 4, 2)


@pytest.mark.postgres_only
async def test_another_process_is_notified_of_a_publication(settings: Settings, calm: Runtime, publisher: Publisher):
    """With PostgreSQL a sync that another process publishes reaches the watchers of this one at once."""
    slow = settings.model_copy(update={"reread_seconds": 60})
    async with open_runtime(slow, run_syncs=False) as other:
        watcher = Watch(calm)
        await until(lambda: len(calm.patient_changes) == 1)
        publisher.runtime = other
        async with asyncio.timeout(LIMIT_SECONDS):
            while not watcher.found:  # the first notifications may come before the listener has connected
                await publisher.publish(2)
                await asyncio.sleep(0.2)
        await watcher.stop()
