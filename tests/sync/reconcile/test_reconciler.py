"""The comparison of a synced clinic with Cliniko: requests, repairs, and receipts."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from routiq_gql.cliniko import (
    APPOINTMENT_TYPES,
    ATTENDEES,
    GROUP_APPOINTMENTS,
    INDIVIDUAL_APPOINTMENTS,
    PATIENTS,
    PRACTITIONERS,
)
from routiq_gql.emulator import Clinic, Emulator, Fault, RecordedRequest
from tests.sync.reconcile.conftest import APPOINTMENT, ATTENDEE, CLASS, PATIENT, Layered
from tests.sync.reconcile.small_sync import SmallSync

LISTS = (PATIENTS, INDIVIDUAL_APPOINTMENTS, GROUP_APPOINTMENTS, ATTENDEES, APPOINTMENT_TYPES, PRACTITIONERS)


async def same(sync: SmallSync, clinic: Clinic) -> None:
    """The mirror holds what Cliniko has: without archived and deleted visits, and without those before the horizon."""
    for resource in LISTS:
        rows = clinic.tables[resource.name].rows()
        dropped = ("deleted_at",) if resource is PATIENTS else resource.dropped
        start = int(sync.horizon.start.timestamp())
        expected = {
            row["id"]
            for row in rows
            if all(row.get(name) is None for name in dropped)
            and (not resource.has_start or (row["starts_at"] or 0) >= start)
        }
        assert await sync.ids(resource) == expected, resource.name


@pytest.mark.both_databases
async def test_an_unchanged_clinic_takes_fourteen_requests(sync: SmallSync, clinic: Clinic) -> None:
    """Besides whose key it is: changes of four lists, four totals, three whole lists, and attendees of some classes."""
    first = await sync.run()
    assert first.was_full
    assert first.receipt.agrees
    await same(sync, clinic)
    second = await sync.run()
    assert (second.receipt.agrees, second.receipt.requests <= 14, second.log) == (True, True, [])
    assert second.receipt.added == second.receipt.updated == second.receipt.removed == 0
    assert [(one.in_cliniko, one.in_mirror, one.agrees) for one in second.receipt.lists] == [
        (300, 300, True),
        (900, 900, True),
        (20, 20, True),
        (120, 120, True),
        (1, 1, True),
        (1, 1, True),
    ]


@pytest.mark.both_databases
async def test_a_patient_deleted_without_a_trace_is_found(sync: SmallSync, clinic: Clinic) -> None:
    """Cliniko deletes a patient with all appointments and attendances, and only totals show it."""
    await sync.run()
    calm = await sync.run()
    patient = str(PATIENT + 7 * 111)
    clinic.archive("patients", patient, at=datetime.now(UTC) - timedelta(days=40), touch=False)
    archived = await sync.run()
    assert archived.receipt.agrees
    assert archived.of(PATIENTS).updated == 1
    clinic.delete("patients", patient, trace=False)
    outcome = await sync.run()
    await same(sync, clinic)
    assert outcome.receipt.agrees
    assert not outcome.was_full
    assert (outcome.of(PATIENTS).removed, outcome.of(INDIVIDUAL_APPOINTMENTS).removed) == (1, 3)
    assert outcome.of(PATIENTS).in_cliniko == outcome.of(PATIENTS).in_mirror == 299
    assert outcome.receipt.requests - calm.receipt.requests <= 17
    assert outcome.log == ["Cliniko counted 299 patients and the mirror 300: 1 repaired"]


@pytest.mark.parametrize(
    ("resource", "first", "step"),
    [(INDIVIDUAL_APPOINTMENTS, APPOINTMENT, 3), (GROUP_APPOINTMENTS, CLASS, 1), (PATIENTS, PATIENT, 7)],
    ids=lambda value: getattr(value, "name", ""),
)
@pytest.mark.parametrize("number", [0, 9, 19])
async def test_a_row_that_vanished_is_found_wherever_it_was(
    sync: SmallSync, clinic: Clinic, resource: Any, first: int, step: int, number: int
) -> None:
    """The first, a middle or the last row of a list that is gone without a trace leaves the mirror too."""
    await sync.run()
    clinic.remove(resource.name, str(first + step * number))
    outcome = await sync.run()
    assert (outcome.receipt.agrees, outcome.of(resource).removed, outcome.was_full) == (True, 1, False)
    assert outcome.of(resource).in_mirror == len(clinic.tables[resource.name])
    if resource is GROUP_APPOINTMENTS:
        assert outcome.of(ATTENDEES).removed == 6
    again = await sync.run()
    assert (again.receipt.agrees, again.receipt.removed, again.log) == (True, 0, [])


@pytest.mark.both_databases
async def test_a_row_that_came_back_without_a_trace_is_found(sync: SmallSync, clinic: Clinic) -> None:
    """A restored appointment and a restored class, with its attendees, return, though nothing says they changed."""
    clinic.archive("individual_appointments", str(APPOINTMENT + 300))
    clinic.archive("group_appointments", str(CLASS + 5))
    first = await sync.run()
    assert first.of(ATTENDEES).in_mirror == 114
    clinic.unarchive("individual_appointments", str(APPOINTMENT + 300), touch=False)
    clinic.unarchive("group_appointments", str(CLASS + 5), touch=False)
    outcome = await sync.run()
    await same(sync, clinic)
    assert (outcome.receipt.agrees, outcome.receipt.added) == (True, 1 + 1 + 6)


@pytest.mark.both_databases
async def test_the_newest_row_that_came_back_without_a_trace_is_found(sync: SmallSync, clinic: Clinic) -> None:
    """The same for the rows with the greatest ids, which a sync has seen before they were archived."""
    newest = {name: str(max(clinic.tables[name].ids())) for name in ("individual_appointments", "group_appointments")}
    await sync.run()
    for name, row_id in newest.items():
        clinic.archive(name, row_id, at=datetime.now(UTC) - timedelta(days=40), touch=False)
    await sync.run()
    for name, row_id in newest.items():
        clinic.unarchive(name, row_id, touch=False)
    outcome = await sync.run()
    await same(sync, clinic)
    assert (outcome.receipt.agrees, outcome.was_full) == (True, False)


@pytest.mark.both_databases
async def test_attendees_who_join_and_leave_without_a_trace_are_found(sync: SmallSync, clinic: Clinic) -> None:
    """The attendees of some classes are read again in each sync, so a swap of two is found as well."""
    await sync.run()
    clinic.remove("attendees", str(ATTENDEE + 8))
    clinic.move("attendees", str(ATTENDEE + 9), class_id=str(CLASS + 7), touch=False)
    clinic.insert_attendee(str(CLASS + 2), str(PATIENT), at=datetime.now(UTC) - timedelta(days=90))
    outcome = await sync.run()
    await same(sync, clinic)
    attendees = outcome.of(ATTENDEES)
    assert (attendees.added, attendees.updated, attendees.removed) == (1, 1, 1)
    assert (attendees.compared, attendees.of, attendees.agrees) == (20, 20, True)
    assert attendees.oldest_check is not None
    assert (await sync.rows(ATTENDEES))[ATTENDEE + 9]["booking_id"] == CLASS + 7


async def test_a_merge_without_a_trace_moves_appointments(sync: SmallSync, clinic: Clinic) -> None:
    """A merge that changes no time shows in the number of patients who are not archived; a chain is followed."""
    await sync.run()
    first, second, third = (str(PATIENT + 7 * number) for number in (20, 30, 40))
    clinic.merge(first, second, touch=False)
    clinic.merge(second, third, touch=False)
    outcome = await sync.run()
    assert (outcome.receipt.agrees, outcome.was_full) == (True, False)
    assert outcome.of(PATIENTS).updated == 2
    rows = (await sync.rows(INDIVIDUAL_APPOINTMENTS)).values()
    assert sum(row["patient_id"] == int(third) for row in rows) == 9
    assert all(row["patient_id"] not in {int(first), int(second)} for row in rows)
    visits = (await sync.rows(ATTENDEES)).values()
    assert all(visit["patient_id"] not in {int(first), int(second)} for visit in visits)


@pytest.mark.both_databases
async def test_a_merged_patient_who_is_gone_leaves_no_appointment_behind(sync: SmallSync, clinic: Clinic) -> None:
    """Appointments that moved to another patient, before theirs was deleted, are asked for by id and follow."""
    await sync.run()
    gone, survivor = str(PATIENT + 7 * 50), str(PATIENT + 7 * 60)
    clinic.merge(gone, survivor, touch=False)
    clinic.remove("patients", gone)
    outcome = await sync.run()
    assert outcome.receipt.agrees
    await same(sync, clinic)
    rows = (await sync.rows(INDIVIDUAL_APPOINTMENTS)).values()
    assert sum(row["patient_id"] == int(survivor) for row in rows) == 6


async def test_a_patient_who_is_deleted_meanwhile_is_followed_too(
    sync: SmallSync, clinic: Clinic, emulator: Emulator
) -> None:
    """Appointments moved to a patient who is deleted at that moment: the patient's places in old classes go as well."""
    gone, survivor = str(PATIENT + 7 * 50), str(PATIENT + 7 * 60)
    long_ago = datetime.now(UTC) - timedelta(days=90)
    clinic.insert_class(long_ago, class_id=str(CLASS + 1_000), at=long_ago)
    clinic.insert_attendee(str(CLASS + 1_000), survivor, attendee_id=str(ATTENDEE - 1), at=long_ago)
    await sync.run()
    clinic.merge(gone, survivor, touch=False)
    clinic.remove("patients", gone)

    def delete(request: RecordedRequest) -> None:
        is_by_id = any(condition.startswith("id:=") for condition in request.values("q[]"))
        if request.resource == "individual_appointments" and is_by_id:
            emulator.after_request = None
            clinic.delete("patients", survivor, trace=False)

    emulator.after_request = delete
    await sync.run()
    assert emulator.after_request is None
    await same(sync, clinic)


@pytest.mark.both_databases
async def test_appointments_of_a_deleted_patient_are_found_with_the_first(sync: SmallSync, clinic: Clinic) -> None:
    """When an archived patient's appointment is missing, the patient's others are asked for before searching on."""
    patient = str(PATIENT + 7 * 77)
    clinic.archive("patients", patient)
    await sync.run()
    calm = await sync.run()
    for appointment in clinic.individual_appointments.find("patient_id", int(patient)):
        clinic.remove("individual_appointments", str(appointment))
    outcome = await sync.run()
    await same(sync, clinic)
    assert (outcome.receipt.agrees, outcome.of(INDIVIDUAL_APPOINTMENTS).removed) == (True, 3)
    assert outcome.receipt.requests - calm.receipt.requests <= 5 + 1 + 2 + 2


async def test_too_many_differences_lead_to_a_full_sync(sync: SmallSync, clinic: Clinic) -> None:
    """When a search has spent a quarter of what a full sync takes, everything is read instead, and the log says so."""
    await sync.run()
    for number in range(0, 900, 30):
        clinic.remove("individual_appointments", str(APPOINTMENT + number * 3))
    outcome = await sync.run()
    assert outcome.was_full
    assert outcome.log[0].startswith("the list of individual appointments differs from Cliniko in so many places")
    assert outcome.receipt.agrees
    await same(sync, clinic)


async def test_equal_totals_are_not_enough(sync: SmallSync, clinic: Clinic, emulator: Emulator) -> None:
    """A row that vanishes while another appears leaves totals as they are; no receipt agrees before both are known."""
    await sync.run()

    def edit() -> None:
        clinic.remove("patients", str(PATIENT + 7 * 5))
        clinic.insert_patient(patient_id=str(PATIENT + 7 * 5 + 1))

    sync.before_comparing = edit
    outcome = await sync.run()  # the totals of this sync are from before the edit
    sync.before_comparing = None
    assert outcome.receipt.agrees
    outcome = await sync.run()
    assert outcome.receipt.agrees
    await same(sync, clinic)


async def test_a_list_that_never_rests_does_not_agree_yet(sync: SmallSync, clinic: Clinic, emulator: Emulator) -> None:
    """If patients change between any two requests, the receipt says that the list does not agree yet."""
    await sync.run()
    emulator.after_request = lambda _request: clinic.rename(
        str(PATIENT + 7 * random.randrange(300)), first_name=str(random.random())
    )
    outcome = await sync.run()
    emulator.after_request = None
    assert outcome.of(PATIENTS).agrees is False
    assert not outcome.receipt.agrees
    assert outcome.log == ["The list of patients does not agree with Cliniko yet: 300 rows there, 300 here"]
    assert (await sync.run()).receipt.agrees


def miscounting(app: ASGIApp, resource: str) -> ASGIApp:
    """The emulator, with three rows too many in the totals of a list."""

    async def changed(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_changed(message: Message) -> None:
            is_count = scope["path"] == f"/v1/{resource}" and b"per_page=1&" in scope["query_string"] + b"&"
            if is_count and message["type"] == "http.response.start":
                message["headers"] = [pair for pair in message["headers"] if pair[0].lower() != b"content-length"]
            if is_count and message["type"] == "http.response.body":
                body = orjson.loads(message["body"])
                message["body"] = orjson.dumps({**body, "total_entries": body["total_entries"] + 3})
            await send(message)

        await app(scope, receive, send_changed)

    return changed


async def test_totals_that_stay_wrong_are_no_reason_to_read_everything(
    sync: SmallSync, clinic: Clinic, emulator: Emulator
) -> None:
    """Totals that come from a cache never agree. The receipt says so, after a limited number of requests."""
    await sync.run()
    assert isinstance(emulator.app, Layered)
    emulator.app.app = miscounting(emulator.app.app, "group_appointments")
    outcome = await sync.run()
    assert (outcome.of(GROUP_APPOINTMENTS).agrees, outcome.receipt.agrees, outcome.was_full) == (False, False, False)
    assert outcome.receipt.requests < 40
    assert outcome.of(PATIENTS).agrees
    await same(sync, clinic)


async def test_a_list_that_can_not_be_counted_leads_to_a_full_sync(sync: SmallSync, emulator: Emulator) -> None:
    """Without counts by id there is no comparison: the sync reads everything, and says that it was not compared."""
    await sync.run()
    emulator.faults.add(Fault("refuse_filter", "patients", times=None, filter="id:<="))
    outcome = await sync.run()
    assert outcome.was_full
    assert outcome.log == [
        "Cliniko does not count the list of patients by id",
        "Cliniko does not count the list of patients, so it was not compared",
    ]
    assert (outcome.of(PATIENTS).agrees, outcome.of(PATIENTS).in_cliniko) == (None, None)
    assert (outcome.receipt.agrees, outcome.receipt.refused) == (None, (outcome.of(PATIENTS),))
    assert outcome.of(INDIVIDUAL_APPOINTMENTS).agrees


async def test_attendees_that_are_not_listed_by_class_leave_the_total_open(
    sync: SmallSync, clinic: Clinic, emulator: Emulator
) -> None:
    """A full sync reads classes; if Cliniko then refuses their attendees, the receipt does not say that all agrees."""
    sync.before_comparing = lambda: emulator.faults.add(
        Fault("refuse_filter", "attendees", times=None, filter="booking_id:=")
    )
    outcome = await sync.run()
    assert (outcome.of(ATTENDEES).agrees, outcome.of(ATTENDEES).in_cliniko) == (None, None)
    assert (outcome.receipt.agrees, outcome.receipt.refused) == (None, (outcome.of(ATTENDEES),))
    assert outcome.log == ["Cliniko does not list attendees by class, so they were not compared"]
    await same(sync, clinic)


async def test_practitioners_that_the_key_may_not_read_are_not_compared(sync: SmallSync, emulator: Emulator) -> None:
    """A key without the right to practitioners still gets a receipt for everything else."""
    emulator.faults.add(Fault("status_403", "practitioners", times=None))
    outcome = await sync.run()
    assert (outcome.of(PRACTITIONERS).in_cliniko, outcome.of(PRACTITIONERS).agrees) == (None, None)
    assert outcome.receipt.agrees


@pytest.mark.both_databases
async def test_an_unreadable_row_counts_and_is_named(sync: SmallSync, emulator: Emulator) -> None:
    """An appointment without a start is in Cliniko's total and in the mirror's, and every receipt names it."""
    emulator.faults.add(Fault("row_without_start", "group_appointments", times=None, rows=1, only_above_per_page=1))
    first = await sync.run()
    emulator.faults.clear()
    second = await sync.run()
    for outcome in (first, second):
        assert outcome.receipt.agrees
        assert outcome.of(GROUP_APPOINTMENTS).unreadable == 1
        assert [(row.list, row.id, row.reason) for row in outcome.receipt.unreadable_rows] == [
            ("group_appointments", str(CLASS + 19), "starts_at")
        ]


@pytest.mark.parametrize("seed", range(3))
async def test_edits_during_a_sync_are_found_by_the_next(
    sync: SmallSync, clinic: Clinic, emulator: Emulator, seed: int
) -> None:
    """Rows vanish, appear and change between the requests of three syncs; after a fourth, everything is right."""
    chance = random.Random(seed)
    await sync.run()

    def edit(_request: object) -> None:
        if chance.random() < 0.7:
            return
        name = chance.choice(["patients", "individual_appointments", "group_appointments"])
        row_id = str(chance.choice(clinic.tables[name].ids()))
        match chance.randrange(5):
            case 0:
                clinic.delete(name, row_id, trace=False)
            case 1:
                clinic.archive(name, row_id, touch=chance.random() < 0.7)
            case 2:
                clinic.unarchive(name, row_id, touch=chance.random() < 0.7)
            case 3:
                clinic.insert_appointment(str(chance.choice(clinic.patients.ids())), datetime.now(UTC))
            case _:
                clinic.insert_attendee(row_id, str(chance.choice(clinic.patients.ids())))

    for _ in range(3):
        emulator.after_request = edit
        await sync.run()
        emulator.after_request = None
    outcome = await sync.run()
    assert outcome.receipt.agrees
    for resource in (PATIENTS, INDIVIDUAL_APPOINTMENTS, GROUP_APPOINTMENTS):
        rows = len([row for row in clinic.tables[resource.name].rows() if not any(row[n] for n in resource.dropped)])
        assert outcome.of(resource).in_mirror == rows


@pytest.mark.parametrize("refused", ["updated_at:>=", "id:<=", "id:="])
async def test_a_refused_filter_does_not_fail_a_full_sync(
    sync: SmallSync, clinic: Clinic, emulator: Emulator, refused: str
) -> None:
    """A full sync needs no filter but its own: a list that can't be compared is only not compared."""
    await sync.run()
    clinic.delete("patients", str(PATIENT + 7 * 50), trace=False)
    for resource in (PATIENTS, INDIVIDUAL_APPOINTMENTS, GROUP_APPOINTMENTS, ATTENDEES):
        emulator.faults.add(Fault("refuse_filter", resource.name, times=None, filter=refused))
    outcome = await sync.run(full=True)
    expected = True if refused == "id:=" else None
    assert outcome.receipt.agrees is expected
    assert {outcome.of(one).agrees for one in (PATIENTS, INDIVIDUAL_APPOINTMENTS, GROUP_APPOINTMENTS)} == {expected}
    await same(sync, clinic)
