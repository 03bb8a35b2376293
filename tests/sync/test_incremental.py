"""An incremental sync finds every kind of change, and leads to the same rows as a full sync."""

from collections.abc import Callable
from datetime import timedelta

import pytest
import time_machine

from routiq_gql.clock import utc_now
from routiq_gql.emulator import Clinic, Fault, FaultKind, RecordedRequest
from routiq_gql.runtime import Runtime
from routiq_gql.sync.model import SyncMode, SyncSnapshot, SyncState
from tests.emulated_cliniko import Cliniko
from tests.sync.logs import messages
from tests.syncs import active_ids, run_sync, shown_rows

DAY = timedelta(days=1)
PATIENT, OTHER = "9", "1000"
VISIT = "514810976034500001"
CANCELLED = "514810976034500003"
CLASS, PAST_CLASS, ARCHIVED_CLASS, EMPTY_CLASS, LATER_CLASS = (
    *("95", "514810976034600002", "514810976034600001"),
    *("514810976034600009", "514810976034600010"),
)
OLD = timedelta(days=50)


async def incremental(runtime: Runtime) -> SyncSnapshot:
    """An incremental sync that completes and agrees with Cliniko; a full sync after it finds nothing to correct."""
    last = await run_sync(runtime, mode=SyncMode.INCREMENTAL)
    assert (last.status, last.mode) == (SyncState.COMPLETED, SyncMode.INCREMENTAL), last.failure
    assert last.receipt is not None
    assert last.receipt.agrees, last.receipt
    found = await shown_rows(runtime.database)
    again = await run_sync(runtime, mode=SyncMode.FULL)
    assert await shown_rows(runtime.database) == found
    assert again.receipt is not None
    assert (again.receipt.added, again.receipt.updated, again.receipt.removed) == (0, 0, 0), again.receipt
    return last


def restore_class(clinic: Clinic) -> None:
    clinic.unarchive("group_appointments", ARCHIVED_CLASS)


def create_class_with_old_attendees(clinic: Clinic) -> None:
    made = clinic.insert_class(utc_now() + 2 * DAY)
    clinic.insert_attendee(made, OTHER, at=utc_now() - OLD)


def merge_twice(clinic: Clinic) -> None:
    clinic.merge(PATIENT, "10")
    clinic.merge("10", OTHER)


CHANGES: dict[str, Callable[[Clinic], object]] = {
    "a patient is new": lambda clinic: clinic.insert_patient(),
    "a patient is renamed": lambda clinic: clinic.rename(PATIENT, first_name="Zoë"),
    "a patient is archived": lambda clinic: clinic.archive("patients", PATIENT),
    "a patient is restored": lambda clinic: clinic.unarchive("patients", "514810976034364376"),
    "a patient is deleted": lambda clinic: clinic.delete("patients", PATIENT),
    "a patient is deleted without a trace": lambda clinic: clinic.delete("patients", PATIENT, trace=False),
    "a patient without visits is deleted": lambda clinic: clinic.remove("patients", "9007199254740992"),
    "a patient is merged": lambda clinic: clinic.merge(PATIENT, OTHER),
    "a patient is merged twice": merge_twice,
    "an appointment is new": lambda clinic: clinic.insert_appointment("10", utc_now() + DAY),
    "an appointment is archived": lambda clinic: clinic.archive("individual_appointments", VISIT),
    "an appointment is restored": lambda clinic: clinic.unarchive("individual_appointments", "514810976034500004"),
    "an appointment is cancelled": lambda clinic: clinic.cancel("individual_appointments", VISIT),
    "a cancellation is undone": lambda clinic: clinic.uncancel("individual_appointments", CANCELLED),
    "an appointment is marked as missed": lambda clinic: clinic.mark("individual_appointments", VISIT, arrived=False),
    "an appointment is deleted": lambda clinic: clinic.delete("individual_appointments", VISIT),
    "an appointment is deleted without a trace": lambda clinic: clinic.remove("individual_appointments", VISIT),
    "an appointment moves to another patient": lambda clinic: clinic.move(
        "individual_appointments", VISIT, patient_id="10"
    ),
    "an appointment moves out of the window": lambda clinic: clinic.move(
        "individual_appointments", VISIT, utc_now() - 200 * DAY
    ),
    "an appointment moves into the window": lambda clinic: clinic.move(
        "individual_appointments", "514810976034500012", utc_now() - DAY
    ),
    "an appointment moves before the horizon": lambda clinic: clinic.move(
        "individual_appointments", VISIT, utc_now() - 800 * DAY
    ),
    "an appointment moves into the horizon": lambda clinic: clinic.move(
        "individual_appointments", "514810976034500020", utc_now() + DAY
    ),
    "a class is new, its attendees are old": create_class_with_old_attendees,
    "a class is archived": lambda clinic: clinic.archive("group_appointments", CLASS),
    "a class is restored, its attendees are old": restore_class,
    "a class is deleted without a trace": lambda clinic: clinic.remove("group_appointments", CLASS),
    "a class moves before the horizon": lambda clinic: clinic.move("group_appointments", CLASS, utc_now() - 800 * DAY),
    "a class moves into the window": lambda clinic: clinic.move("group_appointments", LATER_CLASS, utc_now() + DAY),
    "an attendee joins": lambda clinic: clinic.insert_attendee(EMPTY_CLASS, OTHER),
    "an attendee joins without a trace": lambda clinic: clinic.insert_attendee(EMPTY_CLASS, OTHER, at=utc_now() - OLD),
    "an attendee cancels": lambda clinic: clinic.cancel("attendees", "100"),
    "an attendee's cancellation is undone": lambda clinic: clinic.uncancel("attendees", "101"),
    "an attendee is archived": lambda clinic: clinic.archive("attendees", "100"),
    "an attendee is restored": lambda clinic: clinic.unarchive("attendees", "102"),
    "an attendee leaves without a trace": lambda clinic: clinic.remove("attendees", "100"),
    "an attendee is marked as missed": lambda clinic: clinic.mark("attendees", "106", arrived=False),
    "an attendee moves to another class": lambda clinic: clinic.move("attendees", "100", class_id=EMPTY_CLASS),
    "a type is new": lambda clinic: clinic.insert_type("Massage"),
    "a type is renamed without a trace": lambda clinic: clinic.rename_type("7", "Long consultation", touch=False),
    "a type is archived without a trace": lambda clinic: clinic.archive("appointment_types", "7", touch=False),
    "a type is gone": lambda clinic: clinic.remove("appointment_types", "7"),
    "a practitioner is new": lambda clinic: clinic.insert_practitioner(),
    "a practitioner leaves": lambda clinic: clinic.archive("practitioners", "3", touch=False),
    "a practitioner is gone": lambda clinic: clinic.remove("practitioners", "3"),
}
GROUPS = 11
"""Every eleventh of these kinds changes other rows."""


@pytest.mark.parametrize("name", list(CHANGES))
async def test_every_kind_of_change_is_found(runtime: Runtime, cliniko: Cliniko, name: str):
    """Whatever changes in the clinic, the next incremental sync shows what a full sync would show."""
    await run_sync(runtime)
    before = await shown_rows(runtime.database)
    CHANGES[name](cliniko.emulator.clinic)
    last = await incremental(runtime)
    assert await shown_rows(runtime.database) != before
    assert last.receipt is not None
    assert last.receipt.added + last.receipt.updated + last.receipt.removed > 0


@pytest.mark.parametrize("first", range(GROUPS))
async def test_changes_of_several_kinds_are_found(runtime: Runtime, cliniko: Cliniko, first: int):
    """All kinds again, a few in each sync, which takes a fourth of the time."""
    await run_sync(runtime)
    kinds = list(CHANGES)[first::GROUPS]
    for name in reversed(kinds):  # a patient who is deleted takes their appointments along
        CHANGES[name](cliniko.emulator.clinic)
    last = await incremental(runtime)
    assert last.receipt is not None
    assert last.receipt.added + last.receipt.updated + last.receipt.removed >= len(kinds)


@pytest.mark.both_databases
async def test_many_changes_at_once_are_found(runtime: Runtime, cliniko: Cliniko):
    """The same for many changes between two syncs, with both databases."""
    await run_sync(runtime)
    clinic = cliniko.emulator.clinic
    for name in ("a patient is merged twice", "an appointment moves before the horizon", "a cancellation is undone"):
        CHANGES[name](clinic)
    for name in ("a class is restored, its attendees are old", "a class is archived", "a type is gone"):
        CHANGES[name](clinic)
    clinic.remove("patients", "9007199254740992")
    clinic.remove("individual_appointments", "514810976034500007")
    clinic.remove("attendees", "106")
    await incremental(runtime)


@pytest.mark.both_databases
async def test_an_unchanged_clinic_takes_few_requests_and_changes_nothing(runtime: Runtime):
    """If nothing has changed, a sync sends at most 15 requests, writes nothing, and says that counts agree."""
    await run_sync(runtime)
    before = await shown_rows(runtime.database)
    last = await run_sync(runtime, mode=SyncMode.AUTO)
    assert last.mode is SyncMode.INCREMENTAL
    assert last.receipt is not None
    assert (last.receipt.agrees, last.receipt.added, last.receipt.updated, last.receipt.removed) == (True, 0, 0, 0)
    assert last.receipt.requests <= 15
    assert await shown_rows(runtime.database) == before
    assert (last.patients_found, last.appointments_found, last.active_patients_stored) == (24, 20, 12)


@pytest.mark.both_databases
async def test_time_alone_moves_appointments_out_of_windows_and_horizon(runtime: Runtime, cliniko: Cliniko):
    """Days later, without any edit, visits have left the windows and the horizon, and others have come."""
    clinic = cliniko.emulator.clinic
    edge = clinic.insert_appointment("10", utc_now() - 728 * DAY)
    await run_sync(runtime)
    rows = (await shown_rows(runtime.database))["INDIVIDUAL_APPOINTMENTS"]
    assert int(edge) in {row[0] for row in rows}
    recent, upcoming = await active_ids(runtime.database)
    with time_machine.travel(utc_now() + 5 * DAY):
        await incremental(runtime)
        rows = (await shown_rows(runtime.database))["INDIVIDUAL_APPOINTMENTS"]
        assert int(edge) not in {row[0] for row in rows}
        assert await active_ids(runtime.database) != (recent, upcoming)


@pytest.mark.parametrize("moment", ["patients", "individual_appointments", "group_appointments", "appointment_types"])
async def test_a_merge_during_the_sync_is_followed(runtime: Runtime, cliniko: Cliniko, moment: str):
    """Two patients are merged while a sync reads: no appointment stays with the patient who is gone."""
    await run_sync(runtime)
    clinic, merged = cliniko.emulator.clinic, False

    def merge(request: RecordedRequest) -> None:
        nonlocal merged
        if request.resource == moment and not merged:
            merged = True
            clinic.merge(PATIENT, OTHER)

    clinic.rename("10", first_name="Zoë")
    cliniko.emulator.after_request = merge
    await run_sync(runtime, mode=SyncMode.INCREMENTAL)
    cliniko.emulator.after_request = None
    await incremental(runtime)


@pytest.mark.parametrize("skew", [-15, 15])
async def test_a_wrong_date_of_cliniko_loses_no_change(runtime: Runtime, cliniko: Cliniko, skew: int):
    """Cliniko's clock is a quarter of an hour off: changes right after a sync are found by the next."""
    cliniko.emulator.date_skew_seconds = skew * 60
    await run_sync(runtime)
    cliniko.emulator.clinic.rename(PATIENT, first_name="Zoë")
    last = await incremental(runtime)
    assert last.receipt is not None
    assert last.receipt.updated == 1


async def test_a_clock_that_is_ahead_loses_no_change(runtime: Runtime, cliniko: Cliniko):
    """This server's clock is an hour ahead: changes are found, even if Cliniko leaves out its time once."""
    clinic = cliniko.emulator.clinic
    with time_machine.travel(utc_now() + timedelta(hours=1)):
        clinic.clock.ahead = timedelta(hours=-1)
        await run_sync(runtime)
        clinic.rename(PATIENT, first_name="Zoë")
        assert (await incremental(runtime)).receipt.updated == 1
        cliniko.emulator.faults.add(Fault(FaultKind.NO_DATE, times=None))
        await run_sync(runtime, mode=SyncMode.INCREMENTAL)
        clinic.rename(PATIENT, first_name="Zoe")
        assert (await run_sync(runtime, mode=SyncMode.INCREMENTAL)).receipt.updated == 1


async def test_changes_are_told_in_the_log(runtime: Runtime, cliniko: Cliniko):
    """The log says since when changes were read, and how many rows had changed."""
    await run_sync(runtime)
    await run_sync(runtime)
    cliniko.emulator.clinic.rename(PATIENT, first_name="Zoë")
    last = await run_sync(runtime, mode=SyncMode.AUTO)
    lines = await messages(runtime, last.sync_id)
    assert any(line.startswith("This sync reads what has changed since 20") for line in lines)
    assert "Read 1 row of patients that have changed" in lines
    assert "Found 24 patients" in lines
