"""Health checks and metrics: liveness, readiness, and counts."""

import pytest
from prometheus_client.parser import text_string_to_metric_families
from structlog.testing import capture_logs

from routiq_gql.engines.embedded import EmbeddedEngine
from routiq_gql.settings import Settings
from tests.emulated_cliniko import Cliniko
from tests.graphql_documents import PROGRESS
from tests.server import Server, open_socket
from tests.waiting import until

SECRET = "Annabel Nguyen, 0400 111 222"


async def _metrics(server: Server) -> dict[str, float]:
    """Every sample by its name and labels, as Prometheus reads them."""
    answer = await server.http.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    return {
        " ".join([sample.name, *(f"{name}={value}" for name, value in sorted(sample.labels.items()))]): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


@pytest.mark.sqlite_only
async def test_ready_as_long_as_the_database_answers(bare_server: Server):
    """Without its database the process is alive but not ready; the response names no file."""
    assert (await bare_server.http.get("/healthz")).json() == {"status": "ok"}
    assert (await bare_server.http.get("/readyz")).json() == {"status": "ready"}
    await bare_server.break_database()
    answer = await bare_server.http.get("/readyz")
    assert (answer.status_code, answer.json()["code"]) == (503, "NOT_READY")
    assert str(bare_server.runtime.database.path) not in answer.text
    assert (await bare_server.http.get("/healthz")).status_code == 200


@pytest.mark.sqlite_only
async def test_ready_as_long_as_syncs_can_be_run(settings: Settings, monkeypatch: pytest.MonkeyPatch):
    """When the engine has died, the probe says so, and the log has the reason without the error's text."""

    async def broken(_engine: EmbeddedEngine) -> None:
        raise LookupError(SECRET)

    monkeypatch.setattr(EmbeddedEngine, "run_worker", broken)
    server = Server(settings)
    with capture_logs() as logs:
        async with server:
            await until(lambda: not server.runtime.is_working)
            answer = await server.http.get("/readyz")
            assert (answer.status_code, answer.json()["code"]) == (503, "NOT_READY")
            assert "restart the server" in answer.json()["detail"]
            assert (await server.http.get("/healthz")).status_code == 200
    (told,) = (line for line in logs if line["event"] == "engine_stopped")
    assert (told["log_level"], told["error"]) == ("error", "LookupError")
    assert SECRET not in answer.text + str(told)


async def test_a_process_that_waits_for_another_one_is_ready(bare_server: Server, settings: Settings):
    """A second process on a database only watches the first one's syncs, so it is ready without running any."""
    async with Server(settings) as second:
        assert not second.runtime.engine.runs_here
        assert (await second.http.get("/readyz")).json() == {"status": "ready"}


async def test_metrics_show_syncs_and_watchers(server: Server, cliniko: Cliniko):
    """Running syncs and subscribers are counted while they exist; sent messages are counted by transport."""
    cliniko.gate.hold("patients")
    sync_id = await server.start_sync()
    await cliniko.gate.reached()
    before = await _metrics(server)
    assert before["routiq_syncs_running"] == 1
    async with open_socket(server) as socket, server.stream(sync_id) as events:
        await socket.subscribe(PROGRESS, id=sync_id)
        await socket.receive()
        await anext(events)
        assert (await _metrics(server))["routiq_subscribers"] == 2
        cliniko.gate.open()
        await socket.results()
        shown = [event async for event in events]
    after = await _metrics(server)
    assert (after["routiq_syncs_running"], after["routiq_subscribers"]) == (0, 0)
    sent = {
        transport: after[f"routiq_frames_sent_total transport={transport}"]
        - before[f"routiq_frames_sent_total transport={transport}"]
        for transport in ("websocket", "sse", "multipart")
    }
    assert sent["websocket"] >= 3, "the greeting, states and the end"
    assert sent["sse"] >= len(shown)
    assert sent["multipart"] == 0


async def test_frames_of_graphql_over_http_are_counted(server: Server):
    """Multipart and event streams of GraphQL are counted separately."""
    sync_id = await server.start_sync()
    for transport, accept in {
        "multipart": 'multipart/mixed;subscriptionSpec="1.0", application/json',
        "sse": "text/event-stream",
    }.items():
        name = f"routiq_frames_sent_total transport={transport}"
        before = (await _metrics(server))[name]
        asked = {"query": PROGRESS, "variables": {"id": sync_id}}
        await server.http.post("/graphql", json=asked, headers={"Accept": accept})
        assert (await _metrics(server))[name] > before


async def test_requests_are_counted_by_route(bare_server: Server):
    """Requests count by route template; unknown routes and methods share a label."""
    http = bare_server.http
    expected = {
        "method=GET route=/api/v1/sync/status/{sync_id} status=4xx": ("GET", "/api/v1/sync/status/sync_x"),
        "method=DELETE route=/api/v1/sync/status/{sync_id} status=4xx": ("DELETE", "/api/v1/sync/status/sync_x"),
        "method=GET route=/healthz status=2xx": ("GET", "/healthz"),
        "method=POST route=/graphql status=4xx": ("POST", "/graphql"),
        "method=GET route=none status=4xx": ("GET", "/api/v1/sync/nowhere/org_1"),
        "method=other route=none status=4xx": ("PROPFIND", "/nowhere"),
    }
    before = await _metrics(bare_server)
    for method, path in expected.values():
        await http.request(method, path)
    names = [f"routiq_http_requests_total {labels}" for labels in expected]
    after = await _metrics(bare_server)
    assert {name: after.get(name, 0) - before.get(name, 0) for name in names} == dict.fromkeys(names, 1)
    assert "org_1" not in str(after.keys())


async def test_metrics_are_for_this_machine_only(bare_server: Server):
    """Requests from other machines, through a local proxy or under a foreign name, get no metrics."""
    for client in ("203.0.113.5", "127.0.0.1, 203.0.113.5", "2001:db8::1", "unknown"):
        answer = await bare_server.http.get("/metrics", headers={"X-Forwarded-For": client})
        assert (answer.status_code, answer.json()["code"]) == (403, "NOT_LOCAL")
        assert "routiq_" not in answer.text
    assert (await bare_server.http.get("/metrics", headers={"Host": "evil.example"})).status_code == 421
