"""Which syncs read everything, and why: each reason is a line of the sync's log."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from pydantic import ValidationError
from sqlalchemy import update

from routiq_gql.clock import utc_now
from routiq_gql.database.publishing import mirror_of
from routiq_gql.database.rows import MirrorRow
from routiq_gql.database.tables import MIRROR
from routiq_gql.emulator import EMULATED_API_KEY, Fault, FaultKind
from routiq_gql.runtime import Runtime, open_runtime
from routiq_gql.security.viewer import LOCAL_OPERATOR
from routiq_gql.settings import Settings
from routiq_gql.sync.model import SyncMode, SyncSnapshot, SyncState
from tests.emulated_cliniko import Cliniko
from tests.organization import ORGANIZATION
from tests.sync.logs import messages
from tests.syncs import run_sync, shown_rows

DAY = timedelta(days=1)


async def mirror(runtime: Runtime) -> MirrorRow:
    async with runtime.database.reading() as connection:
        row = await mirror_of(connection, ORGANIZATION)
    assert row is not None
    return row


async def change_mirror(runtime: Runtime, **values: object) -> None:
    async with runtime.database.writing() as connection:
        await connection.execute(update(MIRROR).values(**values))


async def reasons(runtime: Runtime, last: SyncSnapshot) -> list[str]:
    """Why a completed sync was full."""
    assert last.status is SyncState.COMPLETED, last.failure
    begin = "This sync reads everything: "
    found = [line.removeprefix(begin) for line in await messages(runtime, last.sync_id) if line.startswith(begin)]
    assert (last.mode is SyncMode.FULL) == bool(found)
    return found


@pytest.mark.both_databases
@pytest.mark.parametrize("mode", [SyncMode.AUTO, SyncMode.FULL, SyncMode.INCREMENTAL])
async def test_the_first_sync_is_full(runtime: Runtime, mode: SyncMode):
    """The first sync of a clinic reads everything, whatever was asked for."""
    last = await run_sync(runtime, mode=mode)
    assert await reasons(runtime, last) == ["it is the first sync of this organization"]
    assert last.active_patients_stored == 12


@pytest.mark.both_databases
async def test_later_syncs_are_incremental_until_a_week_has_passed(runtime: Runtime):
    """After the first sync only changes are read; a week after the last full sync everything is read again."""
    await run_sync(runtime, mode=SyncMode.AUTO)
    for days in (0, 3, 6):
        with time_machine.travel(utc_now() + days * DAY):
            assert await reasons(runtime, await run_sync(runtime, mode=SyncMode.AUTO)) == []
    with time_machine.travel(utc_now() + 7 * DAY):
        last = await run_sync(runtime, mode=SyncMode.AUTO)
        assert await reasons(runtime, last) == ["the last full sync was 7 days ago or more"]
        assert await reasons(runtime, await run_sync(runtime, mode=SyncMode.AUTO)) == []


async def test_a_full_sync_may_be_asked_for(runtime: Runtime):
    """A person can let a sync read everything."""
    await run_sync(runtime)
    assert await reasons(runtime, await run_sync(runtime, mode=SyncMode.FULL)) == ["a full sync was requested"]


async def test_an_old_full_sync_does_not_stop_a_person_from_reading_changes(runtime: Runtime):
    """INCREMENTAL that was asked for is done whenever it is possible."""
    await run_sync(runtime)
    with time_machine.travel(utc_now() + 9 * DAY):
        assert await reasons(runtime, await run_sync(runtime, mode=SyncMode.INCREMENTAL)) == []


OBSTACLES: dict[str, tuple[dict[str, Any], str]] = {
    "another account": ({"account": "0" * 64}, "the API key belongs to another account or person in Cliniko"),
    "another horizon": ({"horizon_days": 365}, "the number of days of history has changed"),
    "an earlier format": ({"format": 0}, "an earlier version of Routiq stored less of each row"),
    "no mark": ({"mark": None}, "it is not known since when changes are missing"),
}


@pytest.mark.both_databases
@pytest.mark.parametrize("mode", [SyncMode.AUTO, SyncMode.INCREMENTAL])
@pytest.mark.parametrize("name", list(OBSTACLES))
async def test_if_changes_are_not_enough_everything_is_read(runtime: Runtime, name: str, mode: SyncMode):
    """A sync that can't rely on changes reads everything and says why; the next reads changes again."""
    await run_sync(runtime)
    values, reason = OBSTACLES[name]
    await change_mirror(runtime, **values)
    (found,) = await reasons(runtime, await run_sync(runtime, mode=mode))
    assert found.startswith(reason)
    assert await reasons(runtime, await run_sync(runtime, mode=SyncMode.AUTO)) == []


async def test_a_last_full_sync_in_the_future_is_not_trusted(runtime: Runtime):
    """After a clock that was ahead has been set right, everything is read."""
    await run_sync(runtime)
    await change_mirror(runtime, full_at=utc_now() + DAY)
    (found,) = await reasons(runtime, await run_sync(runtime, mode=SyncMode.AUTO))
    assert found.startswith("the last full sync lies in the future")


async def test_another_setting_of_history_reads_everything(settings: Settings, cliniko: Cliniko):
    """With more or fewer days of history the next sync reads everything, and holds these appointments."""
    clinic = cliniko.emulator.clinic
    old = clinic.insert_appointment("10", utc_now() - 400 * DAY)
    for number, (days, is_there) in enumerate(((730, True), (365, False), (500, True))):
        changed = settings.model_copy(update={"history_days": days})
        async with open_runtime(changed) as runtime:
            if not number:
                await runtime.connections.connect(LOCAL_OPERATOR, ORGANIZATION, EMULATED_API_KEY, cliniko.base_url)
            found = await reasons(runtime, await run_sync(runtime, mode=SyncMode.AUTO))
            assert found == (["the number of days of history has changed"] if number else found)
            rows = (await shown_rows(runtime.database))["INDIVIDUAL_APPOINTMENTS"]
            assert (int(old) in {row[0] for row in rows}) == is_there
            last = await run_sync(runtime, mode=SyncMode.AUTO)
            assert last.mode is SyncMode.INCREMENTAL
            assert last.receipt is not None
            assert last.receipt.agrees


@pytest.mark.both_databases
async def test_a_kept_window_stays_until_the_setting_is_given(settings: Settings, cliniko: Cliniko):
    """A database of an earlier version holds the recent and upcoming days only, until the operator sets more."""
    kept = Settings(**settings.model_dump(exclude={"history_days"}))
    assert "history_days" not in kept.model_fields_set
    clinic = cliniko.emulator.clinic
    old = clinic.insert_appointment("10", utc_now() - 60 * DAY)
    ahead = clinic.insert_appointment("10", utc_now() + 60 * DAY)

    async def held(runtime: Runtime) -> set[int]:
        rows = (await shown_rows(runtime.database))["INDIVIDUAL_APPOINTMENTS"]
        return {row[0] for row in rows} & {int(old), int(ahead)}

    async with open_runtime(kept) as runtime:
        await runtime.connections.connect(LOCAL_OPERATOR, ORGANIZATION, EMULATED_API_KEY, cliniko.base_url)
        await run_sync(runtime)
        assert await held(runtime) == {int(old), int(ahead)}
        await change_mirror(runtime, keeps_window=True)
        last = await run_sync(runtime, mode=SyncMode.AUTO)
        assert await reasons(runtime, last) == ["the number of days of history has changed"]
        assert await held(runtime) == set()
        assert last.receipt is not None
        assert last.receipt.agrees
        assert await reasons(runtime, await run_sync(runtime, mode=SyncMode.AUTO)) == []
        with time_machine.travel(utc_now() + DAY):
            (found,) = await reasons(runtime, await run_sync(runtime, mode=SyncMode.AUTO))
            assert found.startswith("the window of appointments has moved by a day")
    async with open_runtime(settings.model_copy(update={"history_days": 730})) as runtime:
        last = await run_sync(runtime, mode=SyncMode.AUTO)
        assert await reasons(runtime, last) == ["the number of days of history has changed"]
        assert await held(runtime) == {int(old), int(ahead)}


def test_a_history_shorter_than_the_recent_days_is_refused():
    """Appointments that make a patient active can't be older than those that are stored."""
    with pytest.raises(ValidationError, match="must be at least ROUTIQ_RECENT_DAYS, which is 60"):
        Settings(recent_days=60, history_days=59)
    assert Settings(recent_days=60, history_days=60).history_days == 60


@pytest.mark.both_databases
@pytest.mark.parametrize("resource", ["patients", "individual_appointments", "attendees"])
async def test_a_refused_filter_reads_everything_within_the_same_sync(
    runtime: Runtime, cliniko: Cliniko, resource: str
):
    """If Cliniko refuses to list only changes, the same sync reads everything, and says so."""
    await run_sync(runtime)
    cliniko.emulator.clinic.rename("9", first_name="Zoë")
    cliniko.emulator.faults.add(Fault(FaultKind.REFUSE_FILTER, resource, times=None, filter="updated_at"))
    last = await run_sync(runtime, mode=SyncMode.INCREMENTAL)
    assert (last.status, last.mode) == (SyncState.COMPLETED, SyncMode.FULL), last.failure
    lines = await messages(runtime, last.sync_id)
    assert "This sync reads everything after all: Cliniko refuses to list only what has changed" in lines
    assert last.receipt is not None
    assert last.receipt.updated == 1
    assert last.active_patients_stored == 12


async def test_an_incremental_sync_asks_only_whose_key_it_is(runtime: Runtime, cliniko: Cliniko):
    """The reads check the key themselves, so step 3 of an incremental sync is one request."""
    await run_sync(runtime)
    already = len(cliniko.emulator.requests)
    await run_sync(runtime, mode=SyncMode.AUTO)
    asked = cliniko.emulator.requests[already:]
    assert [request.resource for request in asked].count("user") == 1
    assert "settings" not in {request.resource for request in asked}
    assert not any(request.values("q[]") == ["booking_id:=1"] for request in asked)


async def test_a_failed_sync_moves_no_mark(runtime: Runtime, cliniko: Cliniko):
    """Only a published sync moves the time from which the next one reads changes."""
    await run_sync(runtime)
    before = await mirror(runtime)
    cliniko.emulator.clinic.rename("9", first_name="Zoë")
    cliniko.emulator.faults.add(Fault(FaultKind.STATUS_401, "attendees", times=None))
    with time_machine.travel(utc_now() + timedelta(hours=5)):
        assert (await run_sync(runtime, mode=SyncMode.AUTO)).status is SyncState.FAILED
    after = await mirror(runtime)
    assert (after.sync, after.mark, after.full_at) == (before.sync, before.mark, before.full_at)
    cliniko.emulator.faults.clear()
    last = await run_sync(runtime, mode=SyncMode.AUTO)
    assert (last.mode, last.status) == (SyncMode.INCREMENTAL, SyncState.COMPLETED)
    assert last.receipt is not None
    assert last.receipt.updated == 1
