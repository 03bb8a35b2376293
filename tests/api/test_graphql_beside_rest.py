"""The same scenario in GraphQL and REST, with the same results."""

import re
from typing import Any

from graphql import parse

from routiq_gql.clock import utc_now
from routiq_gql.emulator import demo_clinic
from tests.built_schema import built_schema
from tests.emulated_cliniko import Cliniko
from tests.graphql_documents import CANCEL, DASHBOARD, HISTORY, START, STATUS, STATUS_FIELDS
from tests.organization import ORGANIZATION
from tests.server import Server

SCHEMA = built_schema()
ONLY_IN_GRAPHQL = {"durationSeconds", "log", "logConnection"}
LOWERED = {"status", "step", "mode", "kind"}


def _as_rest(value: Any, key: str = "") -> Any:
    """A GraphQL result in REST's form: snake_case keys, lower-case states, cancelled as failed, Cliniko's ids only."""
    if isinstance(value, dict):
        named = {re.sub(r"([A-Z])", lambda found: f"_{found[1].lower()}", name): inner for name, inner in value.items()}
        is_row = "reason" in value
        return {name: _as_rest(inner, name) for name, inner in named.items() if name != "id" or is_row}
    if isinstance(value, list):
        return [_as_rest(inner) for inner in value]
    if key in LOWERED and isinstance(value, str):
        return "failed" if value == "CANCELLED" else value.lower()
    return value


def test_the_shared_documents_select_every_field_of_a_status():
    """A new field of a sync's status is compared in GraphQL and REST, as the tests select all fields that both have."""
    selected = {node.name.value for node in parse(f"{{ {STATUS_FIELDS} }}").definitions[0].selection_set.selections}
    assert set(SCHEMA.type_map["SyncStatus"].fields) - selected == ONLY_IN_GRAPHQL
    assert not selected & ONLY_IN_GRAPHQL


async def test_graphql_and_rest_return_the_same(server: Server, cliniko: Cliniko):
    """A sync is started, watched and completed, another is cancelled: all figures are equal in GraphQL and REST."""
    cliniko.emulator.clinic = demo_clinic(utc_now())
    cliniko.gate.hold("appointment_types")
    started = (await server.ask(START, id=ORGANIZATION))["data"]["startSync"]
    again = (await server.http.post(f"/api/v1/sync/start/{ORGANIZATION}")).json()
    assert again["sync_id"] == started["sync"]["syncId"]
    assert again["message"] == "Sync already in progress"
    await cliniko.gate.reached()
    cliniko.gate.open()
    completed = await server.until_ended(again["sync_id"])
    assert completed["active_patients_stored"] == 89

    cliniko.gate.hold("patients")
    second = await server.start_sync()
    await cliniko.gate.reached()
    cancelled = (await server.ask(CANCEL, id=second))["data"]["cancelSync"]
    also = (await server.http.delete(f"/api/v1/sync/cancel/{second}")).json()
    assert (cancelled["message"], also["message"]) == ("Sync cancelled", "Sync already cancelled")

    for sync_id in (again["sync_id"], second):
        shown = (await server.ask(STATUS, id=sync_id))["data"]["syncStatus"]
        assert _as_rest(shown) == await server.status(sync_id)
        assert (shown["receipt"] is not None) == (sync_id != second), "a sync has a receipt once it has completed"
    await _compare_dashboards(server)
    await _compare_histories(server)


async def _compare_dashboards(server: Server) -> None:
    shown = _as_rest((await server.ask(DASHBOARD, id=ORGANIZATION))["data"]["dashboard"])
    rest = (await server.http.get(f"/api/v1/sync/dashboard/{ORGANIZATION}")).json()
    assert shown["patient_stats"] == rest["patient_stats"]
    assert shown["current_sync"] is rest["current_sync"] is None
    assert shown["sync_available"] is rest["sync_available"] is True
    assert shown["next_sync"] == rest["next_sync"]
    assert shown["freshness"] == rest["freshness"]
    assert rest["freshness"]["checked_at"] == rest["last_successful_sync"]["receipt"]["checked_at"]
    common = rest["last_sync"].keys() & shown["last_sync"].keys()
    assert {"sync_id", "status", "started_at", "completed_at", "failure", "receipt"} <= common
    assert {key: shown["last_sync"][key] for key in common} == {key: rest["last_sync"][key] for key in common}
    assert rest["last_sync"]["records_success"] == shown["last_sync"]["active_patients_stored"]


async def _compare_histories(server: Server) -> None:
    first = (await server.ask(HISTORY, id=ORGANIZATION, limit=1))["data"]["history"]
    shown = _as_rest(first)
    rest = (await server.http.get(f"/api/v1/sync/history/{ORGANIZATION}?limit=1")).json()
    assert shown["failed_syncs"] + shown["cancelled_syncs"] == rest["failed_syncs"] == 1
    for key in rest.keys() - {"recent_syncs", "failed_syncs"}:
        assert shown[key] == rest[key], key
    assert [sync["sync_id"] for sync in shown["recent_syncs"]] == [sync["sync_id"] for sync in rest["recent_syncs"]]
    following = (await server.ask(HISTORY, id=ORGANIZATION, after=rest["next_cursor"]))["data"]["history"]
    assert [sync["status"] for sync in following["recentSyncs"]] == ["COMPLETED"]
    assert following["nextCursor"] is None
