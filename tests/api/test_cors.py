"""CORS headers: responses to preflight requests of other sites' pages, and on every kind of refusal."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.requests import Request
from starlette.routing import Route

from routiq_gql.api import cors
from routiq_gql.errors import RateLimited
from routiq_gql.security.token_file import TokenFile
from routiq_gql.serving.connection_table import ServerState
from routiq_gql.settings import Settings
from tests.organization import ORGANIZATION
from tests.server import Server
from tests.waiting import LIMIT_SECONDS

PAGE = "https://app.example.com"
FOREIGN = "https://evil.example"
ASKED_BY_CLIENTS = [
    "authorization, content-type",
    "content-type,x-request-id",
    "baggage,content-type,sentry-trace",
    "baggage, traceparent, tracestate",
    "apollo-require-preflight,apollographql-client-name,apollographql-client-version,x-apollo-operation-name",
    "x-apollo-operation-id,x-apollo-operation-type,graphql-client-name",
    "cache-control,pragma,last-event-id",
    "idempotency-key,x-organization-id,x-requested-with",
    "x-datadog-trace-id,b3,uber-trace-id,x-clerk-auth-status",
    "!#$%&'*+.^_`|~0-9az",
]


@pytest.fixture
async def open_server(settings: Settings) -> AsyncIterator[Server]:
    """A server for a page of another site, and for pages opened as files."""
    values = {"allowed_origins": (PAGE,)}
    async with Server(settings.model_copy(update=values), allow_null_origin=True) as server:
        yield server


async def _preflight(
    server: Server, *names: str, origin: str = PAGE, path: str = "/graphql", **more: str
) -> httpx.Response:
    asked = [("Origin", origin), ("Access-Control-Request-Method", "POST")]
    asked += [("Access-Control-Request-Headers", one) for one in names]
    asked += [(name.replace("_", "-"), value) for name, value in more.items()]
    return await server.http.request("OPTIONS", path, headers=asked)


def _allowed(answer: httpx.Response) -> list[str]:
    return answer.headers["access-control-allow-headers"].split(", ")


async def test_an_allowed_page_may_send_whatever_headers_it_names(open_server: Server):
    """Headers of tracing, error reports, client names and caches work for an allowed page, whatever their names."""
    for asked in ASKED_BY_CLIENTS:
        for path in ("/graphql", "/api/v1/sync/start/org_1", "/nowhere"):
            answer = await _preflight(open_server, asked, path=path)
            assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (204, PAGE)
            assert _allowed(answer) == [name.strip() for name in asked.split(",")]
    several = await _preflight(open_server, "x-a, x-b", "x-b,x-c")
    assert _allowed(several) == ["x-a", "x-b", "x-c"]
    varying = {name.strip().lower() for name in several.headers["vary"].split(",")}
    assert varying >= {"origin", "access-control-request-headers"}


async def test_an_invalid_list_of_headers_is_not_repeated(open_server: Server):
    """Other characters, and lists longer than any client's, get the usual names and nothing else."""
    usual = cors.USUAL_HEADERS.split(", ")
    for asked in [
        "",
        ",",
        "x-a,",
        "x a",
        "x-a;q=1",
        "x-a: b",
        "x-a,<script>",
        '"x-a"',
        "x-a/b",
        "x-ä",
        ",".join(f"x-{n}" for n in range(cors.MAX_NAMES + 1)),
        "x" * (cors.MAX_NAMES_LENGTH + 1),
    ]:
        asked_bytes: Any = asked.encode()
        answer = await _preflight(open_server, asked_bytes)
        assert (answer.status_code, _allowed(answer)) == (204, usual), asked
    assert _allowed(await _preflight(open_server)) == usual
    longest = [f"x-{n}" for n in range(cors.MAX_NAMES)]
    assert _allowed(await _preflight(open_server, ",".join(longest))) == longest


async def test_a_foreign_page_gets_no_permission(open_server: Server):
    """The response lists no headers and no methods, only the setting that would allow the page."""
    for more in ({}, {"Access_Control_Request_Private_Network": "true"}):
        answer = await _preflight(open_server, "x-request-id", origin=FOREIGN, **more)
        assert (answer.status_code, answer.json()["code"]) == (403, "ORIGIN_NOT_ALLOWED")
        assert [name for name in answer.headers if name.startswith("access-control")] == []
        assert "Origin" in answer.headers["vary"]


async def test_a_page_on_the_internet_may_use_a_server_on_this_machine(open_server: Server):
    """A listed page of the internet may use a server on this machine, for which browsers need a separate permission."""
    private = {"Access_Control_Request_Private_Network": "true"}
    header = "access-control-allow-private-network"
    answer = await _preflight(open_server, "content-type", **private)
    assert answer.headers[header] == "true"
    assert "Access-Control-Request-Private-Network" in answer.headers["vary"]
    assert header not in (await _preflight(open_server, "content-type")).headers
    assert header not in (await _preflight(open_server, "content-type", origin="null", **private)).headers


async def test_every_method_that_a_route_takes_is_allowed(open_server: Server):
    """A page may use the whole API."""
    routes = [route for route in open_server.app.routes if isinstance(route, Route)]
    taken = {method for route in routes for method in route.methods or ()} - {"HEAD"}
    assert taken <= set(cors.METHODS)
    assert "DELETE" in taken


async def test_pages_may_never_send_cookies(open_server: Server):
    """There are no cookies, so browsers still refuse `credentials: 'include'`."""
    for answer in (
        await _preflight(open_server, "x-request-id"),
        await open_server.http.get("/healthz", headers={"Origin": PAGE, "Cookie": "a=b"}),
    ):
        assert answer.headers["access-control-allow-origin"] == PAGE
        assert "access-control-allow-credentials" not in answer.headers


async def _broken(_request: Request) -> None:
    raise LookupError("broken")


async def _crowded(_request: Request) -> None:
    raise RateLimited("Too many.", 1)


JSON = {"Content-Type": "application/json"}
REFUSED: list[tuple[int, str, str, dict[str, Any]]] = [
    (400, "POST", "/graphql", {"content": b"{", "headers": JSON}),
    (400, "POST", "/graphql", {"json": {}}),
    (401, "POST", "/graphql", {"json": {"query": "{ __typename }"}, "headers": {"Authorization": "Bearer x"}}),
    (401, "GET", "/api/v1/sync/dashboard/org_1", {"headers": {"Authorization": ""}}),
    (401, "GET", "/api/v1/sync/stream/sync_x", {"headers": {"Authorization": ""}}),
    (403, "GET", "/api/v1/sync/dashboard/org_other", {}),
    (404, "GET", "/nowhere", {}),
    (404, "GET", "/api/v1/sync/status/sync_x", {}),
    (404, "GET", "/api/v1/sync/stream/sync_x", {}),
    (405, "PUT", "/graphql", {"content": b"x"}),
    (405, "POST", "/healthz", {}),
    (413, "POST", "/graphql", {"content": b"x" * 300_000, "headers": JSON}),
    (413, "POST", "/graphql", {"json": {"query": "#" * 70_000}}),
    (415, "POST", "/graphql", {"content": b"x", "headers": {"Content-Type": "text/plain"}}),
    (421, "GET", "/api/v1/sync/dashboard/org_1", {"headers": {"Host": "new.example.com"}}),
    (421, "POST", "/graphql", {"json": {"query": "{ __typename }"}, "headers": {"Host": "new.example.com"}}),
    (422, "GET", f"/api/v1/sync/history/{ORGANIZATION}?limit=0", {}),
    (429, "GET", "/crowded", {}),
    (500, "GET", "/broken", {}),
]


async def test_an_allowed_page_can_read_every_refusal(settings: Settings, tmp_path: Path):
    """An allowed page shows our sentence and the request's id, not “network error”; another page reads neither."""
    _, token = TokenFile(tmp_path / "tokens").add(ORGANIZATION)
    values = {
        "auth": "token",
        "tokens_file": str(tmp_path / "tokens"),
        "allowed_hosts": ("127.0.0.1",),
        "allowed_origins": (PAGE,),
    }
    extra = [Route("/broken", _broken), Route("/crowded", _crowded)]
    async with Server(settings.model_copy(update=values), extra_routes=extra) as server:
        for status, method, path, options in REFUSED:
            for accept in ("application/json", "application/graphql-response+json", "text/event-stream"):
                headers = {"Origin": PAGE, "Accept": accept, "Authorization": f"Bearer {token}"}
                given = {**options, "headers": {**headers, **options.get("headers", {})}}
                answer = await server.http.request(method, path, **given)
                if answer.status_code != 200:  # an event stream may hold the error
                    assert answer.status_code == status, (method, path, answer.text)
                _expect_readable(answer)
                given["headers"]["Origin"] = FOREIGN
                answer = await server.http.request(method, path, **given)
                assert "access-control-allow-origin" not in answer.headers
        # A browser sends a preflight first, and would report its refusal as a network error, too.
        for names in ("authorization,content-type", "x-request-id"):
            preflight = await _preflight(server, names, Host="new.example.com")
            assert (preflight.status_code, _allowed(preflight)) == (204, names.split(","))
        for origin in (FOREIGN, "http://new.example.com"):
            refused = await _preflight(server, "content-type", origin=origin, Host="new.example.com")
            assert refused.status_code == 421


async def test_without_authentication_a_page_reads_why_it_is_not_served(open_server: Server):
    """A request from another machine through a proxy is refused with a readable sentence."""
    forwarded = {"Origin": PAGE, "X-Forwarded-For": "203.0.113.5"}
    answer = await open_server.http.get("/api/v1/sync/dashboard/org_1", headers=forwarded)
    assert (answer.status_code, answer.json()["code"]) == (403, "NOT_LOCAL")
    _expect_readable(answer)
    assert (await _preflight(open_server, "content-type", X_Forwarded_For="203.0.113.5")).status_code == 204


@pytest.mark.sqlite_only
async def test_a_page_reads_that_the_database_is_away(open_server: Server):
    """The reference to the log can be read and shown."""
    await open_server.break_database()
    for path in ("/api/v1/sync/dashboard/org_1", "/readyz"):
        answer = await open_server.http.get(path, headers={"Origin": PAGE})
        assert answer.status_code == 503
        _expect_readable(answer)


def _expect_readable(answer: httpx.Response) -> None:
    assert answer.headers["access-control-allow-origin"] == PAGE
    exposed = {name.strip().lower() for name in answer.headers["access-control-expose-headers"].split(",")}
    assert exposed >= {"x-request-id", "retry-after"}
    assert "Origin" in answer.headers["vary"]
    assert answer.headers["x-request-id"]


async def test_a_full_server_says_so_to_pages(settings: Settings, states: list[ServerState]):
    """The refusal of a full server holds no organization's data, so any page may read it."""
    async with Server(settings.model_copy(update={"allowed_origins": (PAGE,)})) as server:
        states[0].table.most = 0
        answer = await server.http.get("/api/v1/sync/dashboard/org_1", headers={"Origin": PAGE})
        assert (answer.status_code, json.loads(answer.content)["code"]) == (503, "NO_ROOM")
        assert answer.headers["access-control-allow-origin"] in {"*", PAGE}
        assert answer.headers["access-control-expose-headers"].lower() == "retry-after"
        assert answer.headers["retry-after"]


async def test_a_page_reads_that_its_request_was_too_slow(settings: Settings):
    """A too slow upload ends with a readable sentence."""
    async with Server(settings.model_copy(update={"request_timeout": 0.2, "allowed_origins": (PAGE,)})) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        host = f"Host: 127.0.0.1:{server.port}\r\nOrigin: {PAGE}"
        writer.write(
            f"POST /graphql HTTP/1.1\r\n{host}\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n".encode()
        )
        async with asyncio.timeout(LIMIT_SECONDS):
            answer = (await reader.read()).decode().lower()
        writer.close()
    assert answer.startswith("http/1.1 408 ")
    assert "\r\naccess-control-allow-origin: " in answer
