"""Unreadable rows: a few are left out and named in the log, many fail the sync, and an interruption miscounts none."""

import asyncio
import json
from collections import Counter
from datetime import timedelta

import pytest
from sqlalchemy import select

from routiq_gql.clock import utc_now
from routiq_gql.database.mirror import MirrorList
from routiq_gql.database.tables import SYNC
from routiq_gql.emulator import EMULATED_API_KEY, Emulator, EmulatorServer, Fault, FaultKind, generated_clinic
from routiq_gql.runtime import Runtime, open_runtime
from routiq_gql.security.viewer import LOCAL_OPERATOR
from routiq_gql.settings import Settings
from routiq_gql.sync.checkpoint import Reading
from routiq_gql.sync.checkpoint_json import read_checkpoint, to_json
from routiq_gql.sync.findings import MOST_NAMED, Findings
from routiq_gql.sync.model import FailureCode, LogLevel, SyncMode, SyncState
from routiq_gql.sync.place import Counts, Place
from routiq_gql.sync.receipt import Receipt
from tests.emulated_cliniko import Cliniko
from tests.organization import ORGANIZATION
from tests.sync.plans import FULL_PLAN
from tests.syncs import follow, run_sync, shown_columns, shown_rows, start
from tests.waiting import LIMIT_SECONDS

pytestmark = pytest.mark.both_databases

VISITS = "individual_appointments"


async def warnings_of(runtime: Runtime, sync_id: str) -> list[str]:
    lines = await runtime.syncs.log(LOCAL_OPERATOR, sync_id)
    return [line.message for line in lines if line.level is LogLevel.WARNING]


@pytest.mark.parametrize("rows", [1, 5])
async def test_a_few_rows_without_a_start_are_left_out_and_named(runtime: Runtime, cliniko: Cliniko, rows: int):
    """Five of sixteen appointments are unreadable: the sync completes without them, and the log names them."""
    cliniko.emulator.faults.add(
        Fault(FaultKind.ROW_WITHOUT_START, VISITS, times=None, rows=rows, only_above_per_page=1)
    )
    last = await run_sync(runtime)
    assert (last.status, last.errors) == (SyncState.COMPLETED, [])
    missing = sorted(await unread_ids(runtime))
    assert len(missing) == rows
    assert last.appointments_found == 20 - rows
    assert last.receipt is not None
    assert sorted(row.id or "" for row in last.receipt.unreadable_rows) == [str(row_id) for row_id in missing]
    check_counted(last.receipt)
    where = "of the list of individual appointments"
    named = [f"Skipped row {row_id} {where}: its “starts_at” can't be read" for row_id in missing]
    total = [f"Skipped {rows} of 16 rows {where} that can't be read"] if rows > 1 else []
    told = await warnings_of(runtime, last.sync_id)
    assert sorted(told[:rows]) == named
    assert told[rows:] == total
    cliniko.emulator.faults.clear()
    assert (await run_sync(runtime)).appointments_found == 20
    assert await unread_ids(runtime) == set()


def check_counted(receipt: Receipt) -> None:
    """Check that a receipt counts the unreadable rows that it names, in each list."""
    named = Counter(row.list for row in receipt.unreadable_rows)
    assert {one.list: one.unreadable for one in receipt.lists if one.unreadable} == named


async def unread_ids(runtime: Runtime) -> set[int]:
    """Ids of appointments that the mirror knows of, and could not read."""
    is_stub = shown_columns(MirrorList.INDIVIDUAL_APPOINTMENTS).index("is_stub")
    rows = (await shown_rows(runtime.database))["INDIVIDUAL_APPOINTMENTS"]
    return {row[0] for row in rows if row[is_stub]}


@pytest.mark.parametrize("mode", [SyncMode.FULL, SyncMode.INCREMENTAL])
async def test_a_row_that_becomes_unreadable_keeps_its_content(runtime: Runtime, cliniko: Cliniko, mode: SyncMode):
    """An appointment that can't be read any more stays as it was, and is named in the receipt."""
    before = await shown_rows_after(runtime)
    cliniko.emulator.clinic.mark(VISITS, "514810976034500001", arrived=False)
    cliniko.emulator.faults.add(Fault(FaultKind.ROW_WITHOUT_START, VISITS, times=None, only_above_per_page=1))
    last = await run_sync(runtime, mode=mode)
    assert (last.status, last.mode) == (SyncState.COMPLETED, mode)
    assert last.receipt is not None
    assert {row.reason for row in last.receipt.unreadable_rows} == {"starts_at"}
    check_counted(last.receipt)
    rows = await shown_rows(runtime.database)
    assert await unread_ids(runtime) == set()
    assert len(rows["INDIVIDUAL_APPOINTMENTS"]) == len(before["INDIVIDUAL_APPOINTMENTS"])


@pytest.mark.parametrize("is_readable", [True, False])
async def test_the_attendees_of_a_new_class_are_read_whether_it_can_be_read(
    runtime: Runtime, cliniko: Cliniko, is_readable: bool
):
    """Attendees may be older than the class, so a sync of changes asks for those of a class that appears."""
    before = await shown_rows_after(runtime)
    clinic = cliniko.emulator.clinic
    made = clinic.insert_class(utc_now() + timedelta(days=2))
    place = clinic.insert_attendee(made, "9", at=utc_now() - timedelta(days=50))
    if not is_readable:
        fault = Fault(FaultKind.ROW_WITHOUT_START, "group_appointments", times=None, only_above_per_page=1)
        cliniko.emulator.faults.add(fault)
    last = await run_sync(runtime, mode=SyncMode.INCREMENTAL)
    assert (last.status, last.mode) == (SyncState.COMPLETED, SyncMode.INCREMENTAL), last.failure
    rows = await shown_rows(runtime.database)
    assert len(rows["GROUP_APPOINTMENTS"]) == len(before["GROUP_APPOINTMENTS"]) + 1
    assert int(place) in {row[0] for row in rows["ATTENDEES"]}


async def shown_rows_after(runtime: Runtime):
    assert (await run_sync(runtime)).status is SyncState.COMPLETED
    return await shown_rows(runtime.database)


@pytest.mark.parametrize(
    ("kind", "resource", "field"),
    [
        (FaultKind.ROW_WITHOUT_START, VISITS, "starts_at"),
        (FaultKind.WRONG_SHAPE_ROW, "patients", "id"),
        (FaultKind.WRONG_SHAPE_ROW, "attendees", "id"),
    ],
)
async def test_many_unreadable_rows_fail_the_sync(
    runtime: Runtime, cliniko: Cliniko, kind: FaultKind, resource: str, field: str
):
    """If more than five rows and more than one percent are unreadable, the sync fails and the stored rows stay."""
    cliniko.emulator.clinic.insert_attendee("95", "9")
    before = await shown_rows_after(runtime)
    cliniko.emulator.faults.add(Fault(kind, resource, times=None, rows=6, only_above_per_page=1))
    last = await run_sync(runtime)
    assert last.failure is not None
    assert last.failure.code is FailureCode.CLINIKO_UNEXPECTED_ANSWER
    assert last.failure.message.startswith("6 of ")
    assert last.failure.message.endswith(f"can't be read: the first has no usable “{field}”.")
    assert await warnings_of(runtime, last.sync_id) != []
    assert await shown_rows(runtime.database) == before


async def test_visits_without_a_patient_are_stored_and_reported(runtime: Runtime, cliniko: Cliniko):
    """A visit without a patient is kept, reported, and makes no patient active."""
    cliniko.emulator.faults.add(
        Fault(FaultKind.BARE_ROW, VISITS, times=None, rows=100, only_above_per_page=1),
        Fault(FaultKind.BARE_ROW, "attendees", times=None, rows=100, only_above_per_page=1),
    )
    last = await run_sync(runtime)
    assert last.status is SyncState.COMPLETED
    assert (last.appointments_found, last.active_patients_stored) == (21, 0), "no row shows that it is cancelled"
    told = [message for message in await warnings_of(runtime, last.sync_id) if "have no patient" in message]
    assert [message.partition(" have no")[0] for message in told] == [
        "16 of 16 individual appointments",
        "6 of 6 attendees of group appointments",
    ]


async def test_a_break_neither_loses_nor_doubles_a_count(settings: Settings):
    """A sync resumed in the middle of a list names each skipped row once."""
    emulator = Emulator(generated_clinic(2000, utc_now()))
    emulator.faults.add(Fault(FaultKind.ROW_WITHOUT_START, VISITS, times=14, only_above_per_page=1))
    async with EmulatorServer(emulator) as server:
        async with open_runtime(settings) as runtime:
            await runtime.connections.connect(LOCAL_OPERATOR, ORGANIZATION, EMULATED_API_KEY, server.base_url)
            sync_id = await start(runtime)
            async with asyncio.timeout(LIMIT_SECONDS):
                while True:
                    async with runtime.database.reading() as connection:
                        stored = (await connection.execute(select(SYNC.c.checkpoint))).scalar_one()
                    checkpoint = read_checkpoint(stored)
                    if isinstance(checkpoint, Reading) and checkpoint.place.findings.unreadable >= 2:
                        break
                    is_slow = isinstance(checkpoint, Reading) and checkpoint.list_name == VISITS
                    emulator.latency_seconds = 0.2 if is_slow else 0.0
                    await asyncio.sleep(0.01)
            emulator.latency_seconds = 0
        async with open_runtime(settings) as runtime:
            last = (await follow(runtime, sync_id))[-1]
            assert last.status is SyncState.COMPLETED, last.failure
            told = await warnings_of(runtime, sync_id)
            async with runtime.database.reading() as connection:
                table = MirrorList.INDIVIDUAL_APPOINTMENTS.table
                query = select(table.c.id).where(
                    table.c.kind == MirrorList.INDIVIDUAL_APPOINTMENTS.kind, ~table.c.is_stub
                )
                stored = {str(row_id) for row_id in (await connection.execute(query)).scalars()}
    named = [line.split()[2] for line in told if line.startswith("Skipped row ")]
    assert len(named) == len(set(named)) > 2
    assert not set(named) & stored
    assert f"Skipped {len(named)} of {len(named) + len(stored)} rows of the list of individual appointments" in told[-1]


def test_findings_survive_the_checkpoint():
    """An interruption loses none of the problems that were found in a list."""
    found = Findings(30, ((None, "id"), ("82", "starts_at")), 5, 6)
    checkpoint = Reading(FULL_PLAN, VISITS, place=Place(counts=Counts(findings=found)))
    assert read_checkpoint(json.loads(json.dumps(to_json(checkpoint)))) == checkpoint


def test_the_log_names_only_so_many():
    """A list with hundreds of odd rows does not fill the log."""
    found = Findings(300, tuple((str(number), "starts_at") for number in range(MOST_NAMED)))
    lines = found.lines("the list of patients", 100_000)
    assert len(lines) == MOST_NAMED + 1
    assert lines[-1] == "Skipped 300 of 100000 rows of the list of patients that can't be read"


@pytest.mark.parametrize(
    ("unreadable", "total", "fails"),
    [
        (0, 0, False),
        (5, 5, False),
        (6, 6, True),
        (6, 599, True),
        (6, 600, False),
        (100, 10_000, False),
        (101, 10_000, True),
    ],
)
def test_how_much_is_too_much(unreadable: int, total: int, fails: bool):
    """More than five rows and more than one percent are too many."""
    assert Findings(unreadable).is_too_much(total) is fails
