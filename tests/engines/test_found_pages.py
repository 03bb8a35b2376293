"""The sync of a look uses the rows of the look, and never older rows than those that readers see."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta

import pytest
from sqlalchemy.exc import IntegrityError

from routiq_gql.cliniko.looking import NEWEST_ROWS
from routiq_gql.clock import utc_now
from routiq_gql.emulator import Fault, FaultKind
from routiq_gql.engines import refreshing
from routiq_gql.errors import DatabaseAway
from routiq_gql.runtime import Runtime
from routiq_gql.security.viewer import LOCAL_OPERATOR
from routiq_gql.sync.found import read_found
from routiq_gql.sync.found_pages import MOST_SYNCS, FoundPages, FoundPagesKeeper
from routiq_gql.sync.looking import LOOKED_AT
from routiq_gql.sync.model import SyncMode, SyncState
from tests.emulated_cliniko import Cliniko
from tests.engines.refreshing import looks_of
from tests.syncs import run_sync, shown_rows

PATIENT = "9"
LOOK = [resource.name for resource in LOOKED_AT]


def asked(cliniko: Cliniko, before: int) -> Sequence[str]:
    """The lists that were asked for since."""
    return [request.resource for request in cliniko.emulator.requests[before:]]


async def first_name(runtime: Runtime) -> object:
    """The first name of the patient that readers see."""
    (row,) = [row for row in (await shown_rows(runtime.database))["PATIENTS"] if str(row[0]) == PATIENT]
    return row[2]


@pytest.mark.both_databases
async def test_a_change_is_asked_for_once(runtime: Runtime, cliniko: Cliniko):
    """In the process that has looked, the sync sends no request for the changes that the look has read."""
    await run_sync(runtime)
    clinic, looks = cliniko.emulator.clinic, looks_of(runtime)
    clinic.rename(PATIENT, first_name="Zoë")
    clinic.insert_appointment(PATIENT, utc_now())
    before = len(cliniko.emulator.requests)
    last = await looks.look()
    assert last is not None
    assert last.receipt is not None
    assert asked(cliniko, before) == LOOK
    assert (last.receipt.requests, last.receipt.added, last.receipt.updated) == (0, 1, 1)
    assert len(runtime.found_pages) == 0
    assert await first_name(runtime) == "Zoë"


@pytest.mark.both_databases
async def test_a_sync_in_another_process_asks_again(runtime: Runtime, cliniko: Cliniko):
    """The rows of a look stay in its process: elsewhere the sync asks for the changed lists, and for no others."""
    await run_sync(runtime)
    looks = looks_of(runtime, is_elsewhere=True)
    cliniko.emulator.clinic.rename(PATIENT, first_name="Zoë")
    before = len(cliniko.emulator.requests)
    assert await looks.look() is not None
    assert asked(cliniko, before) == [*LOOK, "patients"]
    assert await first_name(runtime) == "Zoë"


async def test_more_changes_than_a_look_reads_are_all_shown(runtime: Runtime, cliniko: Cliniko):
    """After an import the look has read only the newest rows, so that its sync reads the list by itself."""
    await run_sync(runtime)
    clinic, looks = cliniko.emulator.clinic, looks_of(runtime)
    new = {clinic.insert_patient(first_name=f"Mia {number}") for number in range(NEWEST_ROWS + 1)}
    before = len(cliniko.emulator.requests)
    assert await looks.look() is not None
    assert asked(cliniko, before) == [*LOOK, "patients"]
    assert new <= {str(row[0]) for row in (await shown_rows(runtime.database))["PATIENTS"]}


async def test_an_import_whose_last_second_is_not_over_is_shown_whole(runtime: Runtime, cliniko: Cliniko):
    """If a second has more changes than a look reads, those made after the look are read as well, and only once."""
    await run_sync(runtime)
    clinic, looks = cliniko.emulator.clinic, looks_of(runtime)
    clinic.clock.stands_at = utc_now() - timedelta(seconds=5)
    new = {clinic.insert_patient(first_name=f"Mia {number}") for number in range(NEWEST_ROWS)}
    assert await looks.look() is not None
    assert await looks.look() is None
    for more in (NEWEST_ROWS, 1):
        new |= {clinic.insert_patient(first_name=f"Zoë {number}") for number in range(more)}
        await looks.look()
    clinic.clock.stands_at += timedelta(seconds=2)
    await looks.look()
    assert new <= {str(row[0]) for row in (await shown_rows(runtime.database))["PATIENTS"]}
    assert await looks.look() is None


async def test_a_change_between_a_look_and_its_sync_is_found_by_the_next(runtime: Runtime, cliniko: Cliniko):
    """The sync publishes the rows of the look, and the time of the look as its mark: a later change is not skipped."""
    await run_sync(runtime)
    clinic, looks = cliniko.emulator.clinic, looks_of(runtime)
    clinic.rename(PATIENT, first_name="Zoë")
    due = await looks.due()
    cliniko.gate.hold("attendees")
    looking = asyncio.create_task(looks.refreshes.look(due, runtime.engine))
    await cliniko.gate.reached()  # patients are read
    clinic.rename(PATIENT, first_name="Mia")
    cliniko.gate.open()
    await looking
    assert await looks.followed(due) is not None
    assert await looks.look() is not None
    assert await first_name(runtime) == "Mia"


async def test_rows_older_than_those_of_a_person_s_sync_are_not_used(runtime: Runtime, cliniko: Cliniko):
    """A person's sync that is published during a look has read newer rows. The look's sync does not bring back others.

    It then reads everything that has changed by itself.
    """
    await run_sync(runtime)
    clinic, looks = cliniko.emulator.clinic, looks_of(runtime)
    clinic.rename(PATIENT, first_name="Zoë")
    due = await looks.due()
    cliniko.gate.hold("attendees")
    looking = asyncio.create_task(looks.refreshes.look(due, runtime.engine))
    await cliniko.gate.reached()
    cliniko.gate.keep()
    clinic.rename(PATIENT, first_name="Mia")
    await run_sync(runtime, mode=SyncMode.INCREMENTAL)
    assert await first_name(runtime) == "Mia"
    cliniko.gate.open()
    await looking
    last = await looks.followed(due)
    assert last is not None
    assert last.status is SyncState.COMPLETED
    assert await first_name(runtime) == "Mia"


@pytest.mark.both_databases
async def test_changes_within_a_second_are_told_apart(runtime: Runtime, cliniko: Cliniko):
    """Cliniko's times are whole seconds. Each change of a second is synced, and none of them twice."""
    await run_sync(runtime)
    clinic, looks = cliniko.emulator.clinic, looks_of(runtime)
    clinic.clock.stands_at = utc_now()
    for name in ("Zoë", "Mia"):
        clinic.rename(PATIENT, first_name=name)
        assert await looks.look() is not None
        assert await first_name(runtime) == name
        assert [await looks.look() for _ in range(2)] == [None] * 2


async def test_a_sync_that_reads_everything_uses_no_rows_of_a_look(runtime: Runtime, cliniko: Cliniko):
    """If the sync of a look has to read everything in the end, it asks for the lists that the look has read, too."""
    first = await run_sync(runtime)
    clinic, looks = cliniko.emulator.clinic, looks_of(runtime)
    clinic.merge(PATIENT, into="10")
    by_patient = Fault(FaultKind.REFUSE_FILTER, "individual_appointments", times=None, filter="patient_id")
    cliniko.emulator.faults.add(by_patient)
    last = await looks.look()
    assert last is not None
    assert (last.status, last.mode) == (SyncState.COMPLETED, SyncMode.FULL), last.failure
    assert first.receipt is not None
    assert last.receipt is not None
    patients = {one.list: one.read for one in first.receipt.lists}["patients"]
    assert {one.list: one.read for one in last.receipt.lists}["patients"] >= patients
    lines = [line.message for line in await runtime.syncs.log(LOCAL_OPERATOR, last.sync_id)]
    assert [one for one in lines if "repaired" in one] == [], "the comparison had to read rows that were left out"


async def test_looks_remember_what_they_saw_last_only(runtime: Runtime, cliniko: Cliniko):
    """What looks remember of a clinic does not grow with the edits of a day."""
    await run_sync(runtime)
    looks = looks_of(runtime)
    sizes = []
    for number in range(5):
        cliniko.emulator.clinic.rename(PATIENT, first_name=f"Zoë {number}")
        assert await looks.look() is not None
        found = read_found((await looks.stored()).found)
        sizes.append(len(found.seen | found.pending))
    assert sizes == [sizes[0]] * 5


@pytest.mark.both_databases
async def test_pages_are_dropped_once_another_process_has_ended_their_sync(runtime: Runtime, cliniko: Cliniko):
    """A process that looks and leaves the sync to another one holds no rows of patients longer than that sync runs."""
    await run_sync(runtime)
    clinic, pages = cliniko.emulator.clinic, FoundPagesKeeper()
    looks = looks_of(runtime, pages=pages)
    await looks.look()
    due = await looks.due()
    clinic.rename(PATIENT, first_name="Zoë")
    cliniko.gate.hold("patients", spares_looks=True)
    await looks.refreshes.look(due, runtime.engine)
    await cliniko.gate.reached()
    await looks.refreshes.step(runtime.engine)
    assert len(pages) == 1, "the sync runs, and might still be taken over by this process"
    cliniko.gate.open()
    assert await looks.followed(due) is not None
    await looks.refreshes.step(runtime.engine)
    assert len(pages) == 0


@pytest.mark.parametrize(
    "error", [None, IntegrityError("", None, Exception()), DatabaseAway(""), asyncio.CancelledError()]
)
async def test_a_look_that_starts_no_sync_keeps_no_pages(
    runtime: Runtime, cliniko: Cliniko, monkeypatch: pytest.MonkeyPatch, error: BaseException | None
):
    """Another look or a start overtakes it, the database is away, or the process stops: no row of a patient stays."""
    await run_sync(runtime)
    pages = FoundPagesKeeper()
    looks = looks_of(runtime, pages=pages)
    cliniko.emulator.clinic.rename(PATIENT, first_name="Zoë")
    due = await looks.due()

    async def not_changed(*_arguments: object) -> None:
        assert len(pages) == 1
        if error is not None:
            raise error

    with monkeypatch.context() as patched:
        patched.setattr(refreshing, "change_refresh", not_changed)
        with suppress(DatabaseAway, asyncio.CancelledError):
            await looks.refreshes.look(due, runtime.engine)
    assert await looks.running() is None
    assert len(pages) == 0


def test_the_pages_of_few_syncs_are_kept():
    """Pages whose sync runs in another process are dropped once newer ones follow; each can be taken once."""
    keeper = FoundPagesKeeper()
    for sync in range(MOST_SYNCS + 1):
        keeper.keep(sync, FoundPages(sync, {}))
    assert len(keeper) == MOST_SYNCS
    assert keeper.take(0) is None
    assert keeper.take(MOST_SYNCS) == FoundPages(MOST_SYNCS, {})
    assert keeper.take(MOST_SYNCS) is None
