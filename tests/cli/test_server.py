"""Listening and stopping: refused addresses, and the end of serving."""

import asyncio
import os
import signal
import socket

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route

from routiq_gql.errors import SettingsError
from routiq_gql.serving import server
from routiq_gql.serving.server import listen_on_loopback, serve


async def _hello(_request: Request) -> PlainTextResponse:
    return PlainTextResponse("hello")


async def _endless(_request: Request) -> StreamingResponse:
    async def body():
        yield b"first\n"
        await asyncio.Event().wait()

    return StreamingResponse(body())


APP = Starlette(routes=[Route("/", _hello), Route("/endless", _endless)])


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "0"])
def test_an_address_that_others_can_reach_is_refused(host: str):
    """Without authentication, only programs on this machine have access."""
    with pytest.raises(SettingsError, match=r"ROUTIQ_AUTH=off.*--host 127\.0\.0\.1"):
        listen_on_loopback(host, 0)


def test_a_name_that_resolves_elsewhere_is_refused(monkeypatch: pytest.MonkeyPatch):
    """A host name is judged by all addresses it resolves to."""
    local = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 0))
    elsewhere = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.7", 0))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_a, **_k: [local, elsewhere])
    with pytest.raises(SettingsError, match="reached from other machines"):
        listen_on_loopback("localhost.example.com", 0)


def test_an_unknown_host_is_refused(monkeypatch: pytest.MonkeyPatch):
    """A mistyped host name gets a sentence, not a traceback."""

    def unknown(*_arguments: object, **_options: object) -> None:
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(SettingsError, match="There is no host"):
        listen_on_loopback("nowhere.invalid", 0)


def test_a_port_in_use_is_named_and_a_free_one_suggested():
    """The error of a second server on the same port suggests a command, which works."""
    first = listen_on_loopback("127.0.0.1", 0)
    try:
        with pytest.raises(SettingsError, match=rf"Port {first.port} on 127\.0\.0\.1 is in use") as refused:
            listen_on_loopback("127.0.0.1", first.port)
        suggested = int(refused.value.message.partition("--port ")[2].partition("`")[0])
        listen_on_loopback("127.0.0.1", suggested).close()
    finally:
        first.close()


def test_localhost_listens_under_one_port():
    """All addresses of a name use the announced port."""
    listener = listen_on_loopback("localhost", 0)
    try:
        assert {opened.getsockname()[1] for opened in listener.sockets} == {listener.port}
        assert listener.url == f"http://localhost:{listener.port}"
    finally:
        listener.close()


async def test_a_connection_without_a_reader_is_ended(monkeypatch: pytest.MonkeyPatch):
    """A frozen browser keeps no connection forever, not even a connection that is closed on our side."""
    monkeypatch.setattr(server, "STALLED_SECONDS", 1)
    listener = listen_on_loopback("127.0.0.1", 0)
    lost: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()

    class Closing(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            transport.write(b"x" * 20_000_000)  # far more than the buffers of both sides hold
            transport.close()

        def connection_lost(self, exc: Exception | None) -> None:
            lost.set_result(exc)

    serving = await asyncio.get_running_loop().create_server(Closing, sock=listener.sockets[0])
    async with asyncio.timeout(30), serving:
        with socket.create_connection(("127.0.0.1", listener.port)):
            assert isinstance(await lost, TimeoutError)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_ends_serving_also_while_a_stream_is_open(number: signal.Signals):
    """Ctrl-C stops the server despite an open stream, and restores the signal handlers."""
    before = signal.getsignal(number)
    listener = listen_on_loopback("127.0.0.1", 0)
    started = asyncio.Event()
    cancelled = asyncio.Event()

    async def alongside() -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    serving = asyncio.create_task(serve(APP, listener, grace_seconds=0, alongside=alongside))
    async with asyncio.timeout(30), httpx.AsyncClient(base_url=listener.url) as client:
        await started.wait()
        assert (await client.get("/")).text == "hello"
        async with client.stream("GET", "/endless") as stream:
            assert await anext(stream.aiter_text()) == "first\n"
            os.kill(os.getpid(), number)
            await serving
    assert cancelled.is_set()
    assert signal.getsignal(number) == before
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", listener.port), timeout=5)


async def test_an_error_alongside_stops_the_server_and_rises():
    """An error in the ``alongside`` task is not swallowed."""

    async def alongside() -> None:
        raise ZeroDivisionError

    async with asyncio.timeout(30):
        with pytest.raises(ZeroDivisionError):
            await serve(APP, listen_on_loopback("127.0.0.1", 0), grace_seconds=0, alongside=alongside)
