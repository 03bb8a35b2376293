"""A sync is a single trace, from the browser that started it to each page of Cliniko, whichever process runs it."""

import pytest

from routiq_gql.emulator import EMULATED_API_KEY, Fault, FaultKind
from routiq_gql.security.viewer import LOCAL_OPERATOR
from routiq_gql.settings import Settings
from routiq_gql.sync.model import SyncState
from tests.emulated_cliniko import Cliniko
from tests.organization import ORGANIZATION
from tests.server import Server
from tests.tracing.collector import CALLER_ID, TRACE_ID, TRACEPARENT, Collector
from tests.waiting import until

START = "mutation Begin($id: ID!) { startSync(organizationId: $id) { syncId } }"


async def start_traced(server: Server) -> str:
    """Start a sync as a browser with traces does."""
    body = {"query": START, "variables": {"id": ORGANIZATION}}
    headers = {"traceparent": TRACEPARENT, "tracestate": "vendor=1"}
    answer = await server.http.post("/graphql", json=body, headers=headers)
    return str(answer.json()["data"]["startSync"]["syncId"])


@pytest.mark.both_databases
async def test_a_sync_is_one_trace_from_the_browser_to_cliniko(traced: Server, collector: Collector):
    """The operation, the sync, its steps and each request to Cliniko are in the browser's trace, in this order."""
    collector.spans.clear()
    sync_id = await start_traced(traced)
    assert (await traced.until_ended(sync_id))["status"] == "completed"
    sync = await collector.first("sync")
    ours = [span for span in collector.spans if span.trace_id == TRACE_ID]
    (first,) = [span for span in ours if span.parent_id == CALLER_ID]
    assert (first.name, first.attributes["http.response.status_code"]) == ("POST /graphql", 200)
    pages = [span for span in ours if span.name == "GET /v1/patients"]
    assert pages
    steps = {collector.path_to(page)[-2] for page in pages}
    assert "sync FETCHING_PATIENTS" in steps
    for page in pages:
        assert collector.path_to(page)[:3] == ["POST /graphql", "mutation", "sync"]
        assert page.attributes["server.address"] == "127.0.0.1"
        assert page.attributes["http.response.status_code"] == 200
    operation = collector.parent(sync)
    assert operation is not None
    assert operation.attributes == {"graphql.operation.type": "mutation", "graphql.operation.name": "Begin"}
    assert {span.trace_state for span in ours} == {"vendor=1"}
    assert sync.attributes["routiq.sync.id"] == sync_id
    assert sync.attributes["routiq.sync.status"] == "completed"
    assert sync.attributes["routiq.sync.patients_found"] > 0
    assert sync.service["service.name"] == "routiq-gql"


async def test_a_resumed_sync_stays_in_its_trace(
    traced: Server, collector: Collector, cliniko: Cliniko, traced_settings: Settings
):
    """A sync that a restart has interrupted continues the same trace, with a link to its first run."""
    cliniko.gate.hold("patients")
    sync_id = await start_traced(traced)
    await cliniko.gate.reached()
    await traced.stop()
    cliniko.gate.open()
    await traced.start()
    await traced.until_ended(sync_id)
    await collector.until(lambda: len(collector.named("sync")) == 2)
    first, second = collector.named("sync")
    assert first.trace_id == second.trace_id == TRACE_ID
    assert first.parent_id == second.parent_id
    assert second.links == [(TRACE_ID, first.id)]
    outcomes = [span.attributes["routiq.sync.outcome"] for span in (first, second)]
    assert outcomes == ["stopped", "ended"]


async def test_a_sync_without_a_caller_begins_a_trace(traced: Server, collector: Collector):
    """A sync from the terminal is the root of its own trace."""
    started = await traced.runtime.syncs.start(LOCAL_OPERATOR, ORGANIZATION)
    await traced.until_ended(started.sync.sync_id)
    assert (await collector.first("sync")).parent_id == ""


async def test_a_failure_is_a_code(traced: Server, collector: Collector, cliniko: Cliniko):
    """A failed sync, its step and the failed request are errors with our codes, and without any sentence."""
    cliniko.emulator.faults.add(Fault(FaultKind.STATUS_401, "patients", times=None, only_above_per_page=1))
    sync_id = await start_traced(traced)
    assert (await traced.until_ended(sync_id))["status"] == "failed"
    sync = await collector.first("sync")
    assert sync.is_error
    assert sync.attributes["error.type"] == "KEY_REFUSED"
    refused = [span for span in collector.named("GET /v1/patients") if span.is_error]
    assert [span.attributes["error.type"] for span in refused] == ["refused"]
    assert refused[0].attributes["http.response.status_code"] == 401


async def test_repeated_requests_and_waits_are_shown(traced_settings: Settings, collector: Collector, cliniko: Cliniko):
    """A request that is sent again has its number, and a wait for Cliniko's limit is an event of its step."""
    cliniko.emulator.faults.add(Fault(FaultKind.STATUS_503, "patients", times=2, only_above_per_page=1))
    cliniko.emulator.faults.add(
        Fault(FaultKind.RATE_LIMIT, "individual_appointments", only_above_per_page=1, seconds=2)
    )
    async with Server(traced_settings) as server:
        await server.connect_organization(cliniko.base_url, EMULATED_API_KEY)
        await server.until_ended(await start_traced(server))
    pages = [span.attributes for span in collector.named("GET /v1/patients")]
    resends = [one["http.request.resend_count"] for one in pages if "http.request.resend_count" in one]
    assert resends[:2] == [1, 2]
    events = [event for span in collector.named("sync FETCHING_APPOINTMENTS") for event in span.events]
    assert ("routiq.wait", "RATE_LIMIT") in [(name, values["routiq.wait.reason"].upper()) for name, values in events]


async def test_connecting_shows_its_requests(traced: Server, collector: Collector):
    """The check of a key shows its requests to Cliniko below the operation."""
    query = "mutation ($id: ID!) { testConnection(organizationId: $id) { message } }"
    await traced.ask(query, id=ORGANIZATION)
    expected = ["POST /graphql", "mutation", "GET /v1/user"]
    await collector.until(lambda: expected in map(collector.path_to, collector.named("GET /v1/user")))


async def test_a_collector_that_is_away_costs_no_sync(
    traced_settings: Settings, cliniko: Cliniko, monkeypatch: pytest.MonkeyPatch
):
    """Syncs complete and the server stops, although nothing takes the spans."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "20")
    monkeypatch.setattr("routiq_gql.tracing.exporting.FLUSH_SECONDS", 0.1)
    async with Server(traced_settings) as server:
        await server.connect_organization(cliniko.base_url, EMULATED_API_KEY)
        sync_id = await server.start_sync()
        assert (await server.until_ended(sync_id))["status"] == SyncState.COMPLETED
        await until(lambda: not server.runtime.engine.running)
