"""Peers that stop reading: they are disconnected, counted, and leave nothing behind."""

import asyncio
import base64
import gc
import json
import os
import re
import socket
from collections.abc import AsyncIterator
from dataclasses import replace
from urllib.parse import urlsplit

import pytest
from starlette.requests import Request
from starlette.routing import Route
from structlog.testing import capture_logs
from websockets.frames import Frame, Opcode

from routiq_gql.api.graphql.shared.socket import SocketSubscription
from routiq_gql.api.graphql.sockets import MAX_OPERATIONS
from routiq_gql.api.streams import StreamResponse
from routiq_gql.emulator import EMULATED_API_KEY
from routiq_gql.metrics import REGISTRY
from routiq_gql.security.viewer import LOCAL_OPERATOR
from routiq_gql.serving import server as server_module
from routiq_gql.settings import Settings
from tests.emulated_cliniko import Cliniko
from tests.graphql_documents import PROGRESS, UPDATES
from tests.server import Server
from tests.waiting import LIMIT_SECONDS, until

SMALL_BUFFER_BYTES = 4096
CHANGES = 3_000
"""Some 3 MB of statuses."""
BIG_ANSWER = f"{{ {'a' * 60_000}: __typename }}"  # the response includes the name


def _dropped(transport: str) -> float:
    return REGISTRY.get_sample_value("routiq_peers_dropped_total", {"transport": transport}) or 0


PLAIN = re.sub(r"unreadableRows \{.*?\}|(steps|startedBy|cancelledBy) \{.*?\}", "", PROGRESS)
"""A document that is compiled, while the ordinary executor serves ``PROGRESS``.

First states of ``MAX_OPERATIONS`` subscriptions fit into a connection with a small buffer, their last states don't.
"""


def _deaf_connection(server: Server) -> socket.socket:
    """A connection with little room for unread data."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER_BYTES)
    connection.settimeout(LIMIT_SECONDS)
    address = urlsplit(server.url)
    connection.connect((address.hostname, address.port))
    return connection


@pytest.fixture
async def impatient_server(settings: Settings) -> AsyncIterator[Server]:
    """A server that waits for a tenth of a second instead of 30 s."""
    assert Settings.model_fields["send_timeout"].default == 30
    impatient = settings.model_copy(update={"send_timeout": 0.1})
    async with Server(impatient, extra_routes=[Route("/flood", _flood)]) as server:
        yield server


def greet(connection: socket.socket) -> None:
    """Open a websocket by hand and stop reading right after connection_ack."""
    key = base64.b64encode(os.urandom(16)).decode()
    connection.sendall(
        f"GET /graphql HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n"
        "Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n".encode()
    )
    _read_until(connection, b"\r\n\r\n")
    send(connection, {"type": "connection_init"})
    _read_until(connection, b"connection_ack")


def send(connection: socket.socket, message: object) -> None:
    """A text frame, masked as required from clients."""
    frame = Frame(Opcode.TEXT, json.dumps(message).encode())
    connection.sendall(frame.serialize(mask=True))


def _read_until(connection: socket.socket, end: bytes) -> bytes:
    text = b""
    while end not in text:
        piece = connection.recv(65536)
        assert piece, f"closed after {text[-200:]!r}"
        text += piece
    return text


def _versions_until(connection: socket.socket, last: int) -> list[int]:
    """Versions of the received statuses, up to and including ``last``."""
    text = _read_until(connection, f'"version":{last},'.encode())
    return [int(number) for number in re.findall(rb'"version":(\d+),', text)]


async def _was_reset(connection: socket.socket) -> bool:
    def read() -> bool:
        try:
            while connection.recv(65536):
                pass
        except ConnectionResetError:
            return True
        return False

    return await asyncio.to_thread(read)


async def _flood(_request: Request) -> StreamResponse:
    async def pieces() -> AsyncIterator[bytes]:
        while True:
            yield b": " + b"x" * 65536 + b"\n\n"

    return StreamResponse(pieces(), heartbeat=None, send_timeout_seconds=0.1)


async def test_a_stream_without_a_reader_is_closed(impatient_server: Server):
    """A browser that reads nothing for half a minute (shortened here) is disconnected."""
    before = _dropped("sse")
    with _deaf_connection(impatient_server) as deaf, capture_logs() as logs:
        deaf.sendall(b"GET /flood HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await until(lambda: _dropped("sse") == before + 1)
        await until(lambda: any(line["event"] == "request_ended" for line in logs))
        assert await _was_reset(deaf)


async def test_a_socket_without_a_reader_is_closed_with_its_subscriptions(impatient_server: Server):
    """A socket whose peer has stopped reading is reset, and its subscriptions read nothing more from the database."""
    server = impatient_server
    before = _dropped("websocket")
    with capture_logs() as logs, _deaf_connection(server) as deaf:
        await asyncio.to_thread(greet, deaf)
        send(deaf, {"id": "watch", "type": "subscribe", "payload": {"query": UPDATES, "variables": {"id": "org_1"}}})
        await until(lambda: len(server.runtime.syncs.subscriptions) == 1)
        is_reset = False
        for number in range(10):
            asked = {"id": str(number), "type": "subscribe", "payload": {"query": BIG_ANSWER}}
            try:
                await asyncio.to_thread(send, deaf, asked)
            except ConnectionResetError:  # reported once: by the next send, or by a read
                is_reset = True
                break
        await until(lambda: _dropped("websocket") == before + 1)
        await server.without_watchers()
        await until(lambda: any(line["event"] == "socket_ended" for line in logs))
        assert is_reset or await _was_reset(deaf)
    assert _dropped("websocket") == before + 1


async def test_a_peer_that_answers_no_ping_is_found(settings: Settings, monkeypatch: pytest.MonkeyPatch):
    """The socket of a closed laptop is reset after two pings (shortened here), and leaves no watcher behind."""
    monkeypatch.setattr(server_module, "PING_SECONDS", 0.2)
    async with Server(settings) as server:
        with _deaf_connection(server) as gone:
            await asyncio.to_thread(greet, gone)
            variables = {"id": "org_1"}
            send(gone, {"id": "1", "type": "subscribe", "payload": {"query": UPDATES, "variables": variables}})
            await until(lambda: len(server.runtime.syncs.subscriptions) == 1)
            await server.without_watchers()
            assert await _was_reset(gone)


async def test_a_subscriber_that_stops_reading_is_disconnected(settings: Settings, cliniko: Cliniko):
    """A browser that stops reading in the middle of a sync is disconnected; the server keeps nothing for it."""
    before = _dropped("websocket")
    cliniko.gate.hold("patients")
    async with Server(settings.model_copy(update={"send_timeout": 0.3})) as server:
        await server.connect_organization(cliniko.base_url, EMULATED_API_KEY)
        sync_id = await server.start_sync()
        await cliniko.gate.reached()
        with _deaf_connection(server) as deaf:
            await asyncio.to_thread(greet, deaf)
            send(deaf, {"id": "1", "type": "subscribe", "payload": {"query": PLAIN, "variables": {"id": sync_id}}})
            await until(lambda: len(server.runtime.syncs.subscriptions) == 1)
            snapshot = await server.runtime.syncs.status(LOCAL_OPERATOR, sync_id)

            def is_dropped_after_more_states() -> bool:
                nonlocal snapshot
                for _ in range(100):
                    snapshot = replace(snapshot, version=snapshot.version + 1)
                    server.runtime.bus.publish(snapshot)
                return _dropped("websocket") == before + 1

            await until(is_dropped_after_more_states)
            await server.without_watchers()
            assert await _was_reset(deaf)


async def test_a_socket_that_closes_without_reading_the_end_is_reset(settings: Settings, cliniko: Cliniko):
    """A browser that closes its socket, but never reads how its sync ended, is reset without a fault."""
    faults: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context))
    before = _dropped("websocket")
    cliniko.gate.hold("patients")
    async with Server(settings.model_copy(update={"send_timeout": 0.3})) as server:
        await server.connect_organization(cliniko.base_url, EMULATED_API_KEY)
        sync_id = await server.start_sync()
        await cliniko.gate.reached()
        with _deaf_connection(server) as deaf:
            await asyncio.to_thread(greet, deaf)
            asked = {"query": PLAIN, "variables": {"id": sync_id}}
            for number in range(MAX_OPERATIONS):  # their last states fill the connection, up to a frame “complete”
                send(deaf, {"id": str(number), "type": "subscribe", "payload": asked})
            await until(lambda: len(server.runtime.syncs.subscriptions) == MAX_OPERATIONS)
            snapshot = await server.runtime.syncs.status(LOCAL_OPERATOR, sync_id)
            last = replace(snapshot, version=snapshot.version + 1, completed_at=snapshot.started_at)
            server.runtime.bus.publish(last)
            await until(lambda: 0 < len(server.runtime.syncs.subscriptions) < MAX_OPERATIONS)
            deaf.sendall(Frame(Opcode.CLOSE, b"\x03\xe8").serialize(mask=True))
            await until(lambda: _dropped("websocket") == before + 1)
            await server.without_watchers()
            assert await _was_reset(deaf)
        cliniko.gate.open()
    assert faults == []


async def test_subscriptions_that_a_deaf_client_ends_are_forgotten(server: Server, cliniko: Cliniko):
    """A program that begins and ends subscriptions again and again, and reads nothing, takes no more memory."""
    cliniko.gate.hold("patients")
    sync_id = await server.start_sync()
    await cliniko.gate.reached()
    asked = {"query": PLAIN, "variables": {"id": sync_id}}
    snapshot = await server.runtime.syncs.status(LOCAL_OPERATOR, sync_id)
    with _deaf_connection(server) as deaf:
        await asyncio.to_thread(greet, deaf)
        send(deaf, {"id": "first", "type": "subscribe", "payload": asked})
        await until(lambda: len(server.runtime.syncs.subscriptions) == 1)
        for version in range(snapshot.version + 1, snapshot.version + 500):
            server.runtime.bus.publish(replace(snapshot, version=version))
        for _ in range(20):
            send(deaf, {"id": "again", "type": "subscribe", "payload": asked})
            await until(lambda: len(server.runtime.syncs.subscriptions) == 2)
            await asyncio.sleep(0.02)  # its first state waits for the client
            send(deaf, {"id": "again", "type": "complete"})
            await until(lambda: len(server.runtime.syncs.subscriptions) == 1)
        assert sum(type(one) is SocketSubscription for one in gc.get_objects()) < 5


@pytest.mark.parametrize("document", [PROGRESS, PLAIN])
async def test_a_slow_reader_gets_the_newest_state(server: Server, cliniko: Cliniko, document: str):
    """A browser that missed thousands of changes gets the last, and few before it."""
    cliniko.gate.hold("patients")
    sync_id = await server.start_sync()
    await cliniko.gate.reached()
    bus = server.runtime.bus
    with _deaf_connection(server) as sleeper:
        await asyncio.to_thread(greet, sleeper)
        variables = {"id": sync_id}
        send(sleeper, {"id": "1", "type": "subscribe", "payload": {"query": document, "variables": variables}})
        await until(lambda: len(server.runtime.syncs.subscriptions) == 1)
        snapshot = await server.runtime.syncs.status(LOCAL_OPERATOR, sync_id)
        for version in range(snapshot.version + 1, snapshot.version + CHANGES + 1):
            bus.publish(replace(snapshot, version=version))
            await asyncio.sleep(0)  # let readers run
        versions = await asyncio.to_thread(_versions_until, sleeper, snapshot.version + CHANGES)
    assert versions == sorted(set(versions))
    assert len(versions) < CHANGES / 4


async def test_a_socket_that_is_closing_does_not_fail_the_shutdown(settings: Settings):
    """A server stops in order although a browser that closed its socket has not read the last messages."""
    with capture_logs() as logs:
        async with Server(settings) as server:
            with _deaf_connection(server) as leaving:
                await asyncio.to_thread(greet, leaving)
                for number in range(4):
                    send(leaving, {"id": str(number), "type": "subscribe", "payload": {"query": BIG_ANSWER}})
                leaving.sendall(Frame(Opcode.CLOSE, b"\x03\xe8").serialize(mask=True))
                await until(lambda: any(line["event"] == "socket_ended" for line in logs))
                await server.stop()  # raises the error of a failed shutdown
    assert [line for line in logs if line["log_level"] == "error"] == []
