"""Each way in which a caller names its trace, malformed names, and what a subscription leaves in a trace."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from routiq_gql.emulator import EMULATED_API_KEY
from routiq_gql.settings import Settings
from tests.emulated_cliniko import Cliniko
from tests.graphql_documents import PROGRESS
from tests.organization import ORGANIZATION
from tests.server import Server, Socket, open_socket
from tests.tracing.collector import CALLER_ID, TRACE_ID, TRACEPARENT, CollectedSpan, Collector

QUERY = '{ dashboard(organizationId: "org_a") { status } }'
OTHER_TRACE = "1" * 32
OTHER = f"00-{OTHER_TRACE}-{'2' * 16}-01"


@pytest.fixture
async def socket(traced: Server) -> AsyncIterator[Socket]:
    """A socket whose ``connection_init`` names a trace."""
    async with open_socket(traced, init=False) as opened:
        await opened.init(payload={"traceparent": OTHER})
        yield opened


async def _subscribe(socket: Socket, query: str, extensions: Any = None, **variables: object) -> None:
    payload = {"query": query, "variables": variables, "extensions": extensions}
    await socket.send({"id": "1", "type": "subscribe", "payload": payload})


async def _query_span(collector: Collector) -> CollectedSpan:
    return await collector.first("query")


async def test_a_rest_request_continues_the_trace(traced: Server, collector: Collector):
    """A REST route is the child of its caller, under the name of the route and without the id in its address."""
    await traced.http.get(f"/api/v1/sync/dashboard/{ORGANIZATION}", headers={"traceparent": TRACEPARENT})
    span = await collector.first("GET /api/v1/sync/dashboard/{organization_id}")
    assert (span.trace_id, span.parent_id) == (TRACE_ID, CALLER_ID)
    assert ORGANIZATION not in span.text


@pytest.mark.parametrize("accept", ["application/json", "text/event-stream", "multipart/mixed;subscriptionSpec=1.0"])
async def test_operations_over_http_continue_the_trace(traced: Server, collector: Collector, accept: str):
    """A GraphQL request is in the trace of its header, also by GET, as an event stream and as multipart."""
    headers = {"traceparent": TRACEPARENT, "Accept": accept}
    await traced.http.get("/graphql", params={"query": QUERY}, headers=headers)
    await collector.first("GET /graphql")
    span = await _query_span(collector)
    assert collector.path_to(span)[-2:] == ["GET /graphql", "query"]
    assert span.trace_id == TRACE_ID


async def test_extensions_come_before_the_header(traced: Server, collector: Collector):
    """The trace in an operation's extensions is the more exact; the span links to the request that carried it."""
    body = {"query": QUERY, "extensions": {"traceparent": TRACEPARENT}}
    await traced.http.post("/graphql", json=body, headers={"traceparent": OTHER})
    span, request = await _query_span(collector), await collector.first("POST /graphql")
    assert (span.trace_id, span.parent_id) == (TRACE_ID, CALLER_ID)
    assert request.trace_id == OTHER_TRACE
    assert span.links == [(OTHER_TRACE, request.id)]


@pytest.mark.parametrize(("extensions", "trace_id"), [(None, OTHER_TRACE), ({"traceparent": TRACEPARENT}, TRACE_ID)])
async def test_operations_on_a_socket_continue_the_trace(
    socket: Socket, collector: Collector, extensions: dict[str, str] | None, trace_id: str
):
    """On a websocket the operation's extensions name the trace, or else the start of the connection."""
    await _subscribe(socket, QUERY, extensions)
    await socket.results()
    assert (await _query_span(collector)).trace_id == trace_id


MALFORMED = (
    "",
    "nonsense",
    TRACEPARENT.upper(),
    TRACEPARENT + "-more",
    f"ff-{TRACE_ID}-{CALLER_ID}-01",
    f"00-{'0' * 32}-{CALLER_ID}-01",
    f"00-{TRACE_ID}-{'0' * 16}-01",
    "01-" + "a" * 5000,
)


async def test_malformed_traces_are_ignored(traced: Server, collector: Collector, caplog: pytest.LogCaptureFixture):
    """A wrong value begins a new trace, whichever way it came, and is not logged."""
    for parent in MALFORMED:
        collector.spans.clear()
        body = {"query": "{ __typename }", "extensions": {"traceparent": parent}}
        headers = {"traceparent": parent, "tracestate": "a wrong state"}
        assert (await traced.http.post("/graphql", json=body, headers=headers)).status_code == 200
        request, span = await collector.first("POST /graphql"), await _query_span(collector)
        assert request.parent_id == "", parent
        assert span.parent_id == request.id, parent
        assert TRACE_ID not in (span.trace_id, request.trace_id)
    assert "state" not in caplog.text


@pytest.mark.parametrize("given", [{"traceparent": 7}, {"traceparent": [TRACEPARENT]}, {"tracestate": "a=1"}])
async def test_values_of_another_kind_are_ignored(traced: Server, collector: Collector, given: dict[str, Any]):
    """JSON values that are no text are ignored, in extensions and at the start of a connection."""
    async with open_socket(traced, init=False) as socket:
        await socket.init(payload=given)
        await _subscribe(socket, QUERY, given)
        assert "data" in (await socket.results())[0]
    assert (await _query_span(collector)).parent_id == ""


async def test_two_headers_and_a_wrong_state(traced: Server, collector: Collector):
    """Two different parents count as none. A state that can't be read is dropped, and the parent stays."""
    await traced.http.get("/openapi.json", headers=[("traceparent", TRACEPARENT), ("traceparent", OTHER)])
    assert (await collector.first("GET /openapi.json")).parent_id == ""
    collector.spans.clear()
    await traced.http.get("/openapi.json", headers={"traceparent": TRACEPARENT, "tracestate": "a=1," * 200})
    span = await collector.first("GET /openapi.json")
    assert (span.parent_id, span.trace_state) == (CALLER_ID, "")


@pytest.mark.parametrize("accept", ["", "text/event-stream"])
async def test_a_subscription_links_to_the_sync(traced: Server, collector: Collector, cliniko: Cliniko, accept: str):
    """A subscription has a short span, which ends while the subscription is open and links to the span of the sync."""
    cliniko.gate.hold("patients")
    sync_id = await traced.start_sync()
    await cliniko.gate.reached()
    body = {"query": PROGRESS, "variables": {"id": sync_id}, "extensions": {"traceparent": TRACEPARENT}}
    if accept:
        async with traced.http.stream("POST", "/graphql", json=body, headers={"Accept": accept}):
            span = await collector.first("subscription")
            assert await collector.first("POST /graphql"), "the span of a stream ends with the start of its response"
            cliniko.gate.open()
    else:
        async with open_socket(traced) as socket:
            await socket.send({"id": "1", "type": "subscribe", "payload": body})
            span = await collector.first("subscription")
            assert collector.named("sync") == [], "the sync still runs"
            cliniko.gate.open()
            await socket.results()
    await traced.until_ended(sync_id)
    sync = await collector.first("sync")
    assert (span.trace_id, span.parent_id) == (TRACE_ID, CALLER_ID)
    assert (sync.trace_id, sync.id) in span.links
    assert span.attributes == {"graphql.operation.type": "subscription"}


async def test_each_subscriber_of_a_shared_operation_has_a_span(traced: Server, collector: Collector, cliniko: Cliniko):
    """Watchers of the same sync share the work, and each has a span in its own trace."""
    cliniko.gate.hold("patients")
    sync_id = await traced.start_sync()
    await cliniko.gate.reached()
    async with open_socket(traced) as first, open_socket(traced) as second:
        await _subscribe(first, PROGRESS, {"traceparent": TRACEPARENT}, id=sync_id)
        await first.receive()
        await _subscribe(second, PROGRESS, {"traceparent": OTHER}, id=sync_id)
        await second.receive()
        await collector.until(lambda: len(collector.named("subscription")) == 2)
        cliniko.gate.open()
    assert {span.trace_id for span in collector.named("subscription")} == {TRACE_ID, OTHER_TRACE}
    await traced.until_ended(sync_id)


async def test_refused_operations_are_errors_with_a_code(traced: Server, collector: Collector):
    """A refused operation has our code, on every transport, and no text of the caller's."""
    for query in ("{ nothingOfThisName }", "{", 'query Named { syncStatus(syncId: "unknown") { id } }'):
        collector.spans.clear()
        await traced.http.post("/graphql", json={"query": query})
        await collector.until(lambda: any(span.is_error for span in collector.spans))
        (span,) = [span for span in collector.spans if span.is_error]
        assert span.attributes["error.type"] in {"BAD_USER_INPUT", "SYNC_NOT_FOUND"}
        assert "nothingOfThisName" not in span.text
    collector.spans.clear()
    async with open_socket(traced) as socket:
        await _subscribe(socket, PROGRESS, id="unknown")
        assert (await socket.receive())["type"] == "error"
    span = await collector.first("subscription")
    assert (span.is_error, span.attributes["error.type"]) == (True, "SYNC_NOT_FOUND")


async def test_machines_that_ask_for_health_leave_no_span(traced: Server, collector: Collector):
    """A check every few seconds would hide everything else."""
    for path in ("/healthz", "/readyz", "/metrics", "/openapi.json"):
        await traced.http.get(path)
    await collector.first("GET /openapi.json")
    assert not any("health" in json.dumps(span.name) for span in collector.spans)
    assert {span.name for span in collector.spans if span.name.startswith("GET /") and "v1" not in span.name} == {
        "GET /openapi.json"
    }


async def test_the_trace_of_another_organization_is_not_joined(
    traced_settings: Settings, collector: Collector, cliniko: Cliniko
):
    """A subscription that is refused links to no sync."""
    async with Server(traced_settings) as server:
        await server.connect_organization(cliniko.base_url, EMULATED_API_KEY)
        async with open_socket(server) as socket:
            await _subscribe(socket, PROGRESS, {"traceparent": TRACEPARENT}, id="sync_other_20240101_000000")
            assert (await socket.receive())["type"] == "error"
        assert (await collector.first("subscription")).links == []


@pytest.mark.parametrize(
    "variables",
    [
        {f"OTEL_SPAN_{what}_COUNT_LIMIT": "0" for what in ("ATTRIBUTE", "EVENT", "LINK")},
        {"OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT": "1"},
        {"OTEL_TRACES_SAMPLER": "always_off"},
        {"OTEL_SDK_DISABLED": "true"},
    ],
    ids=["nothing in spans", "one letter", "no spans", "switched off"],
)
async def test_the_service_works_whatever_traces_may_hold(
    traced_settings: Settings,
    collector: Collector,
    cliniko: Cliniko,
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
):
    """Limits on spans, sampling and a switched-off OpenTelemetry harm no request, no subscription and no sync."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    async with Server(traced_settings) as server:
        await server.connect_organization(cliniko.base_url, EMULATED_API_KEY)
        headers = {"traceparent": TRACEPARENT}
        answered = await server.http.post("/graphql", json={"query": QUERY}, headers=headers)
        assert answered.status_code == 200
        async with open_socket(server, init=False) as opened:
            await opened.init(payload={"traceparent": OTHER})
            sync_id = await server.start_sync()
            await _subscribe(opened, PROGRESS, id=sync_id)
            assert (await opened.receive())["type"] == "next"
            assert (await server.until_ended(sync_id))["status"] == "completed"
        await server.without_watchers()
    assert {span.name for span in collector.spans} >= (
        {"POST /graphql", "sync"} if "COUNT" in str(variables) else set()
    )
