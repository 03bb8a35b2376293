"""A full disk or a locked file in the middle of a sync: users get a sentence, and the sync resumes by itself."""

import sqlite3

import pytest
import structlog
from sqlalchemy import event

from routiq_gql.clock import utc_now
from routiq_gql.database import sqlite
from routiq_gql.database.keys import KeyRing, KeyStore
from routiq_gql.emulator import Fault, FaultKind, generated_clinic
from routiq_gql.errors import StorageError
from routiq_gql.runtime import Runtime
from routiq_gql.security.viewer import LOCAL_OPERATOR
from routiq_gql.sync import pauses
from routiq_gql.sync.model import SyncState, SyncStep
from tests.descriptors import no_descriptors
from tests.emulated_cliniko import Cliniko
from tests.sync.pages import pages_of_lists
from tests.syncs import follow, run_sync, start, stored_rows
from tests.waiting import until


def limit_pages(runtime: Runtime, pages: int) -> None:
    """Limit the file to ``pages`` pages: SQLite then fails as on a full disk."""

    @event.listens_for(runtime.database._engine.sync_engine, "checkout")
    def limit(connection, _entry, _fairy):
        connection.execute(f"PRAGMA max_page_count = {pages}").close()


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pauses, "FIRST_PAUSE_SECONDS", 0.1)
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_SECONDS", 0)


@pytest.mark.sqlite_only
async def test_a_disk_that_gets_full(runtime: Runtime, cliniko: Cliniko):
    """The log names the file on the full disk; with new space the sync resumes and ends correctly."""
    await run_sync(runtime)
    before = await stored_rows(runtime.database)
    clinic = cliniko.emulator.clinic = generated_clinic(600, utc_now())
    with sqlite3.connect(runtime.database.path) as reader:
        pages = reader.execute("PRAGMA page_count").fetchone()[0]
    reader.close()
    limit_pages(runtime, pages + 12)
    with structlog.testing.capture_logs() as logged:
        sync_id = await start(runtime)
        await until(lambda: any(line["event"] in {"sync_paused", "task_failing"} for line in logged))
        told = next(line for line in logged if line["event"] in {"sync_paused", "task_failing"})
        assert told["log_level"] == "error"
        assert "is full. Free some space; syncs resume by themselves." in told["reason"]
        assert str(runtime.database.path) in told["reason"]
        assert not (await runtime.syncs.status(LOCAL_OPERATOR, sync_id)).is_terminal
        assert await stored_rows(runtime.database) == before
        limit_pages(runtime, 2**30)
        last = (await follow(runtime, sync_id))[-1]
    assert last.status is SyncState.COMPLETED
    assert clinic.expected is not None
    assert last.patients_found == clinic.expected.patients_found
    assert last.active_patients_stored == len(clinic.expected.recent | clinic.expected.upcoming)


@pytest.mark.sqlite_only
async def test_a_file_that_another_program_keeps_locked(runtime: Runtime, cliniko: Cliniko):
    """A change requested meanwhile gets an explanation; afterwards the sync resumes where it was."""
    cliniko.emulator.clinic = generated_clinic(600, utc_now())
    cliniko.emulator.latency_seconds = 0.05
    sync_id = await start(runtime)
    async for snapshot in runtime.syncs.watch(LOCAL_OPERATOR, sync_id):
        if snapshot.step is SyncStep.FETCHING_PATIENTS and snapshot.patients_found:
            break
    other = sqlite3.connect(runtime.database.path, isolation_level=None)
    with structlog.testing.capture_logs() as logged:
        other.execute("BEGIN IMMEDIATE")
        await until(lambda: any(line["event"] == "sync_paused" for line in logged))
        with pytest.raises(StorageError, match=r"Another program (has kept|keeps) .* locked"):
            await runtime.syncs.start(LOCAL_OPERATOR, "org_other")
        assert (await runtime.syncs.status(LOCAL_OPERATOR, sync_id)).patients_found >= snapshot.patients_found
        other.execute("ROLLBACK")
        other.close()
        assert (await follow(runtime, sync_id))[-1].status is SyncState.COMPLETED
    pages = pages_of_lists(cliniko.emulator.requests)
    again = len(pages) - len({(request.resource, request.parameters) for request in pages})
    assert again <= sum(line["event"] == "sync_paused" for line in logged), "only pages in flight were read again"


@pytest.mark.parametrize("kind", [ValueError, TimeoutError, LookupError])
async def test_an_unexpected_error_ends_the_sync_with_its_id(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch, kind: type[Exception]
):
    """An internal error of any kind is shown with the sync's id; the log has its kind and place, but not its text."""

    private = "Zoë Quist, zoe@example.com"

    async def broken(*_: object, **__: object) -> None:
        raise kind(private)

    monkeypatch.setattr("routiq_gql.sync.pipeline.analyze_slice", broken)
    with structlog.testing.capture_logs() as logged:
        last = await run_sync(runtime)
    assert last.failure is not None
    assert (last.failure.code, last.failure.message) == ("INTERNAL", f"Internal error in {last.sync_id}")
    broke = next(line for line in logged if line["event"] == "sync_crashed")
    assert broke["error"] == kind.__name__
    assert any("test_storage_trouble" in place for place in broke["where"])
    assert private not in str(logged)


async def test_too_many_open_files_while_cliniko_is_asked(runtime: Runtime, cliniko: Cliniko):
    """A server that can't open a connection to Cliniko reports the shortage, and does not blame Cliniko."""
    cliniko.emulator.clinic = generated_clinic(600, utc_now())
    cliniko.emulator.faults.add(Fault(FaultKind.DROP_BEFORE, "patients", times=None))
    sync_id = await start(runtime)
    await until(lambda: any(request.resource == "patients" for request in cliniko.emulator.requests))
    with structlog.testing.capture_logs() as logged, no_descriptors():
        await until(lambda: any(line["event"] in {"sync_paused", "sync_ended"} for line in logged))
    cliniko.emulator.faults.clear()
    assert "Too many open files" in next(line["reason"] for line in logged if line["event"] == "sync_paused")
    assert (await follow(runtime, sync_id))[-1].status is SyncState.COMPLETED


@pytest.mark.sqlite_only  # with PostgreSQL there is no key file
async def test_a_key_file_that_can_not_be_opened_now(
    runtime: Runtime, cliniko: Cliniko, monkeypatch: pytest.MonkeyPatch
):
    """A sync that can't open the key file for lack of descriptors waits, and ends correctly afterwards."""
    load, shortages = KeyStore.load, iter([None])

    def load_with_shortage(store: KeyStore) -> KeyRing:
        for _ in shortages:
            with no_descriptors():
                return load(store)
        return load(store)

    monkeypatch.setattr(KeyStore, "load", load_with_shortage)
    with structlog.testing.capture_logs() as logged:
        assert (await run_sync(runtime)).status is SyncState.COMPLETED
    assert any(line["event"] == "sync_paused" for line in logged)
