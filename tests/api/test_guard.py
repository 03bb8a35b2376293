"""Who may reach the server: host names, origins of pages, and what browsers are told about it."""

from collections.abc import AsyncIterator

import pytest

from routiq_gql.app import create_app
from routiq_gql.errors import SettingsError
from routiq_gql.settings import Settings
from tests.api.serving import Server

START = "/api/v1/sync/start/org_1"


@pytest.fixture
async def open_server(settings: Settings) -> AsyncIterator[Server]:
    """A server that some pages and names elsewhere may use, and pages opened as files too."""
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


async def test_an_unknown_name_is_misdirected(bare_server: Server):
    """A foreign name that points at this machine reads nothing; the answer names the setting."""
    for host in ["evil.example", "localhost.evil.example", "127.0.0.1.nip.io", "x@localhost", "[::2]", ""]:
        answer = await bare_server.http.get("/healthz", headers={"Host": host})
        assert answer.status_code == 421
        assert "ROUTIQ_ALLOWED_HOSTS" in answer.json()["detail"]


async def test_a_listed_name_is_served(open_server: Server):
    """An operator may add names."""
    assert (await open_server.http.get("/healthz", headers={"Host": "sync.example.com"})).status_code == 200


async def test_a_page_elsewhere_can_neither_change_nor_read(bare_server: Server):
    """Its requests that change something are refused, and what it reads the browser keeps from it."""
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
    """A developer's page on any port works, also for errors, which the page can read."""
    for origin in ["http://localhost:3000", "http://127.0.0.1:5173", "https://[::1]:8443"]:
        for path in (START, "/nowhere"):
            answer = await bare_server.http.post(path, headers={"Origin": origin})
            assert answer.headers["access-control-allow-origin"] == origin
        asked = {"Origin": origin, "Access-Control-Request-Method": "DELETE"}
        preflight = await bare_server.http.options("/api/v1/sync/cancel/x", headers=asked)
        assert preflight.status_code == 204
        assert preflight.headers["access-control-allow-origin"] == origin
        assert preflight.headers["access-control-allow-methods"] == "GET, POST, DELETE"
        allowed = preflight.headers["access-control-allow-headers"]
        assert allowed == "authorization, content-type, x-organization-id, last-event-id"
        assert preflight.headers["access-control-max-age"] == "600"


async def test_listed_pages_are_allowed(open_server: Server):
    """An operator may list origins, with a star within a part of the name; the demo takes pages opened as files."""
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
    """curl and programs are not pages."""
    assert (await bare_server.http.post(START)).status_code == 200


@pytest.mark.parametrize(
    "origin", ["*", "app.example.com", "https://app.example.com/page", "https://*.*.com", "https://"]
)
def test_what_is_no_origin_ends_the_start(settings: Settings, origin: str):
    """A wrong entry is a sentence at the start, not a page that silently doesn't work."""
    with pytest.raises(SettingsError, match="ROUTIQ_ALLOWED_ORIGINS"):
        create_app(settings.model_copy(update={"allowed_origins": (origin,)}))
