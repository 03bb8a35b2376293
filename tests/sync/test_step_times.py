"""The times of a sync's steps: in order, without gaps, ended with the sync; and their waits add up to the sync's."""

import asyncio
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routiq_gql.database.syncs import sync_by_id
from routiq_gql.emulator import EMULATED_API_KEY, Fault, FaultKind
from routiq_gql.runtime import Runtime, open_runtime
from routiq_gql.security.viewer import LOCAL_OPERATOR
from routiq_gql.settings import Settings
from routiq_gql.sync.model import SyncMode, SyncSnapshot, SyncState, SyncStep
from routiq_gql.sync.step_times import StepEntry, entering, read_entries, timings_of, to_json
from tests.emulated_cliniko import Cliniko
from tests.organization import ORGANIZATION
from tests.sync.logs import messages
from tests.syncs import follow, run_sync, start
from tests.waiting import LIMIT_SECONDS

BEGIN = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
FIRST = (StepEntry(1, BEGIN, 0.0),)

moves = st.lists(
    st.tuples(
        st.integers(1, 8),
        st.floats(-3600, 3600, allow_nan=False),  # the clock may be set back
        st.floats(0, 100, allow_nan=False),
    ),
    max_size=20,
)


def check_steps(sync: SyncSnapshot) -> None:
    """Check what holds for the steps of every sync at every moment."""
    steps = sync.steps
    assert [one.number for one in steps] == sorted({one.number for one in steps})
    assert steps[0].number == SyncStep.INITIALIZING
    assert steps[-1].number == sync.step
    assert steps[0].started_at == sync.started_at
    assert all(before.ended_at == after.started_at for before, after in pairwise(steps))
    assert all(one.ended_at is None or one.ended_at >= one.started_at for one in steps)
    assert (steps[-1].ended_at is None) is (sync.completed_at is None)
    assert all(one.waited_seconds >= 0 for one in steps)
    waited = round(sum(one.waited_seconds for one in steps), 3)
    assert waited == round(sync.waited_seconds, 3)
    if sync.receipt is not None:
        assert waited == round(sync.receipt.waited_seconds, 3)


@given(moves, st.one_of(st.none(), st.integers(-7200, 7200)))
def test_steps_are_ordered_and_their_waits_add_up_whatever_happens(
    moves: list[tuple[int, float, float]], ended_after: int | None
):
    """Steps never overlap and no wait is lost, even if the clock is set back or the steps are repeated."""
    entries, waited, now = FIRST, 0.0, BEGIN
    for number, seconds, wait in moves:
        now, waited = now + timedelta(seconds=seconds), waited + wait
        entries = entering(entries, number, now, waited)
        assert entries[-1].number <= number
        assert number in [one.number for one in entries]
    ended = None if ended_after is None else BEGIN + timedelta(seconds=ended_after)
    steps = timings_of(entries, ended, waited)
    assert [one.number for one in steps] == sorted({one.number for one in steps})
    assert all(before.ended_at == after.started_at for before, after in pairwise(steps))
    assert all(one.ended_at is None or one.ended_at >= one.started_at for one in steps)
    assert (steps[-1].ended_at is None) is (ended is None)
    assert all(one.waited_seconds >= 0 for one in steps)
    assert round(sum(one.waited_seconds for one in steps), 3) == round(waited, 3)
    assert read_entries(to_json(entries)) == entries


def test_a_sync_of_an_earlier_version_has_no_steps():
    """A sync that was started before the upgrade has no times, rather than wrong ones."""
    assert read_entries(None) == ()
    assert entering((), 5, BEGIN, 1.0) == ()
    assert timings_of((), BEGIN, 1.0) == ()


def test_the_first_format_is_read():
    """The stored form of the first version stays readable."""
    stored = {"format": 1, "entered": [[1, "2026-03-02T09:00:00+00:00", 0.0], [2, "2026-03-02T09:00:01+00:00", 0.25]]}
    assert read_entries(stored) == (*FIRST, StepEntry(2, BEGIN + timedelta(seconds=1), 0.25))
    assert read_entries({**stored, "format": 2}) == ()


@pytest.mark.both_databases
@pytest.mark.parametrize("mode", [SyncMode.FULL, SyncMode.INCREMENTAL])
async def test_a_completed_sync_has_the_times_of_all_steps(runtime: Runtime, mode: SyncMode):
    """At every moment the steps are in order; at the end there are eight, and the last ends with the sync."""
    await run_sync(runtime)
    shown = await follow(runtime, await start(runtime, mode=mode))
    for snapshot in shown:
        check_steps(snapshot)
    last = shown[-1]
    assert [SyncStep(one.number) for one in last.steps] == list(SyncStep)
    assert last.steps[-1].ended_at == last.completed_at
    assert await runtime.syncs.status(LOCAL_OPERATOR, last.sync_id) == last


@pytest.mark.both_databases
async def test_waits_belong_to_the_step_that_waited(
    runtime: Runtime, cliniko: Cliniko, monkeypatch: pytest.MonkeyPatch
):
    """A retry while appointments are read is a wait of that step, and of no other."""
    monkeypatch.setattr("routiq_gql.cliniko.retries.Backoff.growing", lambda _self, _failures: 0.3)
    cliniko.emulator.faults.add(Fault(FaultKind.STATUS_503, "individual_appointments", only_above_per_page=1, times=2))
    last = await run_sync(runtime)
    check_steps(last)
    # The pace may have let another step wait for a millisecond.
    waited = {SyncStep(one.number): one.waited_seconds for one in last.steps if one.waited_seconds >= 0.1}
    assert waited == {SyncStep.FETCHING_APPOINTMENTS: pytest.approx(0.6, abs=0.05)}


@pytest.mark.both_databases
async def test_a_failed_sync_shows_its_last_waits(runtime: Runtime, cliniko: Cliniko, monkeypatch: pytest.MonkeyPatch):
    """The waits before the last attempt count, although no page followed them."""
    monkeypatch.setattr("routiq_gql.cliniko.retries.Backoff.growing", lambda _self, _failures: 0.1)
    cliniko.emulator.faults.add(Fault(FaultKind.STATUS_503, "patients", only_above_per_page=1, times=None))
    last = await run_sync(runtime)
    assert last.status is SyncState.FAILED
    check_steps(last)
    assert (last.steps[-1].number, last.steps[-1].ended_at) == (SyncStep.FETCHING_PATIENTS, last.completed_at)
    assert last.steps[-1].waited_seconds >= 0.1


@pytest.mark.both_databases
async def test_a_cancelled_sync_ends_its_step(runtime: Runtime, cliniko: Cliniko):
    """A cancelled sync shows which step it was in, and how long."""
    cliniko.gate.hold("patients")
    sync_id = await start(runtime)
    await cliniko.gate.reached()
    running = await runtime.syncs.status(LOCAL_OPERATOR, sync_id)
    check_steps(running)
    assert running.steps[-1].ended_at is None
    last = (await runtime.syncs.cancel(LOCAL_OPERATOR, sync_id)).sync
    cliniko.gate.open()
    check_steps(last)
    assert (last.steps[-1].number, last.steps[-1].ended_at) == (SyncStep.FETCHING_PATIENTS, last.completed_at)


async def test_a_sync_that_reads_everything_after_all_repeats_its_steps(runtime: Runtime, cliniko: Cliniko):
    """Cliniko refuses to list changes of appointments: patients are read again, and each step is listed once."""
    await run_sync(runtime)
    cliniko.emulator.faults.add(
        Fault(FaultKind.REFUSE_FILTER, "individual_appointments", times=None, filter="updated_at")
    )
    shown = await follow(runtime, await start(runtime, mode=SyncMode.INCREMENTAL))
    for snapshot in shown:
        check_steps(snapshot)
    lines = await messages(runtime, shown[-1].sync_id)
    assert any("reads everything after all" in line for line in lines)
    assert [SyncStep(one.number) for one in shown[-1].steps] == list(SyncStep)


@pytest.mark.sqlite_only
async def test_a_resumed_sync_keeps_its_steps(settings: Settings, cliniko: Cliniko):
    """A restart of the server in the middle of a step neither repeats the step nor loses its beginning."""
    async with open_runtime(settings) as first:
        await first.connections.connect(LOCAL_OPERATOR, ORGANIZATION, EMULATED_API_KEY, cliniko.base_url, check=False)
        cliniko.gate.hold("individual_appointments")
        sync_id = await start(first)
        await cliniko.gate.reached()
        before = await first.syncs.status(LOCAL_OPERATOR, sync_id)
    cliniko.gate.open()
    async with open_runtime(settings) as second, asyncio.timeout(LIMIT_SECONDS):
        last = (await follow(second, sync_id))[-1]
        check_steps(last)
        assert last.steps[: len(before.steps) - 1] == before.steps[:-1]
        assert last.steps[len(before.steps) - 1].started_at == before.steps[-1].started_at
        async with second.database.reading() as connection:
            row = await sync_by_id(connection, sync_id)
        assert row is not None
        assert read_entries(row.steps) == last.entries
