"""A cancellation takes effect at once in every state, keeps the stored patients, and frees the organization."""

import asyncio
import random
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.emulator import Fault, FaultKind
from routiq_gql.errors import SyncNotFound
from routiq_gql.runtime import Runtime
from routiq_gql.security.viewer import LOCAL_OPERATOR, Viewer
from routiq_gql.sync import pipeline
from routiq_gql.sync.model import FailureCode, SyncSnapshot, SyncState, SyncStep
from tests.emulated_cliniko import Cliniko
from tests.organization import ORGANIZATION
from tests.syncs import follow, run_sync, start, stored_rows
from tests.waiting import LIMIT_SECONDS

pytestmark = pytest.mark.both_databases

LISTS = ["patients", "individual_appointments", "group_appointments", "attendees", "appointment_types"]
ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"


async def until(runtime: Runtime, sync_id: str, condition: Any) -> SyncSnapshot:
    """The first matching snapshot."""
    async with asyncio.timeout(LIMIT_SECONDS):
        async for snapshot in runtime.syncs.watch(LOCAL_OPERATOR, sync_id):
            if condition(snapshot):
                return snapshot
    raise AssertionError("the sync ended before")


async def cancel_and_check(runtime: Runtime, cliniko: Cliniko, sync_id: str) -> SyncSnapshot:
    """Cancel and check all guarantees of a cancellation; returns the final snapshot."""
    before = await stored_rows(runtime.database)
    async with asyncio.timeout(LIMIT_SECONDS):
        answer = await runtime.syncs.cancel(LOCAL_OPERATOR, sync_id)
    asked = len(cliniko.emulator.requests)
    last = answer.sync
    assert answer.cancelled
    assert answer.message == "Sync cancelled"
    assert last.status is SyncState.CANCELLED
    assert last.completed_at is not None
    assert last.failure is not None
    assert (last.failure.code, last.failure.message) == (FailureCode.CANCELLED, "Sync cancelled by user")
    assert last.progress_percentage < 100
    async with asyncio.timeout(LIMIT_SECONDS):
        while runtime.engine.running:
            await asyncio.sleep(0.01)
    assert len(cliniko.emulator.requests) == asked, "nothing is asked of Cliniko any more"
    assert await runtime.syncs.status(LOCAL_OPERATOR, sync_id) == last, "the end is final"
    assert await stored_rows(runtime.database) == before
    again = await runtime.syncs.cancel(LOCAL_OPERATOR, sync_id)
    assert (again.cancelled, again.message, again.sync) == (False, "Sync already cancelled", last)
    assert (await follow(runtime, sync_id)) == [last]
    return last


async def check_free(runtime: Runtime, cliniko: Cliniko) -> None:
    """The next sync starts at once and is complete."""
    cliniko.emulator.faults.clear()
    assert (await run_sync(runtime)).active_patients_stored == 12


@pytest.mark.parametrize("resource", ["settings", *LISTS])
async def test_in_a_hanging_request(runtime: Runtime, cliniko: Cliniko, resource: str):
    """While Cliniko doesn't respond to a request of any kind, a cancellation takes effect at once."""
    await run_sync(runtime)
    cliniko.emulator.faults.add(Fault(FaultKind.HANG, resource, only_above_per_page=0 if resource == "settings" else 1))
    already = len(cliniko.emulator.requests)
    sync_id = await start(runtime)
    async with asyncio.timeout(LIMIT_SECONDS):
        while not any(struck for _, struck in cliniko.emulator.faults.listed()):
            await asyncio.sleep(0.01)
    assert len(cliniko.emulator.requests) > already
    await cancel_and_check(runtime, cliniko, sync_id)
    await check_free(runtime, cliniko)


@pytest.mark.parametrize("kind", [FaultKind.RATE_LIMIT, FaultKind.STATUS_503])
async def test_in_a_wait(runtime: Runtime, cliniko: Cliniko, kind: FaultKind, monkeypatch: pytest.MonkeyPatch):
    """A minute's wait for the rate limit, or a wait before another attempt, ends with the cancellation."""
    monkeypatch.setattr("routiq_gql.cliniko.retries.Backoff.growing", lambda _self, _failures: 50.0)
    cliniko.emulator.faults.add(Fault(kind, "patients", only_above_per_page=1, times=None, seconds=50))
    sync_id = await start(runtime)
    waiting = await until(runtime, sync_id, lambda snapshot: snapshot.resumes_at is not None)
    assert waiting.step is SyncStep.FETCHING_PATIENTS
    last = await cancel_and_check(runtime, cliniko, sync_id)
    assert last.resumes_at is None
    # The key stays limited for all its clients, so the next sync does not run to its end here.
    await runtime.syncs.cancel(LOCAL_OPERATOR, await start(runtime))


@pytest.mark.usefixtures("threaded_sqlite")
@pytest.mark.parametrize("function", ["analyze_slice", "publish"])
async def test_in_a_long_statement(runtime: Runtime, cliniko: Cliniko, function: str, monkeypatch: pytest.MonkeyPatch):
    """An endless computation in the database is interrupted, in the analysis and while storing."""
    await run_sync(runtime)
    began = asyncio.Event()

    async def compute_for_ever(connection: AsyncConnection, *_: Any, **__: Any) -> None:
        began.set()
        await connection.execute(text("DELETE FROM activity_versions"))
        await connection.execute(text(ENDLESS))

    with monkeypatch.context() as patched:
        patched.setattr(pipeline, function, compute_for_ever)
        sync_id = await start(runtime)
        async with asyncio.timeout(LIMIT_SECONDS):
            await began.wait()
        last = await cancel_and_check(runtime, cliniko, sync_id)
    assert last.failure is not None
    assert last.failure.step is (SyncStep.ANALYZING if function == "analyze_slice" else SyncStep.STORING)
    await check_free(runtime, cliniko)


async def test_before_it_has_begun_and_again_and_again(runtime: Runtime, cliniko: Cliniko):
    """Start and cancel in quick succession: every sync ends as cancelled, and the last start works."""
    for _ in range(20):
        sync_id = await start(runtime)
        answer = await runtime.syncs.cancel(LOCAL_OPERATOR, sync_id)
        assert answer.sync.status is SyncState.CANCELLED
    await check_free(runtime, cliniko)
    history = await runtime.syncs.history(LOCAL_OPERATOR, ORGANIZATION)
    assert (history.cancelled_syncs, history.successful_syncs, history.total_syncs) == (20, 1, 21)


async def test_after_the_end_nothing_changes(runtime: Runtime):
    """Cancelling an ended sync returns its outcome."""
    last = await run_sync(runtime)
    answer = await runtime.syncs.cancel(LOCAL_OPERATOR, last.sync_id)
    assert (answer.cancelled, answer.message, answer.sync) == (False, "Sync already completed", last)


async def test_at_the_moment_of_completion(runtime: Runtime):
    """Either the cancellation or the completion wins, and response, status, log and stored rows agree on it."""
    print("seed 11")
    chance = random.Random(11)
    began = asyncio.get_running_loop().time()
    await run_sync(runtime)
    length = asyncio.get_running_loop().time() - began
    outcomes = set()
    for number in range(30):
        before = await stored_rows(runtime.database)
        sync_id = await start(runtime)
        if number % 2:
            await asyncio.sleep(chance.uniform(0.2, 1.1) * length)
        else:
            await until(runtime, sync_id, lambda snapshot: snapshot.step is SyncStep.STORING or snapshot.is_terminal)
            await asyncio.sleep(chance.uniform(0, 0.01))
        answer = await runtime.syncs.cancel(LOCAL_OPERATOR, sync_id)
        seen = (await follow(runtime, sync_id))[-1]
        lines = await runtime.syncs.log(LOCAL_OPERATOR, sync_id)
        assert seen == answer.sync
        if answer.cancelled:
            assert seen.status is SyncState.CANCELLED
            assert await stored_rows(runtime.database) == before
            assert lines[-1].message == "Sync cancelled by user"
        else:
            assert (seen.status, seen.progress_percentage) == (SyncState.COMPLETED, 100)
            assert lines[-1].message == "Sync completed successfully!"
            assert await stored_rows(runtime.database) != before, "it shows its own generation"
        outcomes.add(answer.cancelled)
    assert outcomes == {True, False}, "both ends were seen"


async def test_ten_people_cancel_at_once(runtime: Runtime, cliniko: Cliniko):
    """Of ten simultaneous requests only the first cancels, and all get the same final state."""
    cliniko.emulator.latency_seconds = 0.2
    sync_id = await start(runtime)
    answers = await asyncio.gather(*(runtime.syncs.cancel(LOCAL_OPERATOR, sync_id) for _ in range(10)))
    assert sorted(answer.message for answer in answers) == ["Sync already cancelled"] * 9 + ["Sync cancelled"]
    assert len({answer.sync for answer in answers}) == 1


async def test_another_organizations_sync_is_not_found(runtime: Runtime, cliniko: Cliniko):
    """An organization can neither cancel nor read another organization's sync."""
    cliniko.emulator.latency_seconds = 0.2
    sync_id = await start(runtime)
    with pytest.raises(SyncNotFound):
        await runtime.syncs.cancel(Viewer("org_else"), sync_id)
    assert not (await runtime.syncs.status(LOCAL_OPERATOR, sync_id)).is_terminal
    await runtime.syncs.cancel(LOCAL_OPERATOR, sync_id)
