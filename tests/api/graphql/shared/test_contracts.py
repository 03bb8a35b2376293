"""The parts of other packages that shared operations rely on. If an upgrade moves one, this says which."""

import inspect

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send
from strawberry.http.async_base_view import AsyncBaseHTTPView
from strawberry.http.streaming import HTTPStreamTransport
from strawberry.schema import Schema
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import BaseGraphQLTransportWSHandler, Operation
from strawberry.types.execution import PreExecutionError, SubscriptionExecutionResult
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from routiq_gql.api.graphql.shared.stream import StreamSubscription
from routiq_gql.api.graphql.transports import EventStreamTransport
from routiq_gql.serving.frames import FRAMES_EXTENSION, DirectFrames
from routiq_gql.serving.uvicorn_protocols import SocketProtocol
from routiq_gql.settings import Settings
from tests.emulated_cliniko import Cliniko
from tests.fixtures import EMULATED_API_KEY
from tests.graphql_documents import PROGRESS
from tests.server import Server, open_socket


def _parameters(function: object) -> list[str]:
    return list(inspect.signature(function).parameters)  # type: ignore[arg-type]


def test_strawberrys_operation_of_a_socket_can_be_replaced():
    """An operation has these parameters, and its handler has a task for it, unless the operation has none."""
    assert _parameters(Operation) == ["handler", "id", "query", "variables", "operation_name"]
    assert {"task", "completed"} <= set(Operation.__slots__)
    for name in ("run_operation", "forget_id", "cleanup_operation", "_task_done", "handle_subscribe"):
        assert callable(getattr(BaseGraphQLTransportWSHandler, name))
    assert "if op.task" in inspect.getsource(BaseGraphQLTransportWSHandler.shutdown)


def test_strawberrys_view_takes_another_source_of_a_stream():
    """A result that can be iterated becomes a streamed response, by a method that we replace."""
    assert isinstance(StreamSubscription(EventStreamTransport(), str), SubscriptionExecutionResult)
    expected = ["self", "request", "result", "protocol", "sub_response"]
    assert _parameters(AsyncBaseHTTPView._create_streaming_response) == expected
    assert _parameters(HTTPStreamTransport.encode_next) == ["self", "response", "encode_json"]


def test_strawberrys_stream_yields_refusals():
    """``Schema.stream`` takes a context, and yields refusals as results."""
    assert {"query", "variable_values", "context_value", "operation_name"} <= set(_parameters(Schema.stream))
    assert "errors" in PreExecutionError.__dataclass_fields__


def test_uvicorns_protocol_says_when_a_peer_reads():
    """The protocol is told to pause and resume by the transport, and keeps the state of both."""
    for name in ("pause_writing", "resume_writing", "connection_lost"):
        assert callable(getattr(WebSocketsSansIOProtocol, name))
    for source in ("self.writable = asyncio.Event()", "self.conn = ServerProtocol("):
        assert source in inspect.getsource(WebSocketsSansIOProtocol.__init__)


async def test_our_server_writes_frames(settings: Settings, monkeypatch: pytest.MonkeyPatch):
    """With the installed versions, sockets offer the writer; if it is missing, nothing is shared and all works."""
    offered: list[bool] = []
    can_write = DirectFrames.can_write_frames

    def noted(self: SocketProtocol) -> bool:
        offered.append(can_write.__get__(self))
        return offered[-1]

    monkeypatch.setattr(DirectFrames, "can_write_frames", property(noted))
    async with Server(settings) as server, open_socket(server):
        pass
    assert offered == [True]


async def test_another_web_server_serves_subscriptions_too(settings: Settings, cliniko: Cliniko):
    """Without the writer of our server, each subscription is executed by Strawberry, to its end."""

    def without_frames(app: ASGIApp) -> ASGIApp:
        async def other(scope: Scope, receive: Receive, send: Send) -> None:
            extensions = scope.get("extensions", {})
            scope["extensions"] = {name: value for name, value in extensions.items() if name != FRAMES_EXTENSION}
            await app(scope, receive, send)

        return other

    cliniko.gate.hold("patients")
    async with Server(settings, around=without_frames) as server:
        await server.connect_organization(cliniko.base_url, EMULATED_API_KEY)
        sync_id = await server.start_sync()
        await cliniko.gate.reached()
        async with open_socket(server) as socket, open_socket(server) as other:
            for one in (socket, other):
                await one.subscribe(PROGRESS, id=sync_id)
                assert (await one.receive())["type"] == "next"
            cliniko.gate.open()
            for one in (socket, other):
                *_, last = await one.results()
                assert last["data"]["syncProgress"]["status"] == "COMPLETED"
        await server.without_watchers()
