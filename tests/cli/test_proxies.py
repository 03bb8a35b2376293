"""Servers in company networks: every command reaches Cliniko through the proxy, or names the problem with it."""

import asyncio
import socket
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from routiq_gql.emulator import EMULATED_API_KEY, Emulator, EmulatorServer, awkward_clinic
from routiq_gql.security.jwks import KeySet
from routiq_gql.security.viewer import LOCAL_OPERATOR
from routiq_gql.settings import Settings
from tests.certificates import write_certificate
from tests.cli.programs import run_program
from tests.conftest import ENCRYPTION_KEYS
from tests.issuing import issuing
from tests.organization import ORGANIZATION
from tests.proxying import ConnectProxy
from tests.server import Server
from tests.waiting import LIMIT_SECONDS

NAME = "cliniko.example.com"
BASE_URL = f"https://{NAME}/v1"
IN_THE_WAY = "localhost,fd07:b51a:cc66:f0::/64,10.0.0.0/8,[::1],*.internal,"
"""Values of OrbStack and companies, on which httpx raises."""


@pytest.fixture
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_certificate(tmp_path_factory.mktemp("tls"), "cliniko", NAME)


@pytest.fixture
async def cliniko() -> AsyncIterator[EmulatorServer]:
    async with EmulatorServer(Emulator(awkward_clinic(datetime.now(UTC)))) as server:
        yield server


def _port(server: EmulatorServer) -> int:
    return int(server.base_url.split(":")[2].partition("/")[0])


async def _run(folder: Path, *arguments: str, stdin: str | None = None, **environment: str) -> tuple[int, str, str]:
    settings = {
        "ROUTIQ_CONTACT_EMAIL": "ops@example.com",
        "ROUTIQ_CLINIKO_MAX_ATTEMPTS": "1",
        **dict.fromkeys(("https_proxy", "all_proxy", "no_proxy", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"), ""),
    }
    for name, value in environment.items():
        settings[name] = value
        settings.pop(name.lower(), None)  # an empty variable in lower case would have precedence
    return await asyncio.to_thread(run_program, *arguments, folder=folder, settings=settings, stdin=stdin)


async def _connect(folder: Path, *options: str, **environment: str) -> tuple[int, str, str]:
    arguments = ("connect", ORGANIZATION, "--base-url", BASE_URL, *options)
    return await _run(folder, *arguments, stdin=EMULATED_API_KEY + "\n", **environment)


async def test_connect_and_sync_go_through_the_proxy(folder: Path, cliniko: EmulatorServer, certificate: Path):
    """With exceptions of every form beside it, the proxy is used, with its user name and password."""
    async with ConnectProxy(_port(cliniko), certificate) as proxy:
        environment = {
            "HTTPS_PROXY": f"http://clinic:p%40ss@{proxy.name}",
            "ALL_PROXY": "socks5://127.0.0.1:1",  # not for https, which has a separate variable
            "NO_PROXY": IN_THE_WAY,
            "SSL_CERT_FILE": str(certificate),
        }
        code, _, err = await _connect(folder, **environment)
        assert (code, err) == (0, "")
        code, out, err = await _run(folder, "sync", ORGANIZATION, **environment)
        assert (code, err) == (0, ""), out
    assert {head.splitlines()[0] for head in proxy.heads} == {f"CONNECT {NAME}:443 HTTP/1.1"}
    assert all("proxy-authorization: basic y2xpbmljonbac3m=" in head.lower() for head in proxy.heads)


@pytest.mark.parametrize(
    ("answer", "advice"),
    [("502 Bad Gateway", "let this server reach Cliniko"), ("407 Who Are You", "user name and password")],
)
async def test_a_proxy_that_refuses_is_named(
    folder: Path, cliniko: EmulatorServer, certificate: Path, answer: str, advice: str
):
    """The operator reads the proxy and its response, but not its password."""
    async with ConnectProxy(_port(cliniko), certificate, answer) as proxy:
        environment = {"HTTPS_PROXY": f"http://clinic:hunter2@{proxy.name}", "NO_PROXY": IN_THE_WAY}
        code, out, err = await _connect(folder, **environment)
        assert (code, out) == (1, "")
        assert f"The proxy {proxy.name} answered with status {answer[:3]}" in err
        assert advice in err
        assert "hunter2" not in err
        assert err.count("\n") == 1


STARTS = {
    "connect": ("HTTPS_PROXY", "ftp://hunter2"),
    "sync": ("ALL_PROXY", "socks5://hunter2:1080"),
    "serve": ("SSL_CERT_FILE", "hunter2.pem"),
}


@pytest.mark.parametrize("command", STARTS)
async def test_a_variable_that_can_not_be_used_ends_the_start(folder: Path, command: str):
    """The error names the variable but not its value, and nothing has been started."""
    variable, value = STARTS[command]
    environment = {variable: value, "NO_PROXY": IN_THE_WAY}
    if command == "connect":
        code, out, err = await _connect(folder, "--no-check", **environment)
    else:
        options = [ORGANIZATION] if command == "sync" else ["--port", "0"]
        code, out, err = await _run(folder, command, *options, **environment)
    _assert_refused(code, out, err, variable)


@pytest.mark.postgres_only
async def test_a_worker_does_not_start_either(folder: Path, empty_database_url: str):
    """The same with several processes."""
    code, out, err = await _run(
        *(folder, "worker"),
        HTTPS_PROXY="http://hunter2:99999",
        ROUTIQ_DATABASE_URL=empty_database_url,
        ROUTIQ_ENCRYPTION_KEYS=ENCRYPTION_KEYS,
    )
    _assert_refused(code, out, err, "HTTPS_PROXY")


def _assert_refused(code: int, out: str, err: str, variable: str) -> None:
    assert (code, out) == (2, "")
    assert err.startswith(f"{variable} ")
    assert err.count("\n") == 1
    assert "hunter2" not in err


async def test_serve_looks_at_the_way_to_the_public_keys(folder: Path):
    """Tokens could not be checked without the issuer's keys, so the server does not start."""
    code, out, err = await _run(
        *(folder, "serve", "--port", "0"),
        HTTPS_PROXY="http://[::1",
        NO_PROXY="cliniko.com",
        ROUTIQ_AUTH="jwt",
        ROUTIQ_JWT_ISSUER="https://issuer.example.com",
        ROUTIQ_ALLOWED_HOSTS="127.0.0.1",
    )
    assert (code, out) == (2, "")
    assert err.startswith("HTTPS_PROXY can't be used: a bracket is missing")


async def test_an_emulator_on_this_machine_needs_no_proxy(folder: Path, cliniko: EmulatorServer):
    """Problems with a proxy don't affect direct connections."""
    environment = {"ALL_PROXY": "socks5://h:1080", "HTTP_PROXY": "ftp://h", "ROUTIQ_CLINIKO_REQUESTS_PER_MINUTE": "0"}
    arguments = ("connect", ORGANIZATION, "--base-url", cliniko.base_url)
    code, _, err = await _run(folder, *arguments, stdin=EMULATED_API_KEY + "\n", **environment)
    assert (code, err) == (0, "")


@pytest.fixture
async def server(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Server]:
    """A server without a proxy whose organization is connected to an address elsewhere."""
    for name in ("https_proxy", "all_proxy", "no_proxy", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    settings = settings.model_copy(
        update={
            "contact_email": "ops@example.com",
            "cliniko_requests_per_minute": 180,
            "cliniko_base_url": BASE_URL,
            "cliniko_max_attempts": 1,
        }
    )
    async with asyncio.timeout(LIMIT_SECONDS), Server(settings) as server:
        await server.runtime.connections.connect(LOCAL_OPERATOR, ORGANIZATION, EMULATED_API_KEY, check=False)
        yield server


@pytest.mark.parametrize("value", ["ftp://hunter2", "socks5://hunter2:1", "http://h:99999"])
async def test_a_sync_explains_an_unusable_proxy(server: Server, monkeypatch: pytest.MonkeyPatch, value: str):
    """If a variable becomes unusable while the server runs, the sync fails as unreachable and says why."""
    monkeypatch.setenv("HTTPS_PROXY", value)
    ended = await server.until_ended(await server.start_sync())
    assert ended["failure"]["code"] == "CLINIKO_UNREACHABLE"
    assert ended["failure"]["message"].startswith("HTTPS_PROXY ")
    assert "hunter2" not in str(ended)


@pytest.mark.parametrize("answer", ["502 Bad Gateway", "407 Who Are You"])
async def test_a_sync_names_the_proxy_that_refused(
    server: Server, certificate: Path, monkeypatch: pytest.MonkeyPatch, answer: str
):
    """A clinic and its operator read that the proxy refused, not Cliniko."""
    async with ConnectProxy(server.port, certificate, answer) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://clinic:hunter2@{proxy.name}")
        ended = await server.until_ended(await server.start_sync())
    assert ended["failure"]["code"] == "CLINIKO_UNREACHABLE"
    assert f"The proxy {proxy.name} answered with status {answer[:3]}" in ended["failure"]["message"]
    assert "hunter2" not in str(ended)


async def test_a_network_that_decrypts_tls_gets_advice(
    server: Server, certificate: Path, monkeypatch: pytest.MonkeyPatch
):
    """A company's proxy shows a certificate that the server must be configured to trust."""
    async with ConnectProxy(server.port, certificate) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://{proxy.name}")
        ended = await server.until_ended(await server.start_sync())
    assert ended["failure"]["code"] == "CLINIKO_UNREACHABLE"
    assert "certificate" in ended["failure"]["message"]
    assert "SSL_CERT_FILE" in ended["failure"]["what_to_do"]


async def test_a_proxy_that_is_away_is_named(server: Server, monkeypatch: pytest.MonkeyPatch):
    """The error for an unreachable proxy names its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        name = f"127.0.0.1:{free.getsockname()[1]}"
        monkeypatch.setenv("HTTPS_PROXY", name)
        ended = await server.until_ended(await server.start_sync())
    assert ended["failure"]["code"] == "CLINIKO_UNREACHABLE"
    assert f"through the proxy {name}" in ended["failure"]["message"]


async def test_public_keys_are_fetched_through_the_proxy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """An external issuer is reached through the proxy, whatever else NO_PROXY lists."""
    certificate = write_certificate(tmp_path, "issuer", "issuer.example.com")
    async with issuing() as issuer, ConnectProxy(int(issuer.issuer.url.rpartition(":")[2]), certificate) as proxy:
        for name, value in {"https_proxy": f"http://{proxy.name}", "no_proxy": IN_THE_WAY}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        keys = KeySet("https://issuer.example.com/.well-known/jwks.json")
        try:
            assert await keys.key("unknown", "RS256") is None  # without a response it would be IssuerAway
        finally:
            await keys.close()
        assert issuer.issuer.key_requests == 1
        assert proxy.heads[0].startswith("CONNECT issuer.example.com:443 ")
