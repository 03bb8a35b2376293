"""Time-only syncs: lists of patients change when time alone changes them, and running syncs don't notice."""

import asyncio
from contextlib import aclosing
from dataclasses import fields
from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, select

from routiq_gql.cliniko.looking import NEWEST_ROWS
from routiq_gql.database.engine import Database
from routiq_gql.database.history import TIME_ONLY
from routiq_gql.database.mirror import visible
from routiq_gql.database.publishing import mirror_of
from routiq_gql.database.rows import MirrorRow, SyncRow
from routiq_gql.database.syncs import syncs_where
from routiq_gql.database.tables import ACTIVITY, LISTING, SYNC
from routiq_gql.database.time_only import DueMirror, due_mirrors
from routiq_gql.emulator import Fault, FaultKind
from routiq_gql.engines import time_only
from routiq_gql.engines.time_only import TimeOnlySyncs
from routiq_gql.errors import BadInput
from routiq_gql.live.bus import InProcessBus
from routiq_gql.patients.lists import PatientList
from routiq_gql.patients.rules import Terms
from routiq_gql.runtime import Runtime
from routiq_gql.security.viewer import LOCAL_OPERATOR
from routiq_gql.sync.checkpoint_json import read_plan
from routiq_gql.sync.model import SyncMode, SyncSnapshot, SyncState
from tests.emulated_cliniko import Cliniko
from tests.engines.refreshing import looks_of
from tests.organization import ORGANIZATION
from tests.sync.histories.oracle import content_of, lists_of
from tests.syncs import follow, run_sync, shown_rows
from tests.waiting import LIMIT_SECONDS

pytestmark = pytest.mark.both_databases

MILLISECOND = timedelta(milliseconds=1)
OWN = {"key", "sync_id", "mode", "started_at", "completed_at", "last_updated", "analyzed_at", "current_step", "changes"}
OWN |= {"steps", "version", "epoch", "claimed_by", "started_by", "active_patients_identified", "active_patients_stored"}
"""Columns in which a time-only sync differs, and those that it leaves out: request, receipt, wait and log."""
OWN |= {"checkpoint", "baseline", "last_log_seq", "requests", "waited_seconds", "receipt", "time_zone"}


async def mirror_now(database: Database) -> MirrorRow:
    async with database.reading() as connection:
        mirror = await mirror_of(connection, ORGANIZATION)
    assert mirror is not None
    return mirror


async def next_moment(database: Database) -> datetime:
    """When time alone changes a published result next."""
    mirror = await mirror_now(database)
    async with database.reading() as connection:
        query = select(func.min(ACTIVITY.c.changes_at)).where(visible(ACTIVITY, mirror.number, mirror.sync))
        moment = (await connection.execute(query)).scalar_one()
    assert moment is not None
    return moment


async def lists_at(database: Database, sync: int) -> dict[str, set[int]]:
    mirror = await mirror_now(database)
    found: dict[str, set[int]] = {one.name: set() for one in PatientList}
    async with database.reading() as connection:
        query = select(LISTING.c.list, LISTING.c.id).where(visible(LISTING, mirror.number, sync))
        for number, patient in await connection.execute(query):
            found[PatientList(number).name].add(patient)
    return found


async def row_of(database: Database, key: int) -> SyncRow:
    async with database.reading() as connection:
        (row,) = await syncs_where(connection, SYNC.c.key == key)
    return row


def chore(runtime: Runtime) -> TimeOnlySyncs:
    return TimeOnlySyncs(runtime.database, runtime.bus)


async def publish(runtime: Runtime, now: datetime) -> SyncSnapshot | None:
    mirror = await mirror_now(runtime.database)
    return await chore(runtime).publish_due(DueMirror(mirror.number, ORGANIZATION), now)


async def test_a_patient_leaves_a_list_exactly_when_it_was_announced(runtime: Runtime, cliniko: Cliniko):
    """Lists change at the announced moment and not a millisecond before, and Cliniko is asked nothing."""
    await run_sync(runtime)
    first, requests = await mirror_now(runtime.database), len(cliniko.emulator.requests)
    shown = {first.sync: await lists_at(runtime.database, first.sync)}
    left = False
    for _ in range(8):
        mirror, moment = await mirror_now(runtime.database), await next_moment(runtime.database)
        assert await publish(runtime, moment - MILLISECOND) is None
        assert await mirror_now(runtime.database) == mirror
        snapshot = await publish(runtime, moment)
        assert snapshot is not None
        assert (snapshot.status, snapshot.mode) == (SyncState.COMPLETED, SyncMode.TIME_ONLY)
        row = await row_of(runtime.database, snapshot.key)
        assert (row.analyzed_at, row.horizon_from) == (moment, first.horizon_from)
        after = await mirror_now(runtime.database)
        kept = ("mark", "full_at", "published_at", "horizon_from", "patients_in_cliniko", "account", "writing")
        assert {name: getattr(after, name) for name in kept} == {name: getattr(first, name) for name in kept}
        assert after.sync == snapshot.key > mirror.sync
        lists = shown[after.sync] = await lists_at(runtime.database, after.sync)
        assert first.horizon_from is not None
        terms = Terms.at(moment, 30, 30, 26, first.horizon_from)
        assert lists == lists_of(content_of(cliniko.emulator.clinic, first.horizon_from), terms)
        assert len(lists["ACTIVE"]) == row.active_patients_stored
        left = left or bool(shown[mirror.sync]["UPCOMING"] - lists["UPCOMING"])
    assert left
    assert len(cliniko.emulator.requests) == requests
    for sync, lists in shown.items():
        assert await lists_at(runtime.database, sync) == lists, "an earlier sync shows its lists"
    last = await run_sync(runtime, mode=SyncMode.INCREMENTAL)
    assert (last.status, last.mode) == (SyncState.COMPLETED, SyncMode.INCREMENTAL)


async def test_a_time_only_sync_does_not_hide_that_a_sync_has_failed(runtime: Runtime, cliniko: Cliniko):
    """Changes found by a look whose sync failed are read after a time-only sync in between."""
    await run_sync(runtime)
    looks = looks_of(runtime, is_elsewhere=True)
    reading = Fault(FaultKind.STATUS_500, "patients", times=None, only_above_per_page=NEWEST_ROWS)
    cliniko.emulator.faults.add(reading)
    cliniko.emulator.clinic.rename("9", first_name="Zoë")
    failed = await looks.look()
    assert failed is not None
    assert failed.status is SyncState.FAILED
    cliniko.emulator.faults.clear()
    async with asyncio.timeout(LIMIT_SECONDS):
        while await publish(runtime, await next_moment(runtime.database)) is None:
            await asyncio.sleep(0.01)  # until the rows of the failed sync are removed
    assert await looks.look() is not None
    assert any(row[2] == "Zoë" for row in (await shown_rows(runtime.database))["PATIENTS"])
    assert await publish(runtime, await next_moment(runtime.database)) is not None
    assert await looks.look() is None


async def test_a_time_only_sync_is_no_sync_of_the_history(runtime: Runtime):
    """History, last sync, averages and freshness are those of syncs that asked Cliniko; its own status is known."""
    real = await run_sync(runtime)
    before = await runtime.syncs.history(LOCAL_OPERATOR, ORGANIZATION)
    dashboard = await runtime.syncs.dashboard(LOCAL_OPERATOR, ORGANIZATION)
    snapshot = await publish(runtime, await next_moment(runtime.database))
    assert snapshot is not None
    assert await runtime.syncs.history(LOCAL_OPERATOR, ORGANIZATION) == before
    after = await runtime.syncs.dashboard(LOCAL_OPERATOR, ORGANIZATION)
    assert (after.last_sync, after.current_sync) == (real, None)
    assert after.freshness == dashboard.freshness
    found = await runtime.syncs.status(LOCAL_OPERATOR, snapshot.sync_id)
    assert (found.mode, found.status, found.receipt) == (SyncMode.TIME_ONLY, SyncState.COMPLETED, None)
    assert SyncMode.TIME_ONLY.value == TIME_ONLY
    with pytest.raises(BadInput, match="by itself"):
        await runtime.syncs.start(LOCAL_OPERATOR, ORGANIZATION, SyncMode.TIME_ONLY)


async def test_an_open_dashboard_shows_what_time_has_changed(runtime: Runtime, monkeypatch: pytest.MonkeyPatch):
    """Figures on an open page change by themselves when time alone moves a patient out, without a sync or a reload."""
    await run_sync(runtime)
    watched = runtime.syncs.watch_dashboard(LOCAL_OPERATOR, ORGANIZATION)
    shown = [(await anext(watched)).patient_stats]
    async with asyncio.timeout(LIMIT_SECONDS), aclosing(watched):
        while shown[-1].active_patients == shown[0].active_patients:
            moment = await next_moment(runtime.database)
            monkeypatch.setattr(time_only, "utc_now", lambda moment=moment: moment)
            row = await row_of(runtime.database, (await mirror_now(runtime.database)).sync)
            assert not await chore(runtime).step()
            published = await row_of(runtime.database, (await mirror_now(runtime.database)).sync)
            assert published.key > row.key
            while shown[-1].active_patients != published.active_patients_stored:
                shown.append((await anext(watched)).patient_stats)
    assert shown[-1].patients_in_cliniko == shown[0].patients_in_cliniko
    assert shown[-1].last_sync_time == shown[0].last_sync_time, "the time of the data is that of the last real sync"


async def test_a_running_sync_is_not_disturbed(runtime: Runtime, monkeypatch: pytest.MonkeyPatch):
    """While a sync runs nothing is published beside it, and it completes."""
    await run_sync(runtime)
    moment = await next_moment(runtime.database)
    tried: list[SyncSnapshot | None] = []
    started = await runtime.syncs.start(LOCAL_OPERATOR, ORGANIZATION, SyncMode.FULL)
    async for snapshot in runtime.syncs.watch(LOCAL_OPERATOR, started.sync.sync_id):
        if not snapshot.is_terminal:
            tried.append(await publish(runtime, moment))
    found = [one for one in tried if one is not None]
    assert all(one.key > started.sync.key for one in found), "only a sync that had ended meanwhile"
    last = await runtime.syncs.status(LOCAL_OPERATOR, started.sync.sync_id)
    assert last.status is SyncState.COMPLETED, last.failure


async def test_two_processes_and_a_start_at_once(runtime: Runtime, database_url: str):
    """Two processes publish one time-only sync, and a sync that is started at that moment completes."""
    await run_sync(runtime)
    other = Database(database_url)
    try:
        for _ in range(4):
            moment, mirror = await next_moment(runtime.database), await mirror_now(runtime.database)
            due = DueMirror(mirror.number, ORGANIZATION)
            chores = [chore(runtime), TimeOnlySyncs(other, InProcessBus())]
            first, second, started = await asyncio.gather(
                *(one.publish_due(due, moment) for one in chores),
                runtime.syncs.start(LOCAL_OPERATOR, ORGANIZATION, SyncMode.INCREMENTAL),
            )
            published = [one.key for one in (first, second) if one is not None]
            assert len(published) <= 1
            assert started.created
            last = (await follow(runtime, started.sync.sync_id))[-1]
            assert last.status is SyncState.COMPLETED, last.failure
            assert (await mirror_now(runtime.database)).sync == last.key
            assert all(key != last.key for key in published)
    finally:
        await other.close()


async def test_a_time_only_sync_keeps_all_facts_of_the_sync_before(runtime: Runtime):
    """The syncs after it find the same values in its row as in that of the sync before."""
    base = await row_of(runtime.database, (await run_sync(runtime)).key)
    for _ in range(2):
        snapshot = await publish(runtime, await next_moment(runtime.database))
        assert snapshot is not None
        row = await row_of(runtime.database, snapshot.key)
        kept = [one.name for one in fields(SyncRow) if one.name not in OWN]
        assert {name: getattr(row, name) for name in kept} == {name: getattr(base, name) for name in kept}
        assert read_plan(base.checkpoint) is not None
        assert read_plan(row.checkpoint) == read_plan(base.checkpoint)


async def test_organizations_that_can_not_be_published_do_not_keep_a_process_busy(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
):
    """Another batch follows at once only while batches publish something."""
    due = [DueMirror(number, f"org_{number}") for number in range(time_only.MOST_ORGANIZATIONS)]

    async def all_are_due(*_arguments: object) -> list[DueMirror]:
        return due

    monkeypatch.setattr(time_only, "due_mirrors", all_are_due)
    chores = chore(runtime)
    assert not await chores.step()
    assert not await chores.step()


async def test_an_interruption_leaves_nothing(runtime: Runtime, monkeypatch: pytest.MonkeyPatch):
    """A process that dies within a time-only sync leaves no trace, and the next attempt publishes it."""
    await run_sync(runtime)
    moment, mirror = await next_moment(runtime.database), await mirror_now(runtime.database)

    async def die(*_arguments: object) -> None:
        raise ConnectionError

    with monkeypatch.context() as patch:
        patch.setattr(time_only, "publish", die)
        with pytest.raises(ConnectionError):
            await publish(runtime, moment)
    assert await mirror_now(runtime.database) == mirror
    async with runtime.database.reading() as connection:
        assert await syncs_where(connection, SYNC.c.key > mirror.sync) == []
        own = select(func.count()).select_from(LISTING).where(LISTING.c.from_sync > mirror.sync)
        assert (await connection.execute(own)).scalar_one() == 0
    assert await publish(runtime, moment) is not None


async def test_many_due_patients_follow_in_parts(runtime: Runtime, cliniko: Cliniko, monkeypatch: pytest.MonkeyPatch):
    """After a standstill a time-only sync looks at a limited number of patients, as of a moment that fits them."""
    await run_sync(runtime)
    monkeypatch.setattr(time_only, "MOST_PATIENTS", 2)
    later = await next_moment(runtime.database) + timedelta(days=200)
    moments = []
    while (snapshot := await publish(runtime, later)) is not None:
        moment = (await row_of(runtime.database, snapshot.key)).analyzed_at
        assert moment is not None
        moments.append(moment)
        horizon = (await mirror_now(runtime.database)).horizon_from
        assert horizon is not None
        expected = lists_of(content_of(cliniko.emulator.clinic, horizon), Terms.at(moment, 30, 30, 26, horizon))
        assert await lists_at(runtime.database, snapshot.key) == expected
    assert len(moments) > 3
    assert moments == sorted(moments)
    assert moments[-1] == later


async def test_only_what_is_due_and_not_fresh_is_looked_at(runtime: Runtime):
    """No organization is looked at while its results are right, or within a quarter of an hour after a sync."""
    await run_sync(runtime)
    moment = await next_moment(runtime.database)
    async with runtime.database.reading() as connection:
        newest = (await row_of(runtime.database, (await mirror_now(runtime.database)).sync)).completed_at
        assert newest is not None
        assert await due_mirrors(connection, moment - MILLISECOND, newest, 5) == []
        assert await due_mirrors(connection, moment, newest - MILLISECOND, 5) == []
        assert [one.organization_id for one in await due_mirrors(connection, moment, newest, 5)] == [ORGANIZATION]
    assert await publish(runtime, newest + time_only.LEAST_INTERVAL - MILLISECOND) is None
