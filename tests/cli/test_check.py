"""``routiq-gql check`` as an operator uses it, and its findings without a server or with a wrong certificate."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from routiq_gql.doctor import Finding, Result, Site, examine
from routiq_gql.settings import Settings
from tests.certificates import write_certificate
from tests.cli.conftest import Command
from tests.cli.programs import run_program
from tests.cliniko.raw_server import RawServer, http
from tests.proxying import ConnectProxy
from tests.server import Server
from tests.waiting import LIMIT_SECONDS


@pytest.fixture(autouse=True)
def _direct(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)


async def _examine(url: str, limit: float = LIMIT_SECONDS / 4) -> dict[str, Finding]:
    async with asyncio.timeout(LIMIT_SECONDS), Site(url, timeout=limit) as site:
        return {one.check: one for one in await examine(site)}


async def _address(url: str, limit: float = LIMIT_SECONDS / 4) -> Finding:
    """The finding about an address without a server; no other check ran."""
    found = await _examine(url, limit)
    address = found.pop("address")
    assert address.result is Result.PROBLEM
    assert address.what_to_do
    assert {one.result for one in found.values()} == {Result.NOT_CHECKED}
    return address


async def test_a_server_without_a_proxy_is_healthy(folder: Path, settings: Settings):
    """The command prints a line for each check and ends with 0."""
    async with Server(settings) as server:
        code, out, err = await asyncio.to_thread(run_program, "check", "--url", server.url, folder=folder)
        assert (code, err) == (0, "")
        rows = [line.split("\t") for line in out.splitlines()]
        assert rows[0] == ["check", "result", "found", "what to do"]
        assert {row[0]: row[1] for row in rows[1:]} == {
            **dict.fromkeys(("address", "ready", "page", "graphql", "websocket", "stream"), "ok"),
            **dict.fromkeys(("other origins", "other names"), "ok"),
            **dict.fromkeys(("preflight", "silence"), "not checked"),
        }


async def test_problems_are_for_programs_too(folder: Path, settings: Settings, command: Command):
    """With a problem, the output is JSON and the exit code 1."""
    async with Server(settings) as server:
        options = ("--url", server.url, "--origin", "https://app.example.com/", "--json")
        ended = await asyncio.to_thread(run_program, "check", *options, folder=folder)
    assert (ended[0], ended[2]) == (1, "")
    found = json.loads(ended[1])
    assert [one["check"] for one in found if one["result"] == "problem"] == ["preflight"]
    assert "Add https://app.example.com to ROUTIQ_ALLOWED_ORIGINS" in found[-1]["what_to_do"]


@pytest.mark.parametrize(
    "url",
    [
        *("", "routiq.example.com", "ftp://h", "https://", "https://h:99999", "https://[::1", "https://u:p@h"),
        *("https://h/?a=1", "https://h/#a", "https://two words", "https://ü.example.com"),
    ],
)
def test_a_wrong_address_is_wrong_use(command: Command, url: str):
    """The error shows the form of an address; nothing is sent."""
    ended = command("check", "--url", url)
    assert ended.code == 2
    assert ended.err.count("\n") == 1
    assert "https://" in ended.err or "ASCII" in ended.err


@pytest.mark.parametrize(
    "options", [("--origin", "app"), ("--origin", "https://a\nb"), ("--organization", "a b"), ("--token", "a b")]
)
def test_wrong_options_are_wrong_use(command: Command, options: tuple[str, str]):
    """With invalid options nothing is sent."""
    ended = command("check", "--url", "http://127.0.0.1:1", *options)
    assert ended.code == 2
    assert ended.err.count("\n") == 1


@asynccontextmanager
async def _speaking_tls(certificate: Path) -> AsyncIterator[str]:
    """The address of a server that shows this certificate and sends nothing else."""
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate, certificate.with_suffix(".key"))

    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    async with server:
        yield f"https://localhost:{server.sockets[0].getsockname()[1]}"


@pytest.mark.parametrize(
    ("names", "days", "is_trusted", "found"),
    [
        (["localhost"], 1, False, "is self-signed"),
        (["localhost"], -1, True, "has expired"),
        (["other.example.com"], 1, True, "is for another name"),
    ],
)
async def test_a_wrong_certificate_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: list[str], days: float, is_trusted: bool, found: str
):
    """The command explains a certificate that browsers would warn about, with advice."""
    certificate = write_certificate(tmp_path, "site", *names, days=days)
    if is_trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    async with _speaking_tls(certificate) as url:
        assert found in (await _address(url)).found


async def test_a_port_without_tls_is_named(settings: Settings):
    """https where the server only supports http."""
    async with Server(settings) as server:
        assert "does not use TLS" in (await _address(f"https://127.0.0.1:{server.port}")).found


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        (http(404, b"<html>Not found</html>", Content_Type="text/html"), "There is no Routiq server at http://"),
        (http(200, b"<html>Welcome</html>", Content_Type="text/html"), "There is no Routiq server at http://"),
        (http(200, {"status": "UP"}), "There is no Routiq server at http://"),
        (http(404, [1]), "There is no Routiq server at http://"),
        (http(200, b"{" * 100_000, Content_Type="application/problem+json"), "There is no Routiq server at http://"),
        (http(204), "There is no Routiq server at http://"),
        (http(301, Location="https://routiq.example.com/healthz"), "redirects to https://routiq.example.com/ "),
        (http(308), "redirects (status 308)"),
        (http(401, b"", WWW_Authenticate="Basic"), "requires a login"),
        (http(403, b"<html>Cloudflare</html>"), "requires a login"),
        (http(503, b"<html>Maintenance</html>"), "can't reach the server behind it"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "does not use HTTP"),
        (b"", "does not use HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", "closes the connection"),
    ],
)
async def test_another_program_is_no_server(answer: bytes, found: str):
    """The finding says that another program is no Routiq server, or why that is unknown."""
    async with RawServer(lambda _number, _head: answer) as server:
        assert found in (await _address(server.base_url)).found


async def test_every_wait_has_a_limit():
    """A server that is silent does not block the command."""

    async def silence() -> bytes:
        await asyncio.Event().wait()
        return b""

    async with RawServer(lambda _number, _head: silence()) as server:
        assert "did not answer within 0.5 s" in (await _address(server.base_url, 0.5)).found


async def test_a_response_without_an_end_has_a_limit():
    """Of a server that sends forever, each response is read up to the limit, and the limit of time is not needed."""

    async def send(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n")
        with suppress(ConnectionError):
            while True:
                writer.write(b"<p>Welcome</p>" * 1_000)
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(send, "127.0.0.1", 0)
    async with server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        assert "There is no Routiq server" in (await _address(url)).found


async def test_it_goes_through_the_proxy_of_a_company(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """In a company's network, requests and the websocket use its proxy."""
    name = "routiq.example.com"
    certificate = write_certificate(tmp_path, "site", name)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    settings = settings.model_copy(update={"allowed_hosts": (name,)})
    async with Server(settings) as server, ConnectProxy(server.port, certificate) as proxy:
        monkeypatch.setenv("https_proxy", f"http://u:p%40@{proxy.name}")
        found = await _examine(f"https://{name}")
        assert {name for name, one in found.items() if one.result is not Result.OK} == {"preflight", "silence"}
    async with ConnectProxy(1, certificate, "502 Bad Gateway") as proxy:
        monkeypatch.setenv("https_proxy", f"http://{proxy.name}")
        assert f"The proxy {proxy.name} refused the request (502)" in (await _address(f"https://{name}")).found
