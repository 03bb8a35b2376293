"""The access log: a line per request and socket, linked to all other lines by the request id."""

import asyncio
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from structlog.testing import capture_logs
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from routiq_gql.api.access_log import NamedRoute
from routiq_gql.logs import configure_logging
from routiq_gql.settings import Settings
from routiq_gql.sync.service import SyncService
from tests.emulated_cliniko import Cliniko
from tests.graphql_documents import PROGRESS
from tests.organization import ORGANIZATION
from tests.server import Server, open_socket
from tests.waiting import LIMIT_SECONDS, until

Line = dict[str, Any]


@pytest.fixture
def logs() -> Iterator[list[Line]]:
    """Log lines with the variables bound to their request, as in production."""
    with capture_logs(processors=[structlog.contextvars.merge_contextvars]) as lines:
        yield lines


@pytest.fixture
def logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


async def _line_of(logs: list[Line], path: str, event: str = "request_ended") -> Line:
    """The only line about ``path``."""

    def found() -> list[Line]:
        return [line for line in logs if line["event"] == event and line["path"] == path]

    await until(lambda: bool(found()))
    (line,) = found()
    return line


async def test_a_request_leaves_one_line(bare_server: Server, logs: list[Line]):
    """The line has method, path, status, duration and id; never the query string, which may hold a token."""
    answer = await bare_server.http.get("/api/v1/sync/history/org_1", params={"limit": "5", "token": "private"})
    line = await _line_of(logs, "/api/v1/sync/history/org_1")
    assert 0 < line.pop("milliseconds") < LIMIT_SECONDS * 1000
    assert line == {
        "event": "request_ended",
        "log_level": "info",
        "method": "GET",
        "path": "/api/v1/sync/history/org_1",
        "status": 200,
        "request_id": answer.headers["x-request-id"],
        "organization_id": "org_1",
    }
    assert "private" not in str(logs)


async def test_the_clients_request_id_is_kept_if_it_is_one(bare_server: Server, logs: list[Line]):
    """An id from a proxy is kept, to link its log to ours; an id that could forge or fill a log line is replaced."""
    for wished in ["0123-abcd_EF.7", "x" * 128]:
        answer = await bare_server.http.get("/nowhere", headers={"X-Request-ID": wished})
        assert answer.headers["x-request-id"] == wished
    made = set()
    for wished in ["", "a b", 'x" status=200', "é", "x" * 129, "zoe@example.com"]:
        answer = await bare_server.http.get("/nowhere", headers={b"X-Request-ID": wished.encode()})
        made.add(answer.headers["x-request-id"])
        assert answer.headers["x-request-id"] != wished
    assert len(made) == 6
    await until(lambda: len(logs) == 8)
    assert made < {line["request_id"] for line in logs}


async def test_every_line_of_a_request_carries_its_id(
    bare_server: Server, logs: list[Line], monkeypatch: pytest.MonkeyPatch
):
    """The id in the client's response leads to the log lines of an error, with the sync's id."""

    async def broken(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(SyncService, "status", broken)
    answer = await bare_server.http.get("/api/v1/sync/status/sync_org_1_20241222_143022")
    assert answer.status_code == 500
    await until(lambda: len(logs) == 2)
    assert [line["event"] for line in logs] == ["request_failed", "request_ended"]
    for line in logs:
        assert line["request_id"] == answer.headers["x-request-id"]
        assert line["sync_id"] == "sync_org_1_20241222_143022"


async def test_requests_at_the_same_time_keep_their_ids_apart(settings: Settings, logs: list[Line]):
    """The log variables of a request are not on the lines of a simultaneous request."""
    both = asyncio.Barrier(2)

    async def meet(_request: Request) -> JSONResponse:
        async with asyncio.timeout(LIMIT_SECONDS):
            await both.wait()
        structlog.get_logger().info("met")
        return JSONResponse(None)

    async with Server(settings, extra_routes=[NamedRoute("/meet/{organization_id}", meet)]) as server:
        await asyncio.gather(
            *(server.http.get(f"/meet/{name}", headers={"X-Request-ID": f"id-{name}"}) for name in ("a", "b"))
        )
        await server.http.get("/nowhere")
        line = await _line_of(logs, "/nowhere")
    met = {(line["request_id"], line["organization_id"]) for line in logs if line["event"] == "met"}
    assert met == {("id-a", "a"), ("id-b", "b")}
    assert "organization_id" not in line


async def test_a_sync_is_not_logged_as_part_of_the_request_that_started_it(server: Server, logs: list[Line]):
    """The lines of a sync don't belong to its request, which ends earlier."""
    await server.until_ended(await server.start_sync())
    ended = next(line for line in logs if line["event"] == "sync_ended")
    assert "request_id" not in ended
    assert ended["organization_id"] == ORGANIZATION


async def test_probes_are_for_debugging_only(bare_server: Server, logs: list[Line]):
    """Frequent health checks do not fill the log."""
    for path in ("/healthz", "/readyz", "/metrics"):
        await bare_server.http.get(path)
        assert (await _line_of(logs, path))["log_level"] == "debug"


async def test_a_refused_request_is_logged_too(bare_server: Server, logs: list[Line]):
    """A refused request has a line and an id like any other."""
    answer = await bare_server.http.get("/refused", headers={"Host": "evil.example"})
    line = await _line_of(logs, "/refused")
    assert (line["status"], line["request_id"]) == (421, answer.headers["x-request-id"])


async def test_no_address_can_forge_a_line(bare_server: Server, logs: list[Line]):
    """Line breaks in an address stay escaped, an invalid organization id is left out, and a long address is cut."""
    await bare_server.http.get("/api/v1/sync/dashboard/a%0Arequest_ended%20status=200")
    line = await _line_of(logs, "/api/v1/sync/dashboard/a%0Arequest_ended%20status=200")
    assert "organization_id" not in line
    await bare_server.http.get(f"/{'x' * 5000}")
    assert (await _line_of(logs, f"/{'x' * 199}"))["status"] == 404


async def test_a_stream_is_logged_at_its_end(server: Server, cliniko: Cliniko, logs: list[Line]):
    """The line has the time the stream was open."""
    cliniko.gate.hold("patients")
    sync_id = await server.start_sync()
    await cliniko.gate.reached()
    path = f"/api/v1/sync/stream/{sync_id}"
    async with server.stream(sync_id) as events:
        await anext(events)
        assert [line for line in logs if line.get("path") == path] == []
    line = await _line_of(logs, path)
    assert (line["status"], line["sync_id"]) == (200, sync_id)


async def test_a_socket_is_logged_at_its_end(bare_server: Server, logs: list[Line]):
    """A socket's line has its close code; the response to the handshake has the request id."""
    async with open_socket(bare_server, additional_headers={"X-Request-ID": "mine"}) as socket:
        assert socket.connection.response.headers["x-request-id"] == "mine"
        await socket.send("3")
        await socket.closed()
    line = await _line_of(logs, "/graphql", "socket_ended")
    assert (line["method"], line["status"], line["close_code"], line["request_id"]) == ("WEBSOCKET", 101, 4400, "mine")


async def test_a_socket_that_its_client_closes(bare_server: Server, logs: list[Line]):
    """If the client closes first, the code is the client's."""
    async with open_socket(bare_server) as socket:
        await socket.connection.close(4499)
    assert (await _line_of(logs, "/graphql", "socket_ended"))["close_code"] == 4499


async def test_a_refused_handshake_is_logged(bare_server: Server, logs: list[Line]):
    """The line has the status of the response."""
    for path, options, status in [
        ("/graphql", {"origin": "https://evil.example"}, 403),
        ("/nowhere", {}, 403),
    ]:
        with pytest.raises(InvalidStatus) as refused:
            await connect(bare_server.socket_url.replace("/graphql", path), **options)
        assert refused.value.response.status_code == status
        line = await _line_of(logs, path, "socket_ended")
        assert line["status"] == status
        assert "close_code" not in line


async def test_lines_of_a_subscription_carry_the_sockets_id(
    bare_server: Server, logs: list[Line], monkeypatch: pytest.MonkeyPatch
):
    """The id of the socket leads to the log lines of an error in an operation."""

    async def broken(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(SyncService, "status", broken)
    async with open_socket(bare_server, additional_headers={"X-Request-ID": "mine"}) as socket:
        await socket.subscribe(PROGRESS, id="sync_org_1_20241222_143022")
        await socket.receive()
    (fault,) = (line for line in logs if line["event"] == "request_failed")
    assert fault["request_id"] == "mine"


async def test_a_client_that_leaves_before_the_answer(settings: Settings, logs: list[Line]):
    """A request whose client left has a line without a status."""
    reached = asyncio.Event()

    async def wait(request: Request) -> JSONResponse:
        reached.set()
        await request.receive()  # the empty body
        assert (await request.receive())["type"] == "http.disconnect"
        return await request.json()  # raises, as the client has disconnected

    async with Server(settings, extra_routes=[Route("/wait", wait)]) as server:
        asking = asyncio.create_task(server.http.get("/wait"))
        await reached.wait()
        asking.cancel()
        await asyncio.wait({asking})
        line = await _line_of(logs, "/wait")
    assert line["status"] is None


@pytest.mark.usefixtures("logging_as_before")
@pytest.mark.parametrize("log_format", ["console", "json"])
async def test_a_configured_log_has_the_same_line(
    settings: Settings, log_format: Any, capsys: pytest.CaptureFixture[str]
):
    """The line of a request has the form of all lines, with the names of its sync, and without private values."""
    configure_logging(settings.model_copy(update={"log_format": log_format}))
    async with Server(settings) as server:
        await server.http.get("/api/v1/sync/history/org_1", headers={"X-Request-ID": "mine"})
        await server.http.get("/healthz")
        await server.http.get("/zoe@example.com", headers={"X-Request-ID": "rtq_0123456789abcdef0"})
        async with open_socket(server, additional_headers={"X-Request-ID": "socket"}) as socket:
            await socket.connection.close(4499)
        await until(lambda: server.services.admission.executing == 0 and not server.runtime.syncs.subscriptions)
    lines = [line for line in capsys.readouterr().err.splitlines() if "_ended" in line]
    assert len(lines) == 3
    for line, expected in zip(
        lines,
        [
            {"event": "request_ended", "path": "/api/v1/sync/history/org_1", "organization_id": "org_1", "status": 200},
            {"event": "request_ended", "path": "/[removed]", "request_id": "[removed]", "status": 404},
            {"event": "socket_ended", "path": "/graphql", "request_id": "socket", "close_code": 4499},
        ],
        strict=True,
    ):
        if log_format == "json":
            shown = json.loads(line)
            assert expected.items() <= shown.items()
            assert shown["level"] == "info"
        else:
            assert "[info     ] " in line
            for key, value in expected.items():
                assert (value if key == "event" else f" {key}={value}") in line


@pytest.mark.usefixtures("logging_as_before")
async def test_a_quieter_level_leaves_requests_out(settings: Settings, capsys: pytest.CaptureFixture[str]):
    """Requests are logged at the level INFO, health checks at DEBUG."""
    for level, expected in (("WARNING", 0), ("DEBUG", 2)):
        configure_logging(settings.model_copy(update={"log_level": level}))
        async with Server(settings) as server:
            assert (await server.http.get("/nowhere")).status_code == 404
            assert (await server.http.get("/healthz")).status_code == 200
        assert capsys.readouterr().err.count("request_ended") == expected
