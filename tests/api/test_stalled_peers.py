"""Peers that stop reading without a word: they are given up, counted, and leave nothing behind."""

import asyncio
import socket
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest
from starlette.requests import Request
from starlette.routing import Route
from structlog.testing import capture_logs

from routiq_gql.api import streams
from routiq_gql.api.graphql import sockets
from routiq_gql.api.streams import StreamResponse
from routiq_gql.metrics import REGISTRY
from routiq_gql.settings import Settings
from tests.api.graphql.documents import UPDATES
from tests.api.serving import Server, open_socket, until

SMALL_BUFFER_BYTES = 4096
BIG_ANSWER = f"{{ {'a' * 200_000}: __typename }}"  # the name comes back in the answer


def _dropped(transport: str) -> float:
    return REGISTRY.get_sample_value("routiq_peers_dropped_total", {"transport": transport}) or 0


def _deaf_connection(server: Server) -> socket.socket:
    """A connection that has little room for what nobody reads."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER_BYTES)
    address = urlsplit(server.url)
    connection.connect((address.hostname, address.port))
    return connection


async def _flood(_request: Request) -> StreamResponse:
    async def pieces() -> AsyncIterator[bytes]:
        while True:
            yield b": " + b"x" * 65536 + b"\n\n"

    return StreamResponse(pieces(), heartbeat_seconds=0)


async def test_a_deaf_stream_is_given_up(settings: Settings, monkeypatch: pytest.MonkeyPatch):
    """A browser that takes nothing for half a minute, shorter here, is no longer served."""
    assert streams.SEND_TIMEOUT_SECONDS == 30
    monkeypatch.setattr(streams, "SEND_TIMEOUT_SECONDS", 0.1)
    before = _dropped("sse")
    async with Server(settings, extra_routes=[Route("/flood", _flood)]) as server:
        with _deaf_connection(server) as deaf, capture_logs() as logs:
            deaf.sendall(b"GET /flood HTTP/1.1\r\nHost: localhost\r\n\r\n")
            await until(lambda: _dropped("sse") == before + 1)
            await until(lambda: any(line["event"] == "request_ended" for line in logs))


async def test_a_deaf_socket_is_given_up_with_all_that_it_watches(bare_server: Server, monkeypatch: pytest.MonkeyPatch):
    """A socket whose peer has stopped reading ends; nothing is read from the database for it any more."""
    assert sockets.SEND_TIMEOUT_SECONDS == 30
    monkeypatch.setattr(sockets, "SEND_TIMEOUT_SECONDS", 0.1)
    before = _dropped("websocket")
    with capture_logs() as logs:
        async with open_socket(bare_server, sock=_deaf_connection(bare_server), max_queue=1) as deaf:
            await deaf.subscribe(UPDATES, "watch", id="org_1")
            await until(lambda: bare_server.runtime.bus.watcher_count == 1)

            async def ask() -> None:
                for number in range(60):
                    await deaf.subscribe(BIG_ANSWER, str(number))

            asking = asyncio.create_task(ask())
            await until(lambda: _dropped("websocket") == before + 1)
            await bare_server.without_watchers()
            await until(lambda: any(line["event"] == "socket_ended" for line in logs))
            deaf.connection.transport.abort()  # its own goodbye would wait for us to read
            asking.cancel()
            await asyncio.wait({asking})
    assert _dropped("websocket") == before + 1
