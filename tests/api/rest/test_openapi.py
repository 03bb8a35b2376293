"""The OpenAPI description equals the routes: every route, and every key of every response in its order."""

from typing import Any

from starlette.routing import Route

from routiq_gql.api.rest.changes import SyncChangeCounts
from routiq_gql.api.rest.live_updates import LiveUpdates
from routiq_gql.api.rest.openapi import openapi_document
from routiq_gql.api.rest.receipts import CompletionRange, NextSync, UnreadableRow
from routiq_gql.api.rest.routes import PREFIX, rest_routes
from routiq_gql.clock import utc_now
from routiq_gql.emulator import Fault, FaultKind
from routiq_gql.organizations.live_updates import LiveUpdates as LiveUpdatesEntry
from routiq_gql.sync import model
from routiq_gql.sync.change_counts import ChangeCounts
from routiq_gql.sync.receipt import UnreadableRowReceipt
from tests.emulated_cliniko import Cliniko
from tests.organization import ORGANIZATION
from tests.patients.small_clinic import listed
from tests.server import Server
from tests.webhooks.stored import WEBHOOK_ID, stored_webhook


def _keys(name: str) -> list[str]:
    return list(openapi_document(with_tokens=False)["components"]["schemas"][name]["required"])


def test_every_route_is_described():
    """The document has each path and method of the REST API, and nothing else."""
    real = {
        (route.path, method.lower())
        for route in rest_routes()
        if isinstance(route, Route) and route.path.startswith(PREFIX)
        for method in route.methods - {"HEAD"}
    }
    described = {
        (path, method) for path, methods in openapi_document(with_tokens=False)["paths"].items() for method in methods
    }
    assert described == real


def test_every_reference_leads_somewhere_and_every_key_is_described():
    """All references within the document lead to a definition."""
    document = openapi_document(with_tokens=False)
    references, undescribed = [], []

    def look(value: Any, place: str) -> None:
        if isinstance(value, dict):
            references.extend([value["$ref"]] if "$ref" in value else [])
            for name, schema in value.get("properties", {}).items() if place != "properties" else ():
                is_reference = "$ref" in schema or "oneOf" in schema
                undescribed.extend([] if is_reference or schema.get("description") else [name])
            for key, inner in value.items():
                look(inner, key)
        elif isinstance(value, list):
            for inner in value:
                look(inner, place)

    look(document, "")
    names = {reference.removeprefix("#/components/schemas/") for reference in references}
    assert names <= set(document["components"]["schemas"])
    assert undescribed == []


async def test_the_document_is_served(bare_server: Server):
    """The document is public."""
    answer = await bare_server.http.get("/openapi.json")
    assert answer.json() == openapi_document(with_tokens=False)
    assert answer.json()["openapi"].startswith("3.1.")


async def test_real_answers_have_exactly_the_described_keys(server: Server, cliniko: Cliniko):
    """Real responses have the described keys, in the same order."""
    get = server.http.get
    started = (await server.http.post(f"/api/v1/sync/start/{ORGANIZATION}")).json()
    current = (await get(f"/api/v1/sync/dashboard/{ORGANIZATION}")).json()["current_sync"]
    async with server.stream(started["sync_id"]) as stream:
        events = [event async for event in stream]
    dashboard = (await get(f"/api/v1/sync/dashboard/{ORGANIZATION}")).json()
    history = (await get(f"/api/v1/sync/history/{ORGANIZATION}")).json()
    organizations = (await get("/api/v1/sync/organizations")).json()
    answers = {
        "Started": started,
        "CurrentSync": current,
        "LogLine": next(event.json for event in events if event.name == "log"),
        "SyncStatus": events[-1].json,
        "Dashboard": dashboard,
        "PatientStats": dashboard["patient_stats"],
        "EndedSync": dashboard["last_sync"],
        "History": history,
        "RecentSync": history["recent_syncs"][0],
        "Cancelled": (await server.http.delete(f"/api/v1/sync/cancel/{started['sync_id']}")).json(),
        "Problem": (await get("/nowhere")).json(),
        "Connection": dashboard["connection"],
        "Receipt": (receipt := events[-1].json["receipt"]),
        "Freshness": dashboard["freshness"],
        "OrganizationList": organizations,
        "OrganizationSummary": organizations["organizations"][0],
        "ListReceipt": receipt["lists"][0],
        "StepTiming": events[-1].json["steps"][0],
        "Actor": events[-1].json["started_by"],
        "SyncLog": (log := (await get(f"/api/v1/sync/log/{started['sync_id']}")).json()),
        "LogEntry": log["lines"][0],
        # A small clinic has no estimate and no unreadable row, and a first sync no changes.
        "SyncChangeCounts": SyncChangeCounts.model_validate(ChangeCounts(1, 1, 0, 0, 1, 0)).model_dump(),
        "UnreadableRow": UnreadableRow.model_validate(UnreadableRowReceipt("patients", None, "id")).model_dump(),
        "CompletionRange": CompletionRange.model_validate(model.CompletionRange(utc_now(), utc_now())).model_dump(),
        "LiveUpdates": LiveUpdates.model_validate(LiveUpdatesEntry("sync_a", 1, utc_now(), utc_now(), 1)).model_dump(),
        "NextSync": NextSync.model_validate(model.NextSync(model.SyncMode.FULL, 450, 150.0)).model_dump(),
    }
    await listed(server, "org_listed")
    answers["PatientPage"] = page = (await get("/api/v1/patients/org_listed")).json()
    answers["Patient"] = patient = page["patients"][1]
    answers |= {"PatientActivity": patient["activity"], "PatientReason": patient["why"]}
    answers |= {"PatientAppointment": (last := patient["last_appointment"]), "Practitioner": last["practitioner"]}
    unconnected = (await server.http.post("/api/v1/sync/start/org_unconnected")).json()
    answers["StartProblem"] = unconnected["problem"]
    answers["Failure"] = (await server.until_ended(unconnected["sync_id"]))["failure"]
    cliniko.emulator.faults.add(Fault(FaultKind.STATUS_401, times=None))
    await server.until_ended(await server.start_sync())
    refused = (await get(f"/api/v1/sync/dashboard/{ORGANIZATION}")).json()["connection"]
    answers["ConnectionProblem"] = refused["problem"]
    answers |= await _webhook_answers(server)
    assert {name: list(answer) for name, answer in answers.items()} == {name: _keys(name) for name in answers}
    assert set(answers) == set(openapi_document(with_tokens=False)["components"]["schemas"])


async def _webhook_answers(server: Server) -> dict[str, Any]:
    http, route = server.http, "/api/v1/webhooks/org_listed"
    body = {"url": "https://example.com/hooks", "events": ["sync.completed"]}
    made = (await http.post(route, json=body)).json()
    one = f"{route}/{made['webhook']['id']}"
    queued = (await http.post(f"{one}/test")).json()
    await stored_webhook(server.runtime.database, "org_listed")
    tried = (await http.get(f"{route}/{WEBHOOK_ID}/deliveries")).json()
    return {
        "Webhook": made["webhook"],
        "RegisteredWebhook": made,
        "WebhookList": (await http.get(route)).json(),
        "WebhookDeliveries": (await http.get(f"{one}/deliveries")).json(),
        "WebhookDelivery": queued["delivery"],
        "WebhookAttempt": tried["deliveries"][0]["attempt_log"][0],
        "QueuedDelivery": queued,
        "RemovedWebhook": (await http.delete(one)).json(),
    }
