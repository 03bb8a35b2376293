"""``routiq-gql check`` through a real nginx: the example files pass, and each mistake is named."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from routiq_gql.doctor import Finding, Result, Site, examine
from routiq_gql.security.token_file import TokenFile
from routiq_gql.settings import Settings
from tests.deploy.conftest import StartNginx
from tests.organization import ORGANIZATION
from tests.server import Server
from tests.waiting import LIMIT_SECONDS

PAGE_ELSEWHERE = "https://app.example.com"


@dataclass
class Patient:
    """A server behind nginx, to be checked."""

    server: Server
    origin: str
    token: str

    async def findings(
        self,
        path: str = "/",
        *,
        token: str | None = None,
        organization: str = ORGANIZATION,
        limit: float = 10,
        idle: float = 0.2,
    ) -> dict[str, Finding]:
        site = Site(self.origin + path, token=self.token if token is None else token, timeout=limit)
        async with asyncio.timeout(LIMIT_SECONDS * 2), site:
            found = await examine(site, organization=organization, origin=PAGE_ELSEWHERE, idle=idle)
        assert len({one.check for one in found}) == len(found) == 10
        assert all(one.what_to_do for one in found if one.result is Result.PROBLEM)
        return {one.check: one for one in found}


Examined = Callable[..., AbstractAsyncContextManager[Patient]]


@pytest.fixture
def behind(nginx: StartNginx, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Examined:
    """A server with tokens behind nginx, whose files are changed first: ``behind(("$http_host", "$host"))``."""
    for name in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)

    @asynccontextmanager
    async def start(
        *changes: tuple[str, str], example: str = "routiq.conf", hosts: tuple[str, ...] = ("localhost",)
    ) -> AsyncIterator[Patient]:
        _, token = TokenFile(tmp_path / "tokens").add(ORGANIZATION, ["admin"])
        update = {
            "auth": "token",
            "tokens_file": str(tmp_path / "tokens"),
            "allowed_hosts": hosts,
            "allowed_origins": (PAGE_ELSEWHERE,),
        }
        async with Server(settings.model_copy(update=update)) as server:
            proxy = await asyncio.to_thread(nginx, example, server.port, *changes)
            monkeypatch.setenv("SSL_CERT_FILE", str(proxy.certificate))
            yield Patient(server, f"https://localhost:{proxy.port}", token)

    return start


def _problems(found: dict[str, Finding]) -> set[str]:
    return {name for name, one in found.items() if one.result is Result.PROBLEM}


@pytest.mark.parametrize(("example", "path"), [("routiq.conf", "/"), ("routiq-under-a-path.conf", "/routiq/")])
async def test_the_example_files_are_healthy(behind: Examined, example: str, path: str):
    """An operator who copies the example files reads “ok” ten times."""
    async with behind(example=example) as patient:
        found = await patient.findings(path)
        assert {name: one.result for name, one in found.items()} == dict.fromkeys(found, Result.OK)
        without_slash = await patient.findings(path.rstrip("/"))
        assert without_slash == found


async def test_without_a_token_some_checks_are_reported_as_not_done(behind: Examined):
    """Without a token, checks that need one are reported as not done, with the option to add."""
    async with behind() as patient:
        found = await patient.findings(token="")
        assert _problems(found) == set()
        assert found["graphql"].result is found["websocket"].result is Result.OK
        assert found["stream"].result is Result.NOT_CHECKED
        assert "--token" in found["stream"].what_to_do
        found = await patient.findings(organization="")
        assert found["stream"].result is Result.NOT_CHECKED
        assert "--organization" in found["stream"].what_to_do


async def test_a_wrong_token_is_named(behind: Examined):
    """A revoked token is distinguished from a broken proxy."""
    async with behind() as patient:
        found = await patient.findings(token="rtq_wrong")
        assert _problems(found) == {"graphql", "websocket"}
        assert "does not accept this token" in found["graphql"].found
        assert "does not accept this token" in found["websocket"].found


async def test_an_organization_that_the_token_does_not_reach_is_not_called_healthy(behind: Examined):
    """The refusal arrives at once like an event, and says nothing about the events of the operator's clinic."""
    async with behind() as patient:
        found = await patient.findings(organization="org_of_others")
        assert _problems(found) == set()
        assert found["stream"].result is Result.NOT_CHECKED
        assert "--organization" in found["stream"].what_to_do


MISTAKES = {
    "the port is dropped": (
        ("proxy_set_header Host $http_host;", "proxy_set_header Host $host;"),
        {"graphql", "websocket"},
        "proxy_set_header Host $http_host",
    ),
    "no upgrade": (
        ("proxy_set_header Upgrade $http_upgrade;", ""),
        {"websocket"},
        "proxy_set_header Upgrade $http_upgrade",
    ),
    "connection is closed": (
        ("proxy_set_header Connection $routiq_connection;", ""),
        {"websocket"},
        'proxy_set_header Connection "upgrade"',
    ),
    "streams are held back": (
        ("proxy_buffering off;", "proxy_buffering on; proxy_ignore_headers X-Accel-Buffering;"),
        {"stream"},
        "proxy_buffering off",
    ),
    "silence is cut off": (
        ("proxy_read_timeout 1h;", "proxy_read_timeout 1s;"),
        {"silence"},
        "proxy_read_timeout 1h",
    ),
    "the origin is dropped": (
        ("proxy_http_version 1.1;", 'proxy_http_version 1.1; proxy_set_header Origin "";'),
        {"other origins", "preflight"},
        "",
    ),
    "cors twice": (
        ("proxy_http_version 1.1;", "proxy_http_version 1.1; add_header Access-Control-Allow-Origin * always;"),
        {"preflight"},
        "Access-Control-",
    ),
    **{
        f"no {header}": (
            ("proxy_http_version 1.1;", f"proxy_http_version 1.1; proxy_hide_header Access-Control-{header};"),
            {"preflight"},
            "answer no request itself",
        )
        for header in ("Allow-Origin", "Allow-Headers")
    },
    "no preflight": (
        ("proxy_http_version 1.1;", "proxy_http_version 1.1; if ($request_method = OPTIONS) { return 405; }"),
        {"preflight"},
        "forward all methods",
    ),
    "only get": (
        ("proxy_http_version 1.1;", "proxy_http_version 1.1; if ($request_method = POST) { return 405; }"),
        {"graphql"},
        "with all methods",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
async def test_a_mistake_in_nginx_is_named_with_its_remedy(behind: Examined, mistake: str):
    """Each wrong line of the configuration is found, with and without a token, and nothing else is blamed."""
    change, checks, remedy = MISTAKES[mistake]
    async with behind(change) as patient:
        found = await patient.findings(limit=2 if "stream" in checks else 10, idle=5 if "silence" in checks else 0.2)
        assert _problems(found) == checks
        assert all(remedy in found[name].what_to_do for name in _problems(found))
        without = await patient.findings(token="")
        assert _problems(without) == checks - {"stream", "silence"}, "these two need a token"
        assert all(remedy in without[name].what_to_do for name in _problems(without))


async def test_a_path_that_is_left_in_the_address_is_named(behind: Examined):
    """Without the slash at the end of proxy_pass the server gets an unknown path."""
    change = ("proxy_pass http://routiq/;", "proxy_pass http://routiq;")
    async with behind(change, example="routiq-under-a-path.conf") as patient:
        found = await patient.findings("/routiq/")
        assert _problems(found) == {"address"}
        assert "proxy_pass http://routiq/;" in found["address"].what_to_do
        assert {one.result for name, one in found.items() if name != "address"} == {Result.NOT_CHECKED}


async def test_a_path_too_many_is_named(behind: Examined):
    """For a server without a path, an address with a path is corrected."""
    async with behind() as patient:
        found = await patient.findings("/routiq/")
        assert _problems(found) == {"address"}
        assert f"Use {patient.origin}/" in found["address"].what_to_do


async def test_a_name_that_the_server_does_not_know_is_named(behind: Examined):
    """The check names ROUTIQ_ALLOWED_HOSTS and the value to add."""
    async with behind(hosts=("routiq.example.com",)) as patient:
        found = await patient.findings()
        assert _problems(found) == {"page", "graphql", "websocket", "preflight"}
        assert "Add localhost to ROUTIQ_ALLOWED_HOSTS" in found["page"].what_to_do


async def test_an_api_without_the_page_is_recognized(behind: Examined):
    """If a proxy forwards only the API, the page and the probes are reported missing, and the rest is checked."""
    async with behind(("location / {", "location ~ ^/(graphql|api) {")) as patient:
        found = await patient.findings()
        assert _problems(found) == {"page"}
        assert found["ready"].result is Result.NOT_CHECKED
        assert found["websocket"].result is found["stream"].result is Result.OK


async def test_a_server_that_is_down_is_named(behind: Examined):
    """A stopped server behind nginx is recognized by its 502, and the network is not blamed."""
    async with behind() as patient:
        await patient.server.stop()
        found = await patient.findings()
        assert _problems(found) == {"address"}
        assert "502" in found["address"].found
        assert "routiq-gql serve" in found["address"].what_to_do


async def test_a_redirect_is_named(behind: Examined):
    """A redirect from http to https turns a POST into a GET, so the check names the address after it."""
    async with behind(
        ("ssl_certificate_key", "if ($uri ~ .) { return 301 https://routiq.example.com$uri; } ssl_certificate_key")
    ) as patient:
        found = await patient.findings()
        assert _problems(found) == {"address"}
        assert "https://routiq.example.com/" in found["address"].what_to_do


async def test_http_on_a_port_with_tls_is_named(behind: Examined):
    """nginx's error page for http on a TLS port is not taken for another program."""
    async with behind() as patient:
        patient.origin = patient.origin.replace("https", "http")
        found = await patient.findings()
        assert _problems(found) == {"address"}
        assert "Use https://localhost:" in found["address"].what_to_do


async def test_nothing_at_the_address(settings: Settings, monkeypatch: pytest.MonkeyPatch):
    """The check names a port without a server, at each address of the name, and a host that does not exist."""
    patient, look_up = Patient(Server(settings), "", ""), socket.getaddrinfo
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        for addresses in (["127.0.0.1"], ["127.0.0.1", "127.0.0.2"], ["127.0.0.2", "127.0.0.3", "127.0.0.1"]):

            def addresses_of(
                _host: str, port: int, *rest: Any, found: list[str] = addresses, **named: Any
            ) -> list[Any]:
                return [one for address in found for one in look_up(address, port, *rest, **named)]

            monkeypatch.setattr(socket, "getaddrinfo", addresses_of)
            patient.origin = f"http://routiq.test:{free.getsockname()[1]}"
            assert "Nothing listens" in (await patient.findings())["address"].found, addresses
            monkeypatch.undo()
    patient.origin = "http://nowhere.invalid"
    assert "There is no host nowhere.invalid" in (await patient.findings())["address"].found
