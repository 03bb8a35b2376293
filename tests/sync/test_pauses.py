"""Pauses while the database can't be used: how they are shown, how long they last; they don't count as crashes."""

import asyncio
from datetime import timedelta
from itertools import count

import pytest
from sqlalchemy import select, update

from routiq_gql.clock import utc_now
from routiq_gql.database.sync_changes import RunningChanges
from routiq_gql.database.syncs import change_running, claim, release_claims
from routiq_gql.database.tables import SYNC
from routiq_gql.emulator import EMULATED_API_KEY, RecordedRequest, generated_clinic
from routiq_gql.runtime import Runtime, open_runtime
from routiq_gql.security.viewer import LOCAL_OPERATOR
from routiq_gql.settings import Settings
from routiq_gql.sync import pauses, runner
from routiq_gql.sync.checkpoint import Checkpoint, Comparing, Pending, Reading, Storing
from routiq_gql.sync.model import SyncSnapshot, SyncState, WaitReason
from routiq_gql.sync.pauses import Pauses
from routiq_gql.sync.receipt import Receipt
from routiq_gql.sync.run import SyncRun
from routiq_gql.sync.runner import OPENING_TEXTS
from tests.emulated_cliniko import Cliniko
from tests.full_disk import full_disk
from tests.sync.plans import PLAN
from tests.syncs import follow, start
from tests.waiting import LIMIT_SECONDS


async def row_of(runtime: Runtime, sync_id: str):
    async with runtime.database.reading() as connection:
        return (await connection.execute(select(SYNC).where(SYNC.c.sync_id == sync_id))).one()


async def until_shown(runtime: Runtime, sync_id: str, number: int) -> SyncSnapshot:
    """The snapshot of a pausing sync, at its pause of that number or later."""
    async with asyncio.timeout(LIMIT_SECONDS):
        while True:
            row = await row_of(runtime, sync_id)
            snapshot = await runtime.syncs.status(LOCAL_OPERATOR, sync_id)
            if row.pauses >= number and snapshot.waiting_for is not None:
                return snapshot
            await asyncio.sleep(0.01)


@pytest.fixture
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pauses, "FIRST_PAUSE_SECONDS", 0.5)
    monkeypatch.setattr(pauses, "LONGEST_PAUSE_SECONDS", 0.5)


@pytest.mark.both_databases
@pytest.mark.usefixtures("_short_pauses")
async def test_pauses_are_shown_and_are_no_crashes(runtime: Runtime, cliniko: Cliniko, monkeypatch: pytest.MonkeyPatch):
    """A full disk is shown as a wait, however often it occurs, and with new space the sync ends correctly."""
    monkeypatch.setattr(runner, "MAX_LOST_CLAIMS", 0)
    cliniko.emulator.clinic = generated_clinic(600, utc_now())
    async with full_disk(runtime):
        sync_id = await start(runtime)
        shown = await until_shown(runtime, sync_id, 3)
        assert (shown.waiting_for, shown.current_step) == (WaitReason.DATABASE, "Waiting for the database…")
        assert shown.resumes_at is not None
        assert not shown.is_terminal
        assert "Syncs wait" in str(await runtime.readiness.problem())
        row = await row_of(runtime, sync_id)
        assert row.epoch >= 3
        assert (row.lost_claims, row.claimed_by) == (0, None)
    last = (await follow(runtime, sync_id))[-1]
    assert last.status is SyncState.COMPLETED
    assert (last.waiting_for, last.resumes_at) == (None, None)
    assert (await row_of(runtime, sync_id)).pauses == 0
    assert await runtime.readiness.problem() is None
    lines = await runtime.syncs.log(LOCAL_OPERATOR, sync_id)
    assert sum("the sync waits and resumes by itself" in line.message for line in lines) == 1


@pytest.mark.both_databases
async def test_a_sync_with_which_processes_die_without_progress_fails_at_last(
    settings: Settings, cliniko: Cliniko, monkeypatch: pytest.MonkeyPatch
):
    """A sync that kills each process that runs it fails in the end instead of killing another."""
    monkeypatch.setattr(runner, "MAX_LOST_CLAIMS", 2)
    async with open_runtime(settings, run_syncs=False) as runtime:
        await runtime.connections.connect(LOCAL_OPERATOR, "org_1", EMULATED_API_KEY, cliniko.base_url, check=False)
        begun = await runtime.syncs.start(LOCAL_OPERATOR, "org_1")
        for number in range(4):  # three processes died: those before the last
            async with runtime.database.writing() as connection:
                row = await claim(connection, begun.sync.key, f"process {number}", {})
                assert row is not None
        assert (row.epoch, row.lost_claims) == (4, 3)
    async with open_runtime(settings) as runtime:
        last = (await follow(runtime, begun.sync.sync_id))[-1]
    assert last.failure is not None
    assert last.failure.code == "INTERNAL"


async def test_what_a_comparison_notes_and_forgets_is_no_progress(settings: Settings):
    """A sync that kills its process in each comparison fails at last, although each notes the same merged patients."""
    async with open_runtime(settings, run_syncs=False) as runtime:
        await runtime.connections.connect(LOCAL_OPERATOR, "org_1", EMULATED_API_KEY, "http://127.0.0.1:9", check=False)
        begun = await runtime.syncs.start(LOCAL_OPERATOR, "org_1")

        processes = count()

        async def lost_after(*checkpoints: Checkpoint) -> int:
            """How many claims in a row are lost once a process has stored these and died."""
            async with runtime.database.writing() as connection:
                row = await claim(connection, begun.sync.key, f"process {next(processes)}", {})
            assert row is not None
            run = SyncRun(runtime.database, runtime.bus, row)
            for one in checkpoints:
                await run.commit(one)
            return (await row_of(runtime, begun.sync.sync_id)).lost_claims

        noted, receipt = Pending((17, 18)), Receipt(utc_now(), 0, 0.0, ())
        assert await lost_after(Reading(PLAN, "patients"), Comparing(PLAN)) == 0
        repeated = [await lost_after(Comparing(PLAN, pending=noted), Comparing(PLAN)) for _ in range(3)]
        assert repeated == [1, 2, 3]
        assert await lost_after(Comparing(PLAN, pending=noted), Storing(PLAN, receipt)) == 0


@pytest.mark.both_databases
async def test_a_stop_on_purpose_and_progress_are_not_counted(settings: Settings, cliniko: Cliniko):
    """Restarts for upgrades never add up to a failure, and a stored page resets the count."""
    reached = asyncio.Event()
    cliniko.emulator.latency_seconds = 0.1

    def note(request: RecordedRequest) -> None:
        if request.resource == "patients" and request.values("per_page") != ["1"]:
            reached.set()

    cliniko.emulator.after_request = note
    async with open_runtime(settings) as first:
        await first.connections.connect(LOCAL_OPERATOR, "org_1", EMULATED_API_KEY, cliniko.base_url, check=False)
        begun = await first.syncs.start(LOCAL_OPERATOR, "org_1")
        async with first.database.writing() as connection:
            await connection.execute(update(SYNC).values(lost_claims=7))
        async with asyncio.timeout(LIMIT_SECONDS):
            await reached.wait()
        row = await row_of(first, begun.sync.sync_id)
        assert row.lost_claims == 0, "the credentials were checked, which is progress"
        assert row.claimed_by is not None
    async with open_runtime(settings, run_syncs=False) as idle:
        row = await row_of(idle, begun.sync.sync_id)
        assert row.completed_at is None
        assert (row.lost_claims, row.claimed_by) == (0, None)


@pytest.mark.both_databases
async def test_the_end_of_a_wait_by_a_stop_is_a_new_version(settings: Settings):
    """A process that stops during a wait ends the wait, and clients that know the version before receive it."""
    async with open_runtime(settings, run_syncs=False) as runtime:
        begun = await runtime.syncs.start(LOCAL_OPERATOR, "org_1")
        wait: RunningChanges = {"current_step": "Waiting", "resumes_at": utc_now(), "waiting_for": "rate_limit"}
        async with runtime.database.writing() as connection:
            held = await claim(connection, begun.sync.key, "process", OPENING_TEXTS)
            assert held is not None
            waiting = await change_running(connection, begun.sync.key, held.epoch, wait)
            assert waiting is not None
            await release_claims(connection, "process", OPENING_TEXTS)
        row = await row_of(runtime, begun.sync.sync_id)
    assert (row.claimed_by, row.waiting_for, row.resumes_at) == (None, None, None)
    assert (row.version, row.current_step) == (waiting.version + 1, "Initializing sync…")


def test_pauses_grow_until_there_is_progress(monkeypatch: pytest.MonkeyPatch):
    """A disk that stays full for a day costs an attempt a minute, and the count continues in the next process."""
    now = 1000.0
    monkeypatch.setattr(pauses.time, "monotonic", lambda: now)
    counted = Pauses()
    assert [counted.begin(1)[1] for _ in range(6)] == [5, 10, 20, 40, 60, 60]
    assert counted.left(1) == 60
    assert Pauses().begin(1, earlier=3) == (4, 40)
    now += 60
    assert (counted.left(1), counted.count) == (0, 1)
    now += 16
    assert counted.count == 0, "it was claimed elsewhere, or is all right"
    counted.end(1)
    assert counted.begin(1) == (1, 5)
    now += 10_000
    counted.begin(2)
    assert counted.left(1) == 0
    assert len(counted._pauses) == 1, "what was never heard of again is forgotten"


@pytest.mark.both_databases
async def test_the_time_limit_counts_from_the_start_of_the_sync(settings: Settings, cliniko: Cliniko):
    """A sync whose server was down for longer than the limit fails at once, without a request to Cliniko."""
    async with open_runtime(settings, run_syncs=False) as idle:
        await idle.connections.connect(LOCAL_OPERATOR, "org_1", EMULATED_API_KEY, cliniko.base_url, check=False)
        begun = await idle.syncs.start(LOCAL_OPERATOR, "org_1")
        async with idle.database.writing() as connection:
            await connection.execute(update(SYNC).values(started_at=utc_now() - timedelta(hours=7)))
    async with open_runtime(settings) as runtime:
        last = (await follow(runtime, begun.sync.sync_id))[-1]
    assert last.failure is not None
    assert last.failure.code == "TIME_LIMIT"
    assert "counted from its start" in last.failure.message
    assert cliniko.emulator.requests == []


@pytest.mark.both_databases
async def test_a_clock_that_was_set_back_gives_no_more_than_the_time_limit(settings: Settings, cliniko: Cliniko):
    """A sync whose start lies ahead by the clock of the server ends within its limit all the same."""
    cliniko.gate.hold("patients")
    async with open_runtime(settings, run_syncs=False) as idle:
        await idle.connections.connect(LOCAL_OPERATOR, "org_1", EMULATED_API_KEY, cliniko.base_url, check=False)
        begun = await idle.syncs.start(LOCAL_OPERATOR, "org_1")
        async with idle.database.writing() as connection:
            await connection.execute(update(SYNC).values(started_at=utc_now() + timedelta(hours=7)))
    async with open_runtime(settings.model_copy(update={"sync_time_limit": 0.5})) as runtime:
        last = (await follow(runtime, begun.sync.sync_id))[-1]
    assert last.failure is not None
    assert last.failure.code == "TIME_LIMIT"
