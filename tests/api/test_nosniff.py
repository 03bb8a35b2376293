"""Every response has the nosniff header, so that no browser runs it as a script."""

import asyncio
from pathlib import Path

import pytest
from starlette.requests import Request
from starlette.routing import Route
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from routiq_gql.settings import Settings
from tests.graphql_documents import UPDATES
from tests.server import Server
from tests.waiting import LIMIT_SECONDS

NOSNIFF = "x-content-type-options"


async def _broken(_request: Request) -> None:
    raise LookupError("broken")


@pytest.mark.parametrize("auth", ["off", "token"])
async def test_every_response_has_the_header(settings: Settings, auth: str, tmp_path: Path):
    """Pages, responses, streams, preflights and refusals of every kind have the header once."""
    values = {"auth": auth, "tokens_file": str(tmp_path / "tokens"), "allowed_hosts": ("127.0.0.1",)}
    async with Server(settings.model_copy(update=values), extra_routes=[Route("/broken", _broken)]) as server:
        seen = set()
        for method, path, options in [
            ("GET", "/", {}),
            ("GET", "/healthz", {}),
            ("HEAD", "/healthz", {}),
            ("GET", "/readyz", {}),
            ("GET", "/metrics", {}),
            ("GET", "/openapi.json", {}),
            ("GET", "/nowhere", {}),
            ("PUT", "/graphql", {}),
            ("PATCH", "/healthz", {}),
            ("GET", "/broken", {}),
            ("GET", "/graphql", {"headers": {"Accept": "text/html"}}),
            ("GET", "/graphiql/start.js", {}),
            ("GET", "/graphiql/nothing.js", {}),
            ("POST", "/graphql", {"json": {"query": "{ __typename }"}}),
            ("POST", "/graphql", {"content": b"{", "headers": {"Content-Type": "application/json"}}),
            ("POST", "/graphql", {"content": b"x" * 300_000, "headers": {"Content-Type": "application/json"}}),
            ("GET", "/api/v1/sync/status/sync_x", {}),
            ("POST", "/api/v1/sync/start/org_1", {"headers": {"Origin": "https://evil.example"}}),
            ("GET", "/", {"headers": {"Host": "evil.example"}}),
            ("GET", "/", {"headers": {"X-Forwarded-For": "203.0.113.5"}}),
            ("OPTIONS", "/graphql", {"headers": _preflight("http://127.0.0.1:1")}),
            ("OPTIONS", "/graphql", {"headers": _preflight("https://evil.example")}),
        ]:
            answer = await server.http.request(method, path, **options)
            assert answer.headers.get_list(NOSNIFF) == ["nosniff"], (method, path, options)
            seen.add(answer.status_code)
        assert seen >= {200, 403, 404, 405, 421, 500} | ({204, 400, 413} if auth == "off" else {401})


def _preflight(origin: str) -> dict[str, str]:
    return {"Origin": origin, "Access-Control-Request-Method": "POST"}


async def test_streams_and_handshakes_too(bare_server: Server):
    """Streams and responses to websocket handshakes, accepted or not, have the header, too."""
    asked = {"query": UPDATES, "variables": {"id": "org_1"}}
    accept = {"Accept": "text/event-stream"}
    async with bare_server.http.stream("POST", "/graphql", json=asked, headers=accept) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        assert stream.headers.get_list(NOSNIFF) == ["nosniff"]
    for path, options in [
        ("/nowhere", {}),
        ("/graphql", {"origin": "https://evil.example"}),
        ("/graphql", {"additional_headers": {"X-Forwarded-For": "203.0.113.5"}}),
    ]:
        with pytest.raises(InvalidStatus) as refused:
            await connect(f"ws://127.0.0.1:{bare_server.port}{path}", **options)
        assert refused.value.response.headers.get_all(NOSNIFF) == ["nosniff"]
    async with connect(bare_server.socket_url, subprotocols=["graphql-transport-ws"]) as socket:
        assert socket.response.headers.get_all(NOSNIFF) == ["nosniff"]


@pytest.mark.parametrize(
    "sent",
    [
        b"nonsense\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    ],
    ids=["no HTTP", "no host", "no websocket key"],
)
async def test_refusals_of_the_web_server_itself_too(bare_server: Server, sent: bytes):
    """A response that the web server sends without the application has the header, too."""
    async with asyncio.timeout(LIMIT_SECONDS):
        reader, writer = await asyncio.open_connection("127.0.0.1", bare_server.port)
        writer.write(sent)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        writer.close()
    assert head.startswith(b"http/1.1 4")
    assert head.count(b"x-content-type-options: nosniff") == 1
