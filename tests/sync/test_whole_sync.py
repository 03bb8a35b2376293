"""An undisturbed sync, from Cliniko's pages to the stored active patients."""

import asyncio
import re
from contextlib import AsyncExitStack
from itertools import pairwise
from typing import Any

import pytest

from routiq_gql.clock import utc_now
from routiq_gql.database.engine import Database
from routiq_gql.emulator import EMULATED_API_KEY, Fault, FaultKind, demo_clinic
from routiq_gql.runtime import Runtime, open_runtime
from routiq_gql.security.viewer import LOCAL_OPERATOR
from routiq_gql.settings import Settings
from routiq_gql.sync.model import FailureCode, LogLevel, SyncState, SyncStep
from tests.emulated_cliniko import Cliniko
from tests.organization import ORGANIZATION
from tests.syncs import (
    ACTIVITY_COLUMNS,
    AWKWARD_RECENT,
    AWKWARD_UPCOMING,
    active_ids,
    follow,
    run_sync,
    shown_rows,
    start,
)
from tests.waiting import LIMIT_SECONDS

RANGES = {1: (0, 12), 2: (12, 25), 3: (25, 37), 4: (37, 50), 5: (50, 62), 6: (62, 75), 7: (75, 87), 8: (87, 100)}
"""The documented percentages of each step."""


async def test_the_demo_clinic_has_the_documented_figures(runtime: Runtime, cliniko: Cliniko):
    """641 patients, 1,247 appointments, 89 active: 66 recent, 23 upcoming, in the sync and on the dashboard."""
    cliniko.emulator.clinic = demo_clinic(utc_now())
    last = await run_sync(runtime)
    assert last.status is SyncState.COMPLETED
    assert (last.patients_found, last.appointments_found) == (641, 1247)
    assert (last.active_patients_identified, last.active_patients_stored) == (89, 89)
    assert (last.progress_percentage, last.current_step) == (100, "Sync completed successfully!")
    stats = (await runtime.syncs.dashboard(LOCAL_OPERATOR, ORGANIZATION)).patient_stats
    assert (stats.total_patients, stats.active_patients, stats.patients_in_cliniko) == (89, 89, 641)
    assert (stats.patients_with_recent, stats.patients_with_upcoming) == (66, 23)
    assert stats.last_sync_time == last.completed_at


async def test_the_awkward_clinic_has_exactly_the_patients_that_are_active(runtime: Runtime):
    """With cancelled attendees, no-shows, merges, archives and edges, the active patients match a handwritten list."""
    last = await run_sync(runtime)
    assert (last.patients_found, last.appointments_found) == (24, 20)
    assert (last.active_patients_identified, last.active_patients_stored) == (12, 12)
    assert await active_ids(runtime.database) == (AWKWARD_RECENT, AWKWARD_UPCOMING)
    stats = (await runtime.syncs.dashboard(LOCAL_OPERATOR, ORGANIZATION)).patient_stats
    assert (stats.patients_with_recent, stats.patients_with_upcoming, stats.active_patients) == (5, 6, 12)
    assert await missed_ids(runtime.database) == {"1000", "514810976034364387"}


async def missed_ids(database: Database) -> set[str]:
    """The ids of patients who are active only by missed visits."""
    rows = (await shown_rows(database))["active_patients"]
    patients = [dict(zip(ACTIVITY_COLUMNS, row, strict=True)) for row in rows]
    return {
        str(one["id"])
        for one in patients
        if one["missed_appointments"] and not one["recent_appointments"] and not one["upcoming_appointments"]
    }


async def test_progress_goes_through_the_documented_steps(runtime: Runtime, cliniko: Cliniko):
    """Steps come in order, each with its status and percentages, and progress never decreases."""
    cliniko.emulator.clinic = demo_clinic(utc_now())
    cliniko.emulator.latency_seconds = 0.12  # faster changes are published together
    snapshots = await follow(runtime, await start(runtime))
    for before, after in pairwise(snapshots):
        assert after.version > before.version
        assert after.step >= before.step
        assert after.progress_percentage >= before.progress_percentage
        assert after.patients_found >= before.patients_found
        assert after.last_updated >= before.last_updated
    for snapshot in snapshots:
        low, high = RANGES[snapshot.step.value]
        assert low <= snapshot.progress_percentage <= high
        if not snapshot.is_terminal:
            assert snapshot.status is snapshot.step.state
            assert snapshot.progress_percentage < 100
    texts = {snapshot.current_step for snapshot in snapshots}
    assert {"Found 641 patients", "Comparing with Cliniko…", "Found 1247 appointments"} <= texts
    assert any(re.fullmatch(r"[1-5]\d\d of 641 patients", text) for text in texts)
    assert len({snapshot.step for snapshot in snapshots}) >= 6, "a watcher sees nearly every step"


async def test_a_list_that_is_read_twice_shows_no_figure_going_back(runtime: Runtime, cliniko: Cliniko):
    """If Cliniko refuses to sort, lists are read again for comparison; users see that, and no figure decreases."""
    cliniko.emulator.clinic = demo_clinic(utc_now())
    cliniko.emulator.latency_seconds = 0.1
    cliniko.emulator.faults.add(Fault(FaultKind.REFUSE_SORT, "patients", times=None))
    snapshots = await follow(runtime, await start(runtime))
    for before, after in pairwise(snapshots):
        assert after.patients_found >= before.patients_found
        assert after.progress_percentage >= before.progress_percentage
    texts = {snapshot.current_step for snapshot in snapshots}
    assert any(text.startswith("Reading patients again to compare… ") for text in texts)
    assert (snapshots[-1].patients_found, snapshots[-1].active_patients_stored) == (641, 89)


async def test_the_log_has_every_step_in_order(runtime: Runtime):
    """The log has each step in order, the numbers found, and the success."""
    last = await run_sync(runtime)
    lines = await runtime.syncs.log(LOCAL_OPERATOR, last.sync_id, after=0)
    assert [line.seq for line in lines] == list(range(1, last.last_log_seq + 1))
    assert sorted({line.step for line in lines}) == list(SyncStep)
    assert [line.step for line in lines] == sorted(line.step for line in lines)
    messages = [line.message for line in lines]
    for expected in (
        *("Initializing sync…", "Checking service configuration…", "Validating credentials…", "Fetching patients…"),
        *("Found 24 patients", "Fetching appointments…", "Found 20 appointments", "Loading appointment types…"),
        *("Analyzing active patients…", "Identified 12 active patients", "Storing patient data…"),
    ):
        assert expected in messages
    assert (lines[-1].level, lines[-1].message) == (LogLevel.SUCCESS, "Sync completed successfully!")


async def test_a_second_sync_keeps_patients_who_are_no_longer_active(runtime: Runtime, cliniko: Cliniko):
    """A patient whose appointment was cancelled stays stored, but not as active; all others are unchanged."""
    await run_sync(runtime)
    before = await shown_rows(runtime.database)
    cliniko.emulator.clinic.cancel("individual_appointments", "514810976034500008")  # all appointments of …0993
    last = await run_sync(runtime)
    assert last.active_patients_stored == 11
    recent, upcoming = await active_ids(runtime.database)
    assert (recent, upcoming) == (AWKWARD_RECENT, AWKWARD_UPCOMING - {"9007199254740993"})
    stats = (await runtime.syncs.dashboard(LOCAL_OPERATOR, ORGANIZATION)).patient_stats
    assert (stats.total_patients, stats.active_patients) == (12, 11)
    after = await shown_rows(runtime.database)
    assert after["PATIENTS"] == before["PATIENTS"]


async def test_two_syncs_of_one_clinic_store_the_same(runtime: Runtime):
    """Two syncs of an unchanged clinic store the same rows."""
    await run_sync(runtime)
    before = await shown_rows(runtime.database)
    await run_sync(runtime)
    assert await shown_rows(runtime.database) == before
    assert all(before.values()), "every list has rows"


async def test_without_a_connection_a_sync_says_how_to_connect(settings: Settings):
    """A sync without a connection fails at step 2, with the command to connect."""
    async with open_runtime(settings) as runtime:
        last = await run_sync(runtime)
    assert last.status is SyncState.FAILED
    assert last.failure is not None
    assert (last.failure.code, last.failure.step) == (FailureCode.CONNECTION_MISSING, SyncStep.CHECKING_CONFIG)
    assert f"routiq-gql connect {ORGANIZATION}" in last.failure.what_to_do
    assert not last.failure.retryable
    assert last.progress_percentage == 12


async def test_a_silent_source_is_waited_for_with_signs_of_life(runtime: Runtime, cliniko: Cliniko):
    """While Cliniko is slow, a watcher still gets an update about once a second."""
    cliniko.emulator.latency_seconds = 20
    sync_id = await start(runtime)
    seen = []
    async with asyncio.timeout(LIMIT_SECONDS):
        async for snapshot in runtime.syncs.watch(LOCAL_OPERATOR, sync_id):
            if snapshot.step is SyncStep.CHECKING_CREDENTIALS:
                seen.append(snapshot.last_updated)
            if len(seen) == 4:
                break
    gaps = [(after - before).total_seconds() for before, after in pairwise(seen)]
    assert min(gaps) < 2.5, "about once a second; a busy machine delays some of them"
    assert max(gaps) < 10, "twenty seconds pass between two answers"
    await runtime.syncs.cancel(LOCAL_OPERATOR, sync_id)


@pytest.mark.both_databases
async def test_short_operations_never_wait_for_pages(runtime: Runtime):
    """While the maximum of pages is being stored, another page waits; heartbeats, reads and cancellations do not."""
    async with AsyncExitStack() as others:
        turn: Any = runtime.database.bulk_turn
        while not turn.locked():
            await others.enter_async_context(turn)
        sync_id = await start(runtime)
        signs = 0
        async with asyncio.timeout(LIMIT_SECONDS):
            async for snapshot in runtime.syncs.watch(LOCAL_OPERATOR, sync_id):
                signs += snapshot.step is SyncStep.FETCHING_PATIENTS
                if signs == 3:
                    break
            assert snapshot.patients_found == 0
            assert (await runtime.syncs.cancel(LOCAL_OPERATOR, sync_id)).cancelled
            while runtime.engine.running:
                await asyncio.sleep(0.01)
    assert (await run_sync(runtime)).status is SyncState.COMPLETED


async def test_windows_are_settings(settings: Settings, cliniko: Cliniko):
    """A clinic with shorter windows has fewer active patients."""
    narrow = settings.model_copy(update={"recent_days": 9, "upcoming_days": 6})
    async with open_runtime(narrow) as runtime:
        await runtime.connections.connect(LOCAL_OPERATOR, ORGANIZATION, EMULATED_API_KEY, cliniko.base_url)
        await run_sync(runtime)
        recent, upcoming = await active_ids(runtime.database)
    assert recent == {"9", "514810976034364392"}
    assert upcoming == {"9", "514810976034364379", "514810976034364393"}
