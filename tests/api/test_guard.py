"""Access to the server: host names, origins of pages, and the browser's headers."""

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest
from structlog.testing import capture_logs
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from routiq_gql.api.guard import NAMING_PARAMETERS
from routiq_gql.app import create_app
from routiq_gql.errors import SettingsError
from routiq_gql.settings import Settings
from tests.server import Server, open_socket
from tests.waiting import LIMIT_SECONDS

START = "/api/v1/sync/start/org_1"


@pytest.fixture
async def open_server(settings: Settings) -> AsyncIterator[Server]:
    """A server for some names and pages of other sites, and for pages opened as files."""
    allowed = {
        "allowed_hosts": ("sync.example.com",),
        "allowed_origins": ("https://app.example.com", "https://pr-*.example.com"),
    }
    async with Server(settings.model_copy(update=allowed), allow_null_origin=True) as server:
        yield server


async def test_this_machine_may_use_the_server(bare_server: Server):
    """Every usual name of this machine works, with any port."""
    for host in ["localhost", "LOCALHOST:80", "127.0.0.1:9999", "[::1]:8000"]:
        assert (await bare_server.http.get("/healthz", headers={"Host": host})).status_code == 200


FOREIGN_HOSTS = ["evil.example", "localhost.evil.example", "127.0.0.1.nip.io", "x@localhost", "[::2]", ""]


async def test_an_unknown_name_is_misdirected(bare_server: Server):
    """A foreign name that points at this machine is refused; the response names the setting."""
    for host in FOREIGN_HOSTS:
        for path in ["/", "/metrics", "/graphql", "/api/v1/sync/dashboard/org_1", "/healthz/", "/nowhere"]:
            answer = await bare_server.http.get(path, headers={"Host": host})
            assert answer.status_code == 421, path
            assert "ROUTIQ_ALLOWED_HOSTS" in answer.json()["detail"]


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
async def test_health_probes_may_use_any_name_or_none(bare_server: Server, path: str):
    """A health check works by IP address and without any name, as platforms and load balancers send it."""
    for host in [*FOREIGN_HOSTS, "10.1.2.3:8000", "[fd00::1]:8000", "routiq.internal"]:
        assert (await bare_server.http.get(path, headers={"Host": host})).status_code == 200, host
        assert (await bare_server.http.head(path, headers={"Host": host})).status_code == 200, host
    reader, writer = await asyncio.open_connection("127.0.0.1", bare_server.port)
    writer.write(f"GET {path} HTTP/1.0\r\n\r\n".encode())
    async with asyncio.timeout(LIMIT_SECONDS):
        assert (await reader.read()).startswith(b"HTTP/1.1 200 ")
    writer.close()


async def test_a_probe_opens_no_websocket_under_a_foreign_name(bare_server: Server):
    """Only the two plain requests skip the check."""
    with pytest.raises(InvalidStatus) as refused:
        await connect(f"ws://127.0.0.1:{bare_server.port}/healthz", additional_headers={"Host": "evil.example"})
    assert refused.value.response.status_code in {400, 421}  # two Host headers are no valid request


async def test_a_refused_websocket_is_one_warning_that_names_the_origin(
    bare_server: Server, caplog: pytest.LogCaptureFixture
):
    """The log has a single line with the refused page, and no error of the server."""
    with capture_logs() as logs, pytest.raises(InvalidStatus) as refused:
        async with open_socket(bare_server, origin="https://app.clinic.example"):
            pass
    assert refused.value.response.status_code == 403
    assert "ROUTIQ_ALLOWED_ORIGINS" in refused.value.response.body.decode()
    (warning,) = (line for line in logs if line["log_level"] not in {"info", "debug"})
    assert (warning["log_level"], warning["event"]) == ("warning", "websocket_refused")
    assert (warning["code"], warning["origin"]) == ("ORIGIN_NOT_ALLOWED", "https://app.clinic.example")
    assert [record.message for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_a_refused_origin_can_not_write_into_the_log(bare_server: Server):
    """A refused origin is logged short and in plain characters."""
    origin = "https://\u202e" + "x" * 5000
    with capture_logs() as logs, pytest.raises(InvalidStatus):
        async with open_socket(bare_server, origin=origin.encode().decode("latin-1")):
            pass
    (warning,) = (line for line in logs if line["event"] == "websocket_refused")
    assert len(warning["origin"]) == 200
    assert warning["origin"].isascii()
    assert warning["origin"].isprintable()


FROM_ELSEWHERE = [
    {"X-Forwarded-For": "203.0.113.5"},
    {"X-Forwarded-For": "127.0.0.1, 203.0.113.5"},
    {"X-Forwarded-For": "unknown"},
    {"X-Forwarded-For": ""},
    {"X-Real-IP": "2001:db8::1"},
    {"CF-Connecting-IP": "203.0.113.5"},
    {"Forwarded": "for=203.0.113.5;proto=https"},
    {"Forwarded": 'for=127.0.0.1, For="[2001:db8::1]:4711"'},
    {"Forwarded": "for=_hidden"},
    {"X-Forwarded-Host": "sync.example.com"},
]
FROM_HERE = [
    {"X-Forwarded-For": "127.0.0.1"},
    {"X-Forwarded-For": "::1, ::ffff:127.0.0.1", "X-Forwarded-Host": "localhost:5173"},
    {"Forwarded": 'for="[::1]:5173";host=localhost'},
    {"X-Real-IP": "127.0.0.53"},
]


async def test_without_authentication_a_proxy_may_serve_this_machine_only(bare_server: Server):
    """Behind a proxy for other machines, a server without authentication refuses all requests; a local proxy works."""
    for headers in FROM_ELSEWHERE:
        answer = await bare_server.http.get("/api/v1/sync/dashboard/org_1", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "NOT_LOCAL"), headers
        assert "ROUTIQ_AUTH" in answer.json()["detail"]
        with pytest.raises(InvalidStatus):
            async with open_socket(bare_server, additional_headers=headers):
                pass
    for headers in FROM_HERE:
        assert (await bare_server.http.get("/api/v1/sync/dashboard/org_1", headers=headers)).status_code == 200


async def test_a_listed_name_is_served(open_server: Server):
    """An operator may add names."""
    assert (await open_server.http.get("/healthz", headers={"Host": "sync.example.com"})).status_code == 200


async def test_a_page_elsewhere_can_neither_change_nor_read(bare_server: Server):
    """A page of another site can change nothing, and browsers hide responses from it."""
    for origin in [
        "https://evil.example",
        "http://localhost.evil.example",
        "null",
        "x",
        "http://127.0.0.1@evil.example",
    ]:
        changed = await bare_server.http.post(START, headers={"Origin": origin})
        assert changed.status_code == 403
        assert "ROUTIQ_ALLOWED_ORIGINS" in changed.json()["detail"]
        asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
        assert (await bare_server.http.options(START, headers=asked)).status_code == 403
        read = await bare_server.http.get("/healthz", headers={"Origin": origin})
        assert read.status_code == 200
        assert "access-control-allow-origin" not in read.headers
        assert read.headers["vary"] == "Origin"


async def test_pages_of_this_machine_may_do_everything(bare_server: Server):
    """A developer's page on any local port works, and can read errors."""
    for origin in ["http://localhost:3000", "http://127.0.0.1:5173", "https://[::1]:8443"]:
        for path in (START, "/nowhere"):
            answer = await bare_server.http.post(path, headers={"Origin": origin})
            assert answer.headers["access-control-allow-origin"] == origin
        asked = {"Origin": origin, "Access-Control-Request-Method": "DELETE"}
        preflight = await bare_server.http.options("/api/v1/sync/cancel/x", headers=asked)
        assert preflight.status_code == 204
        assert preflight.headers["access-control-allow-origin"] == origin
        assert preflight.headers["access-control-allow-methods"] == "GET, POST, PATCH, DELETE"
        allowed = preflight.headers["access-control-allow-headers"]
        assert allowed == "authorization, content-type, x-organization-id, last-event-id"
        assert preflight.headers["access-control-max-age"] == "600"


@pytest.mark.parametrize(
    ("origin", "path", "method", "headers"),
    [
        # The documented client.
        ("http://localhost:3000", "/api/v1/sync/start/org_1", "POST", "content-type"),
        ("http://localhost:3000", "/api/v1/sync/cancel/sync_x", "DELETE", "content-type"),
        ("http://localhost:3000", "/api/v1/sync/stream/sync_x", "GET", "last-event-id"),
        # A Next.js page with a token, on another site.
        ("https://app.example.com", "/graphql", "POST", "authorization,content-type,x-organization-id"),
        ("https://app.example.com", "/api/v1/sync/dashboard/org_1", "GET", "authorization, x-organization-id"),
        ("https://pr-7.example.com", "/api/v1/sync/stream/sync_x", "GET", "authorization,last-event-id"),
        ("https://pr-7.example.com", "/api/v1/sync/cancel/sync_x", "DELETE", "authorization,content-type"),
    ],
)
async def test_the_preflights_of_known_clients_pass(
    open_server: Server, origin: str, path: str, method: str, headers: str
):
    """The preflights of known clients succeed, with every header that they send, and are cached for ten minutes."""
    asked = {"Origin": origin, "Access-Control-Request-Method": method, "Access-Control-Request-Headers": headers}
    preflight = await open_server.http.options(path, headers=asked)
    assert (preflight.status_code, preflight.content) == (204, b"")
    told = preflight.headers
    assert told["access-control-allow-origin"] == origin
    assert method in told["access-control-allow-methods"].split(", ")
    assert {name.strip() for name in headers.split(",")} <= set(told["access-control-allow-headers"].split(", "))
    assert told["access-control-max-age"] == "600"
    assert "Origin" in told["vary"]
    # Tokens are sent in a header; cookies are never used.
    assert "access-control-allow-credentials" not in told
    actual = await open_server.http.request(method, path, headers={"Origin": origin})
    assert actual.headers["access-control-allow-origin"] == origin


async def test_a_page_can_read_the_request_id(bare_server: Server):
    """A page can show the id under which the log has its request."""
    answer = await bare_server.http.get("/nowhere", headers={"Origin": "http://localhost:3000"})
    assert answer.headers["access-control-expose-headers"] == "X-Request-ID, Retry-After"
    assert answer.headers["x-request-id"]
    refused = await bare_server.http.get("/nowhere", headers={"Origin": "https://evil.example"})
    assert "access-control-expose-headers" not in refused.headers


async def test_a_preflight_of_a_page_elsewhere_fails(open_server: Server):
    """A refused preflight lists neither methods nor headers, but names the setting."""
    asked = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    refused = await open_server.http.options("/graphql", headers=asked)
    assert (refused.status_code, refused.json()["code"]) == (403, "ORIGIN_NOT_ALLOWED")
    assert [name for name in refused.headers if name.startswith("access-control")] == []


async def test_listed_pages_are_allowed(open_server: Server):
    """An operator may list origins, with a star within a part of the name; the demo accepts pages opened as files."""
    for origin in ["https://app.example.com", "https://pr-12.example.com", "null"]:
        answer = await open_server.http.post(START, headers={"Origin": origin})
        assert answer.status_code == 200
        assert answer.headers["access-control-allow-origin"] == origin


async def test_origins_like_listed_ones_are_not_listed(open_server: Server):
    """Scheme, port and every part of the name count."""
    for origin in [
        "http://app.example.com",
        "https://app.example.com:444",
        "https://pr-.example.com",
        "https://pr-1.x.example.com",
    ]:
        assert (await open_server.http.post(START, headers={"Origin": origin})).status_code == 403


async def test_requests_that_come_from_no_page_need_no_origin(bare_server: Server):
    """Requests of curl and programs need no origin."""
    assert (await bare_server.http.post(START)).status_code == 200


@pytest.mark.parametrize(
    "origin", ["*", "app.example.com", "https://app.example.com/page", "https://*.*.com", "https://"]
)
def test_an_invalid_origin_stops_the_start(settings: Settings, origin: str):
    """A wrong entry stops the start with a sentence, rather than silently not working."""
    with pytest.raises(SettingsError, match="ROUTIQ_ALLOWED_ORIGINS"):
        create_app(settings.model_copy(update={"allowed_origins": (origin,)}))


BLIND = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}
OPENED = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
EXECUTING = [
    "/graphql?query={__typename}",
    "/graphql?query=",
    "/graphql?a=1&query=%7B__typename%7D",
    *(f"/graphql?{name}=x" for name in sorted(NAMING_PARAMETERS)),
    "/graphql?a=1&document%49d=sha256:00",
    "/api/v1/sync/dashboard/org_1",
    "/api/v1/sync/history/org_1",
    "/api/v1/sync/status/sync_org_1_20241222_143022",
    "/api/v1/sync/stream/sync_org_1_20241222_143022",
]


@pytest.mark.parametrize("path", EXECUTING)
async def test_a_page_elsewhere_can_have_nothing_executed_blindly(bare_server: Server, path: str):
    """An image, a script, a frame or a link of another site can't execute an operation; the response says why."""
    framed = {**OPENED, "Sec-Fetch-Dest": "iframe"}
    for headers in (
        BLIND,
        OPENED,
        framed,
        {**BLIND, "Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
    ):
        answer = await bare_server.http.get(path, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "CROSS_SITE")
        assert "ROUTIQ_ALLOWED_ORIGINS" in answer.json()["detail"]
    for site in ("same-origin", "same-site", "none"):
        answer = await bare_server.http.get(path, headers={"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "no-cors"})
        assert answer.status_code != 403
    # A page of this machine under another of its names is cross-site, but sends its origin.
    answer = await bare_server.http.get(path, headers={**BLIND, "Origin": "http://localhost:5173"})
    assert answer.status_code != 403


async def test_allowed_pages_and_files_may_ask_from_another_site(open_server: Server):
    """A page with an allowed origin, or an allowed file, may send cross-site requests."""
    for origin in ("https://app.example.com", "https://pr-7.example.com", "null"):
        headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors", "Origin": origin}
        assert (await open_server.http.get("/graphql?query={__typename}", headers=headers)).status_code == 200


async def test_links_from_elsewhere_lead_to_pages(bare_server: Server):
    """A link in a mail or a wiki opens GraphiQL and the page; neither opens inside another page."""
    html = {"Accept": "text/html"}
    for path in ("/graphql", "/", "/?organization=org_1"):
        assert (await bare_server.http.get(path, headers={**OPENED, **html})).status_code == 200
        framed = {**OPENED, "Sec-Fetch-Dest": "iframe", **html}
        assert (await bare_server.http.get(path, headers=framed)).status_code == 403
    for path in ("/healthz", "/readyz"):
        assert (await bare_server.http.get(path, headers=BLIND)).status_code == 200
