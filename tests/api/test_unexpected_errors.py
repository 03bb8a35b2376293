"""The edges of the app: unhandled errors, the page, and tasks left by starting and stopping."""

import base64
import hashlib
import json
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket
from structlog.testing import capture_logs
from websockets.asyncio.client import connect

from routiq_gql.api.graphql.types import SyncLogEntry, SyncStatus
from routiq_gql.settings import Settings
from routiq_gql.sync.service import SyncService
from tests.emulated_cliniko import Cliniko
from tests.graphql_documents import LOG, PROGRESS, STATUS
from tests.server import Server, Socket, open_socket

SECRET = "Annabel Nguyen, 0400 111 222"
PAGE = Path(__file__).parents[2] / "examples" / "sync_dashboard.html"


async def _break(_request: Request) -> None:
    raise RuntimeError(SECRET)


def _faults(logs: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The log lines other than the endings of requests and sockets."""
    return [line for line in logs if line["event"] not in {"request_ended", "socket_ended"}]


async def _break_late(_request: Request) -> StreamingResponse:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"x"
        raise RuntimeError(SECRET)

    return StreamingResponse(pieces())


async def _break_socket(websocket: WebSocket) -> None:
    await websocket.accept()
    raise RuntimeError(SECRET)


@pytest.fixture
async def broken_server(settings: Settings) -> AsyncIterator[Server]:
    """A server with routes that fail."""
    routes = [Route("/break", _break), Route("/late", _break_late), WebSocketRoute("/socket", _break_socket)]
    async with Server(settings, extra_routes=routes, default_organization='org_"<1>') as server:
        yield server


async def test_an_internal_error_is_shown_as_a_reference_and_logged_once(broken_server: Server):
    """The client gets a reference and never the exception's text; the log has a single line with that reference."""
    with capture_logs() as logs:
        answer = await broken_server.http.get("/break?token=private")
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert list(answer.json()) == ["type", "title", "detail", "code", "reference"]
    (line,) = _faults(logs)
    assert line["reference"] == answer.json()["reference"]
    assert (line["log_level"], line["error"], line["path"]) == ("error", "RuntimeError", "/break")
    assert "Annabel" not in answer.text + str(logs)
    assert "private" not in str(logs)


async def test_a_fault_on_a_socket_closes_it(broken_server: Server):
    """The socket closes with 1011 and the error is logged once."""
    with capture_logs() as logs:
        async with connect(broken_server.socket_url.replace("/graphql", "/socket")) as connection:
            assert (await Socket(connection).closed())[0] == 1011
    assert [line["error"] for line in _faults(logs)] == ["RuntimeError"]
    assert "Annabel" not in str(logs)


async def test_faults_in_graphql_are_masked(
    bare_server: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    """A failing query and a failing subscription show a reference and the sync's id; each is logged once."""

    async def broken_status(*_: object) -> None:
        raise RuntimeError(SECRET)

    monkeypatch.setattr(SyncService, "status", broken_status)
    sync_id = "sync_org_1_20241222_143022"
    with capture_logs() as logs:
        over_http = (await bare_server.ask(STATUS, id=sync_id))["errors"][0]
        async with open_socket(bare_server) as socket:
            await socket.subscribe(PROGRESS, id=sync_id)
            over_socket = (await socket.receive())["payload"][0]
    for error in (over_http, over_socket):
        assert error["message"].startswith("Internal error")
        assert error["extensions"]["code"] == "INTERNAL"
        assert error["extensions"]["syncId"] == sync_id
    told = {error["extensions"]["reference"] for error in (over_http, over_socket)}
    assert [line["sync_id"] for line in _faults(logs)] == [sync_id, sync_id]
    assert {line["reference"] for line in _faults(logs)} == told
    assert "Annabel" not in json.dumps([over_http, over_socket]) + str(logs) + caplog.text


@pytest.mark.parametrize(("document", "broken"), [(PROGRESS, SyncStatus), (LOG, SyncLogEntry)])
async def test_a_fault_in_the_middle_of_a_subscription_is_masked(
    server: Server, cliniko: Cliniko, monkeypatch: pytest.MonkeyPatch, document: str, broken: Any
):
    """A later error is the last result, masked like any other, and then the subscription completes."""

    convert, is_broken = broken.of, False

    def sometimes(value: Any) -> object:
        if is_broken:
            raise RuntimeError(SECRET)
        return convert(value)

    monkeypatch.setattr(broken, "of", sometimes)
    cliniko.gate.hold("patients")
    sync_id = await server.start_sync()
    await cliniko.gate.reached()
    with capture_logs() as logs:
        async with open_socket(server) as socket:
            await socket.subscribe(document, id=sync_id)
            first = (await socket.receive())["payload"]
            is_broken = True
            cliniko.gate.open()
            *_, last = await socket.results()
    assert "errors" not in first
    assert last["errors"][0]["extensions"]["code"] == "INTERNAL"
    assert _faults(logs)
    assert "Annabel" not in str(last) + str(logs)


async def test_the_page_is_served_with_its_organization(broken_server: Server):
    """The page is the example file with the organization filled in, safely."""
    answer = await broken_server.http.get("/")
    assert answer.headers["content-type"].startswith("text/html")
    source = PAGE.read_text(encoding="utf-8")
    filled_in = {"server": "this", "organization": "org_&quot;&lt;1&gt;", "windows": "30 30", "trouble": ""}
    for name, value in filled_in.items():
        place = f'<meta name="routiq-{name}" content="{{}}">'
        assert place.format("") in source
        source = source.replace(place.format(""), place.format(value))
    assert answer.text == source


async def test_the_page_may_load_nothing_from_elsewhere(bare_server: Server):
    """Its policy allows only its inline style and script, by their digests, and requests to this server."""
    answer = await bare_server.http.get("/")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    for element in ("style", "script"):
        (content,) = re.findall(rf"<{element}>(.*?)</{element}>", answer.text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{element}-src 'sha256-{digest}'" in policy
    assert "unsafe" not in policy
    assert "innerHTML" not in answer.text
    namespace = "http://www.w3.org/2000/svg"  # a name, which is never loaded
    text = answer.text.replace("http://localhost:8000", "").replace(namespace, "")
    addresses = set(re.findall(r"https?://[^'\"\s]+", text))
    assert {address.rstrip(".") for address in addresses} == set()
