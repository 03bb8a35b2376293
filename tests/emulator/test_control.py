"""Control routes for this machine: they make the emulator misbehave and change the clinic while it runs."""

from datetime import datetime
from typing import Any

import httpx
import pytest

from routiq_gql.clock import utc_now
from routiq_gql.emulator import Clinic, Emulator, generated_clinic
from routiq_gql.emulator.control import change_clinic
from routiq_gql.emulator.resources import RESOURCES
from routiq_gql.emulator.table import Row
from tests.emulator.conftest import Serve


def control(client: httpx.AsyncClient, path: str) -> str:
    """The address of a control route, beside ``/v1``."""
    return str(client.base_url.copy_with(path=f"/_control/{path}"))


async def test_faults_are_added_listed_and_cleared(clinic: Clinic, serve: Serve) -> None:
    """The body sets a fault's attributes; the list shows how often each fault has occurred."""
    client = await serve(Emulator(clinic))
    faults = control(client, "faults")
    body = [{"kind": "status_500", "resource": "patients", "times": None}, {"kind": "slow", "seconds": 0.01}]
    assert (await client.post(faults, json=body)).json() == {"added": 2}
    assert (await client.get("/patients")).status_code == 500
    [first, second] = (await client.get(faults)).json()["faults"]
    assert (first["kind"], first["times"], first["struck"]) == ("status_500", None, 1)
    assert (second["kind"], second["seconds"], second["struck"]) == ("slow", 0.01, 0)
    assert (await client.delete(faults)).status_code == 204
    assert (await client.get(faults)).json() == {"faults": []}
    assert (await client.get("/patients")).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"kind": "nonsense"},
        {"kind": "slow", "nonsense": 1},
        {"kind": "slow", "seconds": "long"},
        {"kind": "slow", "times": "once"},
        3,
        "slow",
    ],
)
async def test_a_fault_that_cannot_be_read_is_refused(clinic: Clinic, serve: Serve, body: Any) -> None:
    """A malformed fault gets 400 with a sentence, and has no effect."""
    emulator = Emulator(clinic)
    client = await serve(emulator)
    response = await client.post(control(client, "faults"), json=body)
    assert response.status_code == 400
    assert response.json()["message"]
    assert emulator.faults.listed() == []


async def test_the_clinic_changes_on_command(clinic: Clinic, serve: Serve) -> None:
    """A patient is added, booked, cancelled, booked again, and deleted."""
    client = await serve(Emulator(clinic))

    async def change(action: str, resource: str, **others: str) -> str:
        body = {"action": action, "resource": resource, **others}
        response = await client.post(control(client, "churn"), json=body)
        assert response.status_code == 200, response.text
        row_id: str = response.json()["id"]
        return row_id

    async def total(resource: str) -> int:
        count: int = (await client.get(f"/{resource}")).json()["total_entries"]
        return count

    patients, visits, attendees = (
        await total("patients"),
        await total("individual_appointments"),
        await total("attendees"),
    )
    patient = await change("insert", "patients", first_name="Neu", last_name="Gekommen")
    visit = await change("insert", "individual_appointments", patient_id=patient, starts_at="2024-12-24T01:00:00Z")
    class_id = await change("insert", "group_appointments", starts_at="2024-12-24T02:00:00Z")
    attendee = await change("insert", "attendees", class_id=class_id, patient_id=patient)
    await change("insert", "appointment_types", name="New type")
    assert (await total("patients"), await total("individual_appointments")) == (patients + 1, visits + 1)
    await change("cancel", "individual_appointments", id=visit)
    assert await total("individual_appointments") == visits
    await change("uncancel", "individual_appointments", id=visit)
    await change("cancel", "attendees", id=attendee)
    assert (await total("individual_appointments"), await total("attendees")) == (visits + 1, attendees)
    await change("archive", "patients", id=patient)
    assert await total("patients") == patients
    await change("unarchive", "patients", id=patient)
    await change("merge", "patients", id=patient, into="9")
    assert await total("patients") == patients
    await change("remove", "individual_appointments", id=visit)
    assert await total("individual_appointments") == visits
    await change("delete", "patients", id="9")
    assert await total("patients") == patients - 1


async def test_every_kind_of_change_can_be_commanded(clinic: Clinic, serve: Serve) -> None:
    """The control route makes each documented change, with or without a new time of change."""
    client = await serve(Emulator(clinic))
    visit, at = "514810976034500001", "2025-01-01T00:00:00Z"

    async def change(action: str, resource: str, row_id: str, **others: Any) -> Row:
        body = {"action": action, "resource": resource, "id": row_id, **others}
        response = await client.post(control(client, "churn"), json=body)
        assert response.status_code == 200, response.text
        return clinic.tables[resource].get(int(row_id))

    stamp = datetime.fromisoformat(at).timestamp()
    visits = "individual_appointments"
    moved = await change("move", visits, visit, patient_id="10", practitioner_id="3", type_id="12", starts_at=at, at=at)
    assert (moved["patient_id"], moved["practitioner_id"], moved["appointment_type_id"]) == (10, 3, 12)
    assert moved["starts_at"] == moved["updated_at"] == stamp
    cancelled = await change("cancel", visits, visit, reason=60, at="2025-02-01T00:00:00Z", touch=False)
    assert (cancelled["cancellation_reason"], cancelled["updated_at"]) == (60, stamp)
    assert (await change("mark", visits, visit, arrived=False))["did_not_arrive"] == 1
    assert (await change("move", "attendees", "100", class_id="514810976034600002"))["booking_id"] == 514810976034600002
    assert (await change("mark", "attendees", "100", arrived=True))["arrived"] == 1
    assert (await change("archive", "practitioners", "3"))["active"] == 0
    await change("rename", "appointment_types", "7", name="Renamed")
    await change("rename", "patients", "9", last_name="Renamed", email=None, touch=False)
    await change("rename", "practitioners", "3", label="Renamed", at=at)
    assert (clinic.type_names[7][0], clinic.person(9).last_name, clinic.practitioner(3).label) == ("Renamed",) * 3
    await change("merge", "patients", "10", into="9", touch_moved=True, at=at)
    assert (moved := clinic.individual_appointments.get(int(visit)))["patient_id"] == 9
    assert moved["updated_at"] == stamp
    deleted = await change("delete", visits, visit, archives=False)
    assert (bool(deleted["deleted_at"]), deleted["archived_at"]) == (True, None)
    body = {"action": "delete", "resource": "patients", "id": "9", "trace": False}
    assert (await client.post(control(client, "churn"), json=body)).json() == {"id": "9"}
    assert 9 not in clinic.patients
    assert clinic.individual_appointments.find("patient_id", 9) == []


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"action": "archive", "resource": "patients", "id": "404"},
        {"action": "archive", "resource": "invoices", "id": "9"},
        {"action": "explode", "resource": "patients", "id": "9"},
        {"action": "cancel", "resource": "patients", "id": "9"},
        {"action": "merge", "resource": "attendees", "id": "100", "into": "101"},
        {"action": "insert", "resource": "group_appointments", "starts_at": "2024-12-24T02:00:00"},
        {"action": "insert", "resource": "individual_appointments"},
        {"action": "insert", "resource": "patients", "at": "yesterday"},
        {"action": "merge", "resource": "patients", "id": "9", "into": "9"},
        {"action": "merge", "resource": "patients", "id": "9"},
        {"action": "merge", "resource": "patients", "id": "9", "into": "404"},
        {"action": "move", "resource": "individual_appointments", "id": "514810976034500001"},
        {"action": "move", "resource": "group_appointments", "id": "95", "patient_id": "9"},
        {"action": "cancel", "resource": "individual_appointments", "id": "514810976034500001", "reason": 7},
        {"action": "archive", "resource": "patients", "id": "9", "touch": "no"},
        {"action": "archive", "resource": "patients", "id": "9", "toch": False},
        {"action": "rename", "resource": "attendees", "id": "100", "name": "New"},
        {"action": "rename", "resource": "patients", "id": "9", "first_name": 7},
        {"action": "mark", "resource": "attendees", "id": "100"},
        [],
    ],
)
async def test_a_change_that_cannot_be_made_is_refused(clinic: Clinic, serve: Serve, body: Any) -> None:
    """An impossible change gets 400, and the clinic stays unchanged."""
    before = {name: list(table.rows()) for name, table in clinic.tables.items()}
    client = await serve(Emulator(clinic))
    assert (await client.post(control(client, "churn"), json=body)).status_code == 400
    assert {name: list(table.rows()) for name, table in clinic.tables.items()} == before


async def test_the_requests_so_far_can_be_read(clinic: Clinic, serve: Serve) -> None:
    """The record lists requests and statuses, without keys and without control requests."""
    client = await serve(Emulator(clinic))
    await client.get("/patients", params={"page": "2"})
    [request] = (await client.get(control(client, "requests"))).json()["requests"]
    assert request.pop("time")
    assert request == {"method": "GET", "path": "/v1/patients", "parameters": [["page", "2"]], "status": 200}


async def test_control_needs_no_key_but_this_machine(clinic: Clinic) -> None:
    """Control routes need no key, but are not found from other machines."""
    app = Emulator(clinic).app
    for address, status in (("127.0.0.1", 200), ("192.0.2.7", 404)):
        transport = httpx.ASGITransport(app=app, client=(address, 4711))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            assert (await client.get("/_control/faults")).status_code == status


@pytest.mark.parametrize("resource", RESOURCES)
def test_a_row_can_be_inserted_into_every_list(resource: str):
    """Each list of the emulated clinic can get a new row, and the row goes into that list."""
    clinic = generated_clinic(3, utc_now())
    patient, booking = str(clinic.patients.ids()[0]), str(clinic.group_appointments.ids()[0])
    members: dict[str, dict[str, str]] = {
        "individual_appointments": {"patient_id": patient, "starts_at": utc_now().isoformat()},
        "group_appointments": {"starts_at": utc_now().isoformat()},
        "attendees": {"class_id": booking, "patient_id": patient},
        "appointment_types": {"name": "New type"},
    }
    before = set(clinic.tables[resource].ids())
    made = change_clinic(clinic, {"action": "insert", "resource": resource, **members.get(resource, {})})
    assert set(clinic.tables[resource].ids()) - before == {int(made["id"])}
