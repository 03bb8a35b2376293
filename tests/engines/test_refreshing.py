"""Looks at Cliniko: a change there is shown soon, by few requests, and people's syncs come first."""

import asyncio
import random
import time
from datetime import timedelta

import pytest

from routiq_gql.cliniko import Ration, RationedPacer
from routiq_gql.cliniko.looking import NEWEST_ROWS
from routiq_gql.cliniko.pacing import Pacer
from routiq_gql.cliniko.rationing import WINDOW_SECONDS
from routiq_gql.clock import utc_now
from routiq_gql.connections.state import ConnectionState
from routiq_gql.database.connections import connection_of
from routiq_gql.database.refreshes import due_refreshes
from routiq_gql.emulator import EMULATED_API_KEY, Fault, FaultKind
from routiq_gql.engines import refreshing
from routiq_gql.errors import SettingsError
from routiq_gql.organizations.dashboard import Dashboard
from routiq_gql.organizations.freshness import FreshnessMode
from routiq_gql.runtime import Runtime, open_runtime
from routiq_gql.security.viewer import LOCAL_OPERATOR
from routiq_gql.settings import Settings, load_settings
from routiq_gql.sync.looking import LOOK_REQUESTS
from routiq_gql.sync.model import SyncMode, SyncSnapshot, SyncState
from tests.emulated_cliniko import Cliniko
from tests.engines.refreshing import EDITS, looks_of
from tests.organization import ORGANIZATION
from tests.patients.statements import recorded
from tests.sync.logs import messages
from tests.syncs import follow, run_sync, shown_rows
from tests.waiting import LIMIT_SECONDS, until

EDITS_MADE = 16
EDITS_A_FULL_SYNC = 4
PATIENT = "9"


@pytest.mark.both_databases
async def test_every_edit_is_shown_as_a_full_sync_would_show_it(runtime: Runtime, cliniko: Cliniko):
    """After each edit in Cliniko, a look and its sync lead to the rows that a full sync leads to.

    No sync follows only if the edit leaves its row as it was, and in the second of the edit before.
    """
    await run_sync(runtime)
    looks, choice, clinic = looks_of(runtime), random.Random(7), cliniko.emulator.clinic
    for number, name in enumerate(choice.choices(list(EDITS), k=EDITS_MADE), 1):
        EDITS[name](clinic, choice)
        last = await looks.look()
        if last is not None:
            assert (last.status, last.mode) == (SyncState.COMPLETED, SyncMode.INCREMENTAL), last.failure
        if last is None or number % EDITS_A_FULL_SYNC == 0:
            found = await shown_rows(runtime.database)
            again = await run_sync(runtime, mode=SyncMode.FULL)
            assert await shown_rows(runtime.database) == found, name
            assert again.receipt is not None
            assert (again.receipt.added, again.receipt.updated, again.receipt.removed) == (0, 0, 0), name


@pytest.mark.both_databases
async def test_a_look_that_finds_nothing_costs_little(runtime: Runtime, cliniko: Cliniko):
    """A look at an unchanged clinic sends four requests, needs three statements, and starts no sync.

    Another process looks, which runs nothing else that needs statements.
    """
    await run_sync(runtime)
    await looks_of(runtime).look()  # it may find changes of the same second as the sync's
    paced = runtime.settings.model_copy(update={"cliniko_requests_per_minute": 180})
    async with open_runtime(paced, run_syncs=False) as other:
        looks = looks_of(other)
        await looks.row()
        before = len(cliniko.emulator.requests)
        with recorded(other.database) as executed:
            async with other.database.reading() as connection:
                (due,) = await due_refreshes(connection, utc_now() + timedelta(minutes=26), 1, everywhere=False)
            await looks.refreshes.look(due, other.engine)
    ours = [one.text for one in executed if one.text.startswith(("SELECT", "INSERT", "UPDATE"))]
    assert len(cliniko.emulator.requests) - before == LOOK_REQUESTS
    assert len(ours) == (3 if other.database.path is None else 2), ours
    async with runtime.database.reading() as connection:
        assert not await due_refreshes(connection, utc_now(), 1, everywhere=False), "the next look is later"


async def test_a_sync_that_follows_from_a_look_is_brief(runtime: Runtime, cliniko: Cliniko):
    """It asks Cliniko nothing that the look has not asked, and writes two lines.

    Its receipt shows the last comparison and does not agree.
    """
    first = await run_sync(runtime)
    looks = looks_of(runtime)
    cliniko.emulator.clinic.rename(PATIENT, first_name="Zoë")
    before = len(cliniko.emulator.requests)
    last = await looks.look()
    assert last is not None
    assert last.receipt is not None
    assert first.receipt is not None
    asked = [request.resource for request in cliniko.emulator.requests[before:]]
    assert asked == ["patients", "individual_appointments", "group_appointments", "attendees"]
    assert (last.receipt.agrees, last.receipt.checked_at) == (None, first.receipt.checked_at)
    assert last.receipt.refused == ()
    assert last.receipt.updated == 1
    lines = await messages(runtime, last.sync_id)
    assert lines == ["Changed in Cliniko: patients", lines[-1]]
    history = await runtime.syncs.history(LOCAL_OPERATOR, ORGANIZATION)
    assert [sync.sync_id for sync in history.recent_syncs] == [first.sync_id]
    dashboard = await runtime.syncs.dashboard(LOCAL_OPERATOR, ORGANIZATION)
    assert dashboard.freshness is not None
    assert dashboard.freshness.mode is FreshnessMode.LIVE
    assert dashboard.freshness.checked_at == first.receipt.checked_at


async def test_an_edit_without_a_trace_is_found_by_the_next_comparison(runtime: Runtime, cliniko: Cliniko):
    """A look sees only what Cliniko reports as changed. A comparison every 15 minutes finds the rest."""
    await run_sync(runtime)
    looks = looks_of(runtime)
    cliniko.emulator.clinic.delete("patients", PATIENT, trace=False)
    await looks.look()
    syncs = await looks.compare()
    assert sum(sync.receipt.removed for sync in syncs if sync.receipt is not None) > 0
    found = await shown_rows(runtime.database)
    await run_sync(runtime, mode=SyncMode.FULL)
    assert await shown_rows(runtime.database) == found


@pytest.mark.both_databases
async def test_a_person_does_not_wait_for_a_sync_of_a_look(
    runtime: Runtime, cliniko: Cliniko, monkeypatch: pytest.MonkeyPatch
):
    """A start in the middle of such a sync ends it and begins at once, in the mode that the person asked for."""
    stopped, interrupt = list[str](), runtime.engine.interrupt

    def noted(snapshot: SyncSnapshot) -> None:
        stopped.append(snapshot.sync_id)
        interrupt(snapshot)

    monkeypatch.setattr(runtime.engine, "interrupt", noted)
    await run_sync(runtime)
    looks = looks_of(runtime, is_elsewhere=True)
    due = await looks.due()
    cliniko.emulator.clinic.rename(PATIENT, first_name="Zoë")
    cliniko.gate.hold("patients", spares_looks=True)
    await looks.refreshes.look(due, runtime.engine)
    await cliniko.gate.reached()  # by the sync, which can't end before the person's start
    running = await looks.running()
    assert running is not None
    started = await runtime.syncs.start(LOCAL_OPERATOR, ORGANIZATION, SyncMode.FULL)
    ended = await runtime.syncs.status(LOCAL_OPERATOR, running)
    assert ended.status is SyncState.CANCELLED
    assert stopped == [running], "its run sends no further request"
    cliniko.gate.open()
    last = (await follow(runtime, started.sync.sync_id))[-1]
    assert started.created
    assert (last.status, last.mode) == (SyncState.COMPLETED, SyncMode.FULL)
    assert any(row[2] == "Zoë" for row in (await shown_rows(runtime.database))["PATIENTS"])


@pytest.mark.both_databases
async def test_a_change_leads_to_a_single_sync(runtime: Runtime, cliniko: Cliniko):
    """Once the sync of a look has read a change, the following looks start no other sync for it."""
    await run_sync(runtime)
    looks = looks_of(runtime)
    for number in range(2):
        cliniko.emulator.clinic.rename(
            PATIENT, first_name=f"Zoë {number}", at=utc_now() - timedelta(seconds=9 - 4 * number)
        )
        assert await looks.look() is not None
        assert [await looks.look() for _ in range(3)] == [None] * 3


@pytest.mark.both_databases
async def test_a_look_never_takes_the_start_button_away(runtime: Runtime, cliniko: Cliniko):
    """While a sync of a look runs, dashboards show the clinic as idle, and afterwards with the new figures."""
    await run_sync(runtime)
    looks = looks_of(runtime, is_elsewhere=True)
    shown: list[Dashboard] = []

    async def watch() -> None:
        async for dashboard in runtime.syncs.watch_dashboard(LOCAL_OPERATOR, ORGANIZATION):
            shown.append(dashboard)

    watching = asyncio.create_task(watch())
    await until(lambda: len(shown) == 1)
    due = await looks.due()
    cliniko.emulator.clinic.insert_patient(first_name="Zoë")
    cliniko.gate.hold("patients", spares_looks=True)
    await looks.refreshes.look(due, runtime.engine)
    await cliniko.gate.reached()
    running = await looks.running()
    assert running is not None
    dashboard = await runtime.syncs.dashboard(LOCAL_OPERATOR, ORGANIZATION)
    assert (dashboard.status, dashboard.current_sync) == (SyncState.IDLE, None)
    assert dashboard.next_sync is not None
    (summary,) = (await runtime.syncs.organizations(LOCAL_OPERATOR)).organizations
    assert summary.status is SyncState.IDLE
    cliniko.gate.open()
    await follow(runtime, running)
    before = shown[0].patient_stats.patients_in_cliniko
    await until(lambda: shown[-1].patient_stats.patients_in_cliniko == before + 1)
    watching.cancel()
    assert {one.current_sync for one in shown} == {None}
    assert shown[-1].last_sync == shown[0].last_sync


async def test_changes_of_a_failed_sync_are_read_by_the_next(runtime: Runtime, cliniko: Cliniko):
    """If Cliniko fails while the changes are read, the next look starts another sync for them, after a longer wait."""
    await run_sync(runtime)
    looks = looks_of(runtime, is_elsewhere=True)
    await looks.look()
    due = await looks.due()
    cliniko.emulator.clinic.rename(PATIENT, first_name="Zoë")
    cliniko.gate.hold("nothing")
    await looks.refreshes.look(due, runtime.engine)
    running = await looks.running()
    assert running is not None
    await runtime.syncs.cancel(LOCAL_OPERATOR, running)
    last = await looks.look()
    assert last is not None
    assert last.status is SyncState.COMPLETED
    assert any(row[2] == "Zoë" for row in (await shown_rows(runtime.database))["PATIENTS"])


async def test_a_sync_of_a_look_that_reads_everything_reads_every_list(runtime: Runtime, cliniko: Cliniko):
    """If Cliniko refuses to list only changes, the lists that the look found unchanged are read as well."""
    first = await run_sync(runtime)
    looks = looks_of(runtime, is_elsewhere=True)
    cliniko.emulator.clinic.rename(PATIENT, first_name="Zoë")
    of_syncs = {"only_above_per_page": NEWEST_ROWS}
    cliniko.emulator.faults.add(Fault(FaultKind.REFUSE_FILTER, "patients", times=None, filter="updated_at", **of_syncs))
    last = await looks.look()
    assert last is not None
    assert (last.status, last.mode) == (SyncState.COMPLETED, SyncMode.FULL), last.failure
    assert first.receipt is not None
    assert last.receipt is not None
    assert [(one.list, one.read) for one in last.receipt.lists] == [(one.list, one.read) for one in first.receipt.lists]


async def test_a_refused_key_stops_the_looks_and_says_why(runtime: Runtime, cliniko: Cliniko):
    """After a 401 nothing more is sent with the key, and the connection shows what to do."""
    await run_sync(runtime)
    looks = looks_of(runtime)
    cliniko.emulator.faults.add(Fault(FaultKind.STATUS_401, times=None))
    await looks.look()
    async with runtime.database.reading() as connection:
        access = await connection_of(connection, ORGANIZATION)
        later = await due_refreshes(connection, utc_now() + timedelta(minutes=29), 1, everywhere=False)
    assert access is not None
    assert (access.state, access.problem_code) == (ConnectionState.NEEDS_ATTENTION.value, "KEY_REFUSED")
    assert later == []
    freshness = (await runtime.syncs.dashboard(LOCAL_OPERATOR, ORGANIZATION)).freshness
    assert freshness is not None
    assert freshness.mode is FreshnessMode.ON_DEMAND


async def test_failures_make_the_waits_grow(runtime: Runtime, cliniko: Cliniko):
    """While Cliniko can't be read, looks become rare; after a success they have their interval again."""
    await run_sync(runtime)
    looks = looks_of(runtime)
    waits = []
    cliniko.emulator.faults.add(Fault(FaultKind.STATUS_500, times=None))
    for _ in range(3):
        due = await looks.due()
        now = utc_now()
        await looks.refreshes.look(due, runtime.engine)
        waits.append((await looks.stored()).next_at - now)
    assert waits[0] < waits[1] < waits[2]
    cliniko.emulator.faults.clear()
    await looks.look()
    due = await looks.due()
    now = utc_now()
    await looks.refreshes.look(due, runtime.engine)
    assert (await looks.stored()).next_at - now < waits[0]


async def test_another_process_that_looks_meanwhile_is_left_alone(runtime: Runtime, cliniko: Cliniko):
    """Of two processes that find the same organization due, one looks; the other sends nothing."""
    await run_sync(runtime)
    looks = looks_of(runtime)
    due = await looks.due()
    await looks.refreshes.look(due, runtime.engine)
    before = len(cliniko.emulator.requests)
    await looks_of(runtime).refreshes.look(due, runtime.engine)
    assert len(cliniko.emulator.requests) == before


async def test_the_server_keeps_an_organization_live(
    settings: Settings, cliniko: Cliniko, monkeypatch: pytest.MonkeyPatch
):
    """With ROUTIQ_REFRESH_SECONDS a change in Cliniko reaches a watcher of the dashboard without any start."""
    monkeypatch.setattr(refreshing, "ROWS_EVERY_SECONDS", 0.0)
    live = settings.model_copy(update={"refresh_seconds": 1})
    async with open_runtime(live) as runtime:
        await runtime.connections.connect(LOCAL_OPERATOR, ORGANIZATION, EMULATED_API_KEY, cliniko.base_url)
        await run_sync(runtime)
        before = (await runtime.syncs.dashboard(LOCAL_OPERATOR, ORGANIZATION)).patient_stats.patients_in_cliniko
        cliniko.emulator.clinic.insert_patient()
        async with asyncio.timeout(LIMIT_SECONDS):
            async for dashboard in runtime.syncs.watch_dashboard(LOCAL_OPERATOR, ORGANIZATION):
                if dashboard.patient_stats.patients_in_cliniko == before + 1:
                    break


def test_a_minute_never_has_more_requests_than_the_ration():
    """Whatever the order of looks and syncs, a request waits until the minute before it has room."""
    ration = Ration(18)
    for _ in range(18):
        assert ration.seconds_until() == 0
        ration.note()
    assert WINDOW_SECONDS - 1 < ration.seconds_until() < WINDOW_SECONDS + 1
    now = round(time.time() * 1000)
    old = Ration(18, [now - 61_000] * 4 + [now - 30_000] * 14)
    assert 0 < old.seconds_until(4) < 2
    assert old.seconds_until(0) == 0
    old.note_limit()
    assert old.per_minute == 9
    assert old.seconds_until(4) > 30


@pytest.mark.parametrize("seed", range(50))
def test_requests_of_other_organizations_count_like_own_ones(seed: int):
    """A key's requests of the last minute count the same for each sender, also those of a clock that was wrong."""
    chance, now = random.Random(seed), round(time.time() * 1000)
    ages = (-3_600_000, -30_000, 30_000, 59_000, 70_000, 3_600_000)
    sent = [now - chance.choice(ages) for _ in range(chance.randint(0, 18))]
    own = chance.randint(0, len(sent))
    for count in (1, 4, 18):
        alone, shared = Ration(18, sent), Ration(18, sent[:own], sent[own:])
        assert shared.seconds_until(count) == pytest.approx(alone.seconds_until(count), abs=1)


async def test_requests_that_wait_for_the_pace_count_when_they_are_sent():
    """A look that waits while a person's sync uses the key does not let the next look be early."""
    began = round(time.time() * 1000)
    ration, pacer = Ration(18, [began] * 4), Pacer(180)
    pacer.hold(1.2)
    await RationedPacer(pacer, ration).wait_turns(4)
    assert len(ration.sent) == 4
    assert min(ration.sent) >= began + 1_000


async def test_a_request_that_is_sent_late_counts_when_it_is_sent():
    """A slow answer delays the other requests of a look; these count from then on, and none counts twice."""
    began = round(time.time() * 1000)
    ration = Ration(18, [began] * 4)
    pacer = RationedPacer(Pacer(0), ration)
    await pacer.wait_turns(4)
    await pacer.wait_turn()
    assert ration.sent == [began] * 4
    ration = Ration(18, [began - 5_000] * 4)
    late = RationedPacer(Pacer(0), ration)
    late._turns, late._counted_at = 3, began - 5_000
    await late.wait_turn()
    await late.wait_turn()
    assert ration.sent[:2] == [began - 5_000] * 2
    assert len(ration.sent) == 4
    assert ration.sent[2] >= began


def test_an_interval_that_exceeds_the_share_is_refused(monkeypatch: pytest.MonkeyPatch):
    """Looks take a tenth of the pace at most; the error names the shortest interval and the pace."""
    monkeypatch.setenv("ROUTIQ_REFRESH_SECONDS", "13")
    with pytest.raises(SettingsError, match=r"ROUTIQ_REFRESH_SECONDS is wrong: .*from 14 to 900.*which is 180"):
        load_settings()
    monkeypatch.setenv("ROUTIQ_REFRESH_SECONDS", "15")
    assert load_settings().refresh_share == 18
