"""The comparison of a clinic that is kept live: a few lists with each look, so that changes are shown meanwhile."""

import time
from collections import Counter
from datetime import timedelta

import pytest
from sqlalchemy import update

from routiq_gql.cliniko.looking import NEWEST_ROWS
from routiq_gql.clock import utc_now
from routiq_gql.database.tables import MIRROR, REFRESH
from routiq_gql.emulator import EMULATED_API_KEY, Fault, FaultKind
from routiq_gql.runtime import Runtime, open_runtime
from routiq_gql.security.viewer import LOCAL_OPERATOR
from routiq_gql.settings import Settings
from routiq_gql.sync.lists import LISTS
from routiq_gql.sync.looking import LOOK_REQUESTS, LOOKED_AT
from routiq_gql.sync.model import SyncMode, SyncSnapshot, SyncState
from routiq_gql.sync.parts import LAST_PART, MOST_FAILURES, PART_REQUESTS, PARTS
from routiq_gql.sync.plan import is_comparison_due
from routiq_gql.sync.receipt import ListReceipt
from tests.emulated_cliniko import Cliniko
from tests.engines.refreshing import Looks, looks_of
from tests.organization import ORGANIZATION
from tests.sync.logs import messages
from tests.syncs import run_sync, shown_rows

MOST_LOOKS = len(PARTS) + 3 * MOST_FAILURES
LOOK = Counter(resource.name for resource in LOOKED_AT)


def compared(sync: SyncSnapshot) -> dict[str, ListReceipt]:
    """The receipts of the lists."""
    assert sync.receipt is not None
    return {one.list: one for one in sync.receipt.lists}


async def compare_now(looks: Looks) -> None:
    """Make the last comparison long ago."""
    async with looks.runtime.database.writing() as connection:
        await connection.execute(update(MIRROR).values(compared_at=utc_now() - timedelta(minutes=16)))


@pytest.mark.both_databases
async def test_each_look_compares_a_part_of_the_lists(runtime: Runtime, cliniko: Cliniko):
    """Four looks compare all lists. Only the last receipt says that they agree, and when that was."""
    first = await run_sync(runtime)
    looks, receipts = looks_of(runtime), []
    await looks.look()
    await compare_now(looks)
    for part, lists in enumerate(PARTS):
        before = len(cliniko.emulator.requests)
        last = await looks.look()
        assert last is not None
        assert last.status is SyncState.COMPLETED, last.failure
        asked = Counter(request.resource for request in cliniko.emulator.requests[before:]) - LOOK
        own = {name for name in asked if name in compared(last)}
        assert own <= lists, (part, asked)
        assert asked.total() <= PART_REQUESTS, (part, asked)
        receipts.append(last.receipt)
    assert await looks.look() is None, "the next comparison is due in 15 minutes"
    assert first.receipt is not None
    *earlier, ended = receipts
    assert [one.agrees for one in earlier if one is not None] == [None] * LAST_PART
    assert {one.checked_at for one in earlier if one is not None} == {first.receipt.checked_at}
    assert ended is not None
    assert ended.agrees
    assert ended.checked_at > first.receipt.checked_at
    assert all(one.agrees for one in ended.lists if one.list != "attendees"), ended.lists
    counts = [one for receipt in receipts if receipt is not None for one in receipt.lists if one.in_cliniko is not None]
    assert {one.list for one in counts} == set(LISTS)
    assert [one for one in counts if one.in_cliniko != one.in_mirror] == [], "both are of the same comparison"
    freshness = (await runtime.syncs.dashboard(LOCAL_OPERATOR, ORGANIZATION)).freshness
    assert freshness is not None
    assert freshness.checked_at == ended.checked_at


async def test_a_change_during_a_comparison_is_shown_with_its_next_part(runtime: Runtime, cliniko: Cliniko):
    """A part does not hold up the changes of its look: the sync shows them, and its log has both lines."""
    await run_sync(runtime)
    looks = looks_of(runtime)
    await compare_now(looks)
    for number in range(len(PARTS)):
        cliniko.emulator.clinic.rename("9", first_name=f"Zoë {number}")
        last = await looks.look()
        assert last is not None
        assert any(row[2] == f"Zoë {number}" for row in (await shown_rows(runtime.database))["PATIENTS"])
        lines = await messages(runtime, last.sync_id)
        assert lines[0] == "Changed in Cliniko: patients"
        assert lines[1].startswith("Comparing with Cliniko: "), lines
    assert last is not None
    assert last.receipt is not None
    assert last.receipt.agrees


async def test_a_patient_whom_a_part_finds_before_the_visit_is_active_after_the_next_look(
    runtime: Runtime, cliniko: Cliniko
):
    """A comparison of patients reads them again. Who joined since the look is shown, the visit with the next look."""
    await run_sync(runtime)
    clinic, looks = cliniko.emulator.clinic, looks_of(runtime)
    await compare_now(looks)
    due = await looks.due()
    cliniko.gate.hold("patients", spares_looks=True)
    await looks.refreshes.look(due, runtime.engine)
    await cliniko.gate.reached()  # by the comparison, behind the look
    patient = clinic.insert_patient(first_name="Mia")
    clinic.insert_appointment(patient, utc_now() + timedelta(days=2))
    cliniko.gate.open()
    part = await looks.followed(due)
    assert part is not None
    assert (part.status, compared(part)["patients"].added) == (SyncState.COMPLETED, 1)
    last = await looks.look()
    assert last is not None
    assert last.changes is not None
    assert last.changes.became_active == 1


async def test_a_part_that_fails_is_made_again(runtime: Runtime, cliniko: Cliniko):
    """If Cliniko fails in the middle of a comparison, the parts before count, and the failed one follows once more."""
    await run_sync(runtime)
    looks = looks_of(runtime)
    await compare_now(looks)
    assert (await looks.look()) is not None
    reading = Fault(FaultKind.STATUS_500, "individual_appointments", times=None, only_above_per_page=NEWEST_ROWS)
    cliniko.emulator.faults.add(reading)
    failed = await looks.look()
    assert failed is not None
    assert failed.status is SyncState.FAILED
    cliniko.emulator.faults.clear()
    syncs = [await looks.look() for _ in range(LAST_PART)]
    receipts = [one.receipt for one in syncs if one is not None and one.receipt is not None]
    assert [one.parts for one in receipts] == [2, 3, 0]
    assert receipts[-1].agrees


async def test_a_part_that_keeps_failing_holds_up_no_change(runtime: Runtime, cliniko: Cliniko):
    """While Cliniko fails to count a list, the next look shows changes, without a comparison."""
    await run_sync(runtime)
    looks = looks_of(runtime)
    await compare_now(looks)
    counting = Fault(FaultKind.STATUS_500, "patients", times=None, only_above_per_page=NEWEST_ROWS)
    cliniko.emulator.faults.add(counting)
    for name in ("Zoë", "Mia"):
        cliniko.emulator.clinic.rename("9", first_name=name)
        syncs = [await looks.look() for _ in range(2)]
        assert [one.status for one in syncs if one is not None] == [SyncState.FAILED, SyncState.COMPLETED]
        assert any(row[2] == name for row in (await shown_rows(runtime.database))["PATIENTS"])
    cliniko.emulator.faults.clear()
    last = (await looks.compare())[-1].receipt
    assert last is not None
    assert last.agrees


@pytest.mark.parametrize("is_busy", [True, False])
@pytest.mark.parametrize("part", [0, 1, LAST_PART])
async def test_a_part_that_keeps_failing_is_left_out(runtime: Runtime, cliniko: Cliniko, part: int, is_busy: bool):
    """After three failures its lists are left out, and the comparison ends without repeating the parts before.

    A person reads the reason in the history. No receipt says that these lists agree, and the data gets no newer time.
    """
    first = await run_sync(runtime)
    looks = looks_of(runtime)
    await looks.look()
    await compare_now(looks)
    failing = {0: "patients", 1: "individual_appointments", LAST_PART: "appointment_types"}[part]
    above = 0 if part == LAST_PART else NEWEST_ROWS
    cliniko.emulator.faults.add(Fault(FaultKind.STATUS_500, failing, times=None, only_above_per_page=above))
    syncs: list[SyncSnapshot] = []
    while is_comparison_due((await looks.due()).mirror, utc_now()):
        assert len(syncs) < MOST_LOOKS, "the comparison has not ended"
        if is_busy:
            cliniko.emulator.clinic.rename("9", first_name=f"Zoë {len(syncs)}")
        last = await looks.look()
        assert last is not None
        syncs.append(last)
    failed = [sync for sync in syncs if sync.status is SyncState.FAILED]
    assert len(failed) == MOST_FAILURES
    history = await runtime.syncs.history(LOCAL_OPERATOR, ORGANIZATION)
    listed = [sync.sync_id for sync in history.recent_syncs if sync.failure is not None]
    assert sorted(listed) == sorted(sync.sync_id for sync in failed)
    lines = [line for sync in syncs for line in await messages(runtime, sync.sync_id)]
    compared_parts = [line for line in lines if line.startswith(("Comparing with Cliniko: ", "Left out of this"))]
    assert len(compared_parts) == len(PARTS) + MOST_FAILURES, "no part before it was made twice"
    assert sum(line.startswith("Left out of this comparison") for line in lines) == 1
    end = syncs[-1]
    assert end.receipt is not None
    assert first.receipt is not None
    assert compared(end)[failing].is_refused
    assert (end.receipt.agrees, end.receipt.checked_at) == (None, first.receipt.checked_at)
    cliniko.emulator.faults.clear()
    again = (await looks.compare())[-1].receipt
    assert again is not None
    assert again.agrees


async def test_a_comparison_that_was_interrupted_for_long_begins_again(runtime: Runtime, cliniko: Cliniko):
    """Its first part is too old by then for a receipt that says that all lists agree now."""
    await run_sync(runtime)
    looks = looks_of(runtime)
    await compare_now(looks)
    assert (await looks.look()) is not None
    assert (await looks.look()) is not None
    async with runtime.database.writing() as connection:
        await connection.execute(update(MIRROR).values(published_at=utc_now() - timedelta(minutes=16)))
    receipts = [one.receipt for one in await looks.compare()]
    assert [one.parts for one in receipts if one is not None] == [1, 2, 3, 0]


async def test_a_person_s_sync_ends_a_comparison_under_way(runtime: Runtime, cliniko: Cliniko):
    """It compares every list. The looks after it make no further part; the next comparison begins with the first."""
    await run_sync(runtime)
    looks = looks_of(runtime)
    await compare_now(looks)
    assert (await looks.look()) is not None
    assert (await looks.look()) is not None
    await run_sync(runtime, mode=SyncMode.INCREMENTAL)
    assert await looks.look() is None
    await compare_now(looks)
    last = await looks.look()
    assert last is not None
    assert last.receipt is not None
    assert last.receipt.parts == 1


async def test_another_account_behind_the_key_is_noticed(runtime: Runtime, cliniko: Cliniko):
    """The last part checks whose key it is. Another person may see other rows, so that sync reads everything."""
    await run_sync(runtime)
    looks = looks_of(runtime)
    await compare_now(looks)
    for _ in range(LAST_PART):
        assert (await looks.look()) is not None
    async with runtime.database.writing() as connection:
        await connection.execute(update(MIRROR).values(account="of another person"))
    last = await looks.look()
    assert last is not None
    assert (last.status, last.mode) == (SyncState.COMPLETED, SyncMode.FULL), last.failure


async def test_a_part_waits_until_the_ration_has_room_for_it(settings: Settings, cliniko: Cliniko):
    """While a comparison is due, a look waits until its requests and those of a part fit into the minute."""
    async with open_runtime(settings) as unpaced:
        await unpaced.connections.connect(LOCAL_OPERATOR, ORGANIZATION, EMULATED_API_KEY, cliniko.base_url)
        await run_sync(unpaced)
        await looks_of(unpaced).look()
    async with open_runtime(settings.model_copy(update={"cliniko_requests_per_minute": 180})) as runtime:
        looks = looks_of(runtime)
        await compare_now(looks)
        await looks.row()
        sent = round(time.time() * 1000)
        free = LOOK_REQUESTS + PART_REQUESTS
        for used, looked in ((18 - free + 1, False), (18 - free, True)):
            async with runtime.database.writing() as connection:
                await connection.execute(update(REFRESH).values(spent=[sent] * used))
            before = len(cliniko.emulator.requests)
            due = await looks.due()
            await looks.refreshes.look(due, runtime.engine)
            assert (len(cliniko.emulator.requests) > before) is looked, used
        last = await looks.followed(due)
        assert last is not None
        assert last.status is SyncState.COMPLETED
