"""The websocket protocol, frame by frame."""

import json
from contextlib import suppress

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from routiq_gql.api.graphql import view
from routiq_gql.settings import Settings
from tests.emulated_cliniko import Cliniko
from tests.graphql_documents import PROGRESS, STATUS
from tests.server import Server, Socket, open_socket

QUERY = "{ __typename }"


async def test_a_connection_is_acknowledged_with_any_payload(bare_server: Server):
    """A connection is accepted with no payload, with null and with an object."""
    for message in [{}, {"payload": None}, {"payload": {}}, {"payload": {"Authorization": "Bearer x"}}]:
        async with open_socket(bare_server, init=False) as socket:
            await socket.init(**message)


async def test_queries_and_pings_are_answered(bare_server: Server):
    """A socket executes queries as well, and a ping gets a pong before and after connection_init."""
    async with open_socket(bare_server, init=False) as socket:
        await socket.send({"type": "ping"})
        assert (await socket.receive())["type"] == "pong"
        await socket.init()
        await socket.subscribe(QUERY)
        assert await socket.results() == [{"data": {"__typename": "Query"}}]
        await socket.send({"type": "pong"})
        await socket.send({"type": "ping", "payload": {"a": 1}})
        assert await socket.receive() == {"type": "pong", "payload": {"a": 1}}
        await socket.send({"type": "complete", "id": "nothing that is open"})
        await socket.subscribe(QUERY)
        assert await socket.results() == [{"data": {"__typename": "Query"}}]


BAD_FRAMES = [
    "3",
    "null",
    "[]",
    '"text"',
    "true",
    "{",
    "",
    "[" * 100_000,
    {},
    {"type": 3},
    {"type": ["ping"]},
    {"type": "x" * 500},
    {"type": "connection_init", "payload": 3},
    {"type": "subscribe"},
    {"type": "subscribe", "id": 1, "payload": {"query": QUERY}},
    {"type": "subscribe", "id": "", "payload": {"query": QUERY}},
    {"type": "subscribe", "id": "1", "payload": QUERY},
    {"type": "subscribe", "id": "1", "payload": None},
    {"type": "subscribe", "id": "1", "payload": {}},
    {"type": "subscribe", "id": "1", "payload": {"query": 3}},
    {"type": "subscribe", "id": "1", "payload": {"query": QUERY, "variables": 3}},
    {"type": "subscribe", "id": "1", "payload": {"query": QUERY, "operationName": 3}},
    {"type": "subscribe", "id": "1", "payload": {"query": QUERY, "extensions": 3}},
    {"type": "complete"},
    {"type": "complete", "id": 1},
    {"type": "ping", "payload": 3},
    {"type": "pong", "payload": []},
]


async def test_a_frame_that_is_no_message_closes_with_4400(bare_server: Server):
    """Any malformed frame closes the socket with a reason."""
    for frame in BAD_FRAMES:
        is_about_init = isinstance(frame, dict) and frame.get("type") == "connection_init"
        async with open_socket(bare_server, init=not is_about_init) as socket:
            await socket.send(frame)
            code, reason = await socket.closed()
        assert (code, bool(reason)) == (4400, True), frame


async def test_a_binary_frame_closes_with_4400(bare_server: Server):
    """The protocol is text."""
    async with open_socket(bare_server) as socket:
        await socket.send(json.dumps({"type": "ping"}).encode())
        assert (await socket.closed())[0] == 4400


@pytest.mark.parametrize("query", ["{", "{ nothing }", "query A { __typename } query A { __typename }", ""])
async def test_a_wrong_operation_does_not_affect_others(server: Server, cliniko: Cliniko, query: str):
    """An operation that can't be executed gets `error`; the socket's other operations continue."""
    cliniko.gate.hold("patients")
    sync_id = await server.start_sync()
    await cliniko.gate.reached()
    async with open_socket(server) as socket:
        await socket.subscribe(PROGRESS, "watch", id=sync_id)
        assert (await socket.receive())["id"] == "watch"
        await socket.subscribe(query, "wrong")
        frame = await socket.receive()
        while frame["id"] == "watch":
            frame = await socket.receive()
        assert (frame["id"], frame["type"]) == ("wrong", "error")
        assert frame["payload"][0]["extensions"]["code"] == "BAD_USER_INPUT"
        cliniko.gate.open()
        states = await socket.results("watch")
    assert states[-1]["data"]["syncProgress"]["status"] == "COMPLETED"


async def test_an_unknown_operation_name_is_an_error_of_the_operation(bare_server: Server):
    """The socket stays open."""
    async with open_socket(bare_server) as socket:
        payload = {"query": "query A { __typename } query B { __typename }", "operationName": "C"}
        await socket.send({"id": "1", "type": "subscribe", "payload": payload})
        frame = await socket.receive()
        assert (frame["type"], frame["payload"][0]["message"]) == ("error", 'Unknown operation named "C".')
        assert frame["payload"][0]["extensions"]["code"] == "BAD_USER_INPUT"
        await socket.subscribe(QUERY)
        assert await socket.results() == [{"data": {"__typename": "Query"}}]


async def test_an_error_while_executing_is_a_result(bare_server: Server):
    """A query for an unknown sync has a result with the error in it."""
    async with open_socket(bare_server) as socket:
        await socket.subscribe(STATUS, id="sync_nobody_20241222_143022")
        (result,) = await socket.results()
    assert result["data"] == {"syncStatus": None}
    assert result["errors"][0]["extensions"]["code"] == "SYNC_NOT_FOUND"


async def test_the_order_of_messages_is_kept(server: Server, cliniko: Cliniko):
    """A message before connection_init, a second connection_init, or a duplicate id closes the socket."""
    async with open_socket(server, init=False) as socket:
        await socket.subscribe(QUERY)
        assert await socket.closed() == (4401, "Unauthorized")
    async with open_socket(server) as socket:
        await socket.send({"type": "connection_init"})
        assert (await socket.closed())[0] == 4429
    cliniko.gate.hold("patients")
    sync_id = await server.start_sync()
    async with open_socket(server) as socket:
        await socket.subscribe(PROGRESS, "x" * 500, id=sync_id)
        await socket.subscribe(PROGRESS, "x" * 500, id=sync_id)
        assert (await _closed_after_results(socket))[0] == 4409


async def test_a_client_that_never_greets_is_sent_away(settings: Settings, monkeypatch: pytest.MonkeyPatch):
    """A socket without connection_init is closed after five seconds (shortened here), and its place is free again."""
    assert view.CONNECTION_INIT_SECONDS == 5
    monkeypatch.setattr(view, "CONNECTION_INIT_SECONDS", 0.1)
    async with Server(settings) as server, open_socket(server, init=False) as socket:
        assert (await socket.closed())[0] == 4408


async def test_other_protocols_are_refused(bare_server: Server):
    """Only graphql-transport-ws is supported; the older protocol is refused."""
    for protocols in [["graphql-ws"], ["mqtt"], None]:
        async with connect(bare_server.socket_url, subprotocols=protocols) as connection:
            assert (await Socket(connection).closed())[0] == 4406


async def test_frames_are_not_compressed(bare_server: Server):
    """Frames are not compressed, as that would cost memory for each socket."""
    async with open_socket(bare_server, compression="deflate") as socket:
        assert socket.connection.protocol.extensions == []


async def test_a_page_elsewhere_cannot_open_a_socket(bare_server: Server):
    """A page of another site gets an HTTP response that names the setting."""
    with pytest.raises(InvalidStatus) as refused:
        await connect(bare_server.socket_url, subprotocols=["graphql-transport-ws"], origin="https://evil.example")
    assert refused.value.response.status_code == 403
    assert b"ROUTIQ_ALLOWED_ORIGINS" in refused.value.response.body


async def test_other_addresses_have_no_sockets(bare_server: Server):
    """A handshake at another address is refused."""
    with pytest.raises(InvalidStatus):
        await connect(bare_server.socket_url.replace("/graphql", "/healthz"))


async def _closed_after_results(socket: Socket) -> tuple[int | None, str | None]:
    with suppress(ConnectionClosed):
        async for _frame in socket.connection:
            pass
    return await socket.closed()
