"""A websocket's part of a shared operation: writes finished frames, without a task per subscription."""

import asyncio
import json
from typing import TYPE_CHECKING, Protocol

from graphql import GraphQLError
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import (
    BaseGraphQLTransportWSHandler,
    Operation,
)
from strawberry.subscriptions.protocols.graphql_transport_ws.types import SubscribeMessage

from routiq_gql import metrics
from routiq_gql.api.graphql.context import Context
from routiq_gql.api.graphql.shared.operations import AnyOperation
from routiq_gql.api.graphql.shared.payload import Payload
from routiq_gql.serving.frames import FrameWriter, text_frame

if TYPE_CHECKING:
    from routiq_gql.tracing.spans import OperationSpan


class Peer(Protocol):
    """The client at the other end of a socket.

    Attributes:
        send_timeout: For how many seconds it may read nothing.
    """

    send_timeout: float

    def give_up(self) -> None:
        """Abort the connection, since the client reads nothing."""


class SocketSubscription(Operation[Context, None]):
    """A subscription by ``graphql-transport-ws``.

    Attributes:
        shared: The operation; ``None`` before it is joined, and if the subscription is executed alone.
        span: As of every subscriber.
    """

    __slots__ = ("_head", "_last", "_peer", "_timer", "_writer", "shared", "span")

    def __init__(
        self,
        handler: BaseGraphQLTransportWSHandler[Context, None],
        message: SubscribeMessage,
        writer: FrameWriter,
        peer: Peer,
    ) -> None:
        payload = message["payload"]
        super().__init__(
            handler, message["id"], payload["query"], payload.get("variables"), payload.get("operationName")
        )
        self.shared: AnyOperation | None = None
        self.span: OperationSpan | None = None
        self._head = b'{"id":%b,"type":"next","payload":' % json.dumps(self.id).encode()
        self._writer = writer
        self._peer = peer
        self._last: bytes | None = None
        self._timer: asyncio.TimerHandle | None = None

    def join(self, operation: AnyOperation) -> None:
        """Become a part of ``operation``, and of its request: a watcher keeps no copy of the document."""
        self.shared = operation
        self.query, self.variables = operation.machinery.document, operation.machinery.variables
        operation.join(self)

    def show(self, payload: Payload) -> bool:
        return self._write(payload.form(self.id, self._next_frame))

    def finish(self) -> None:
        self._send_last({"id": self.id, "type": "complete"})

    def refuse(self, errors: list[GraphQLError]) -> None:
        self._send_last({"id": self.id, "type": "error", "payload": [error.formatted for error in errors]})

    def execute_alone(self) -> None:
        self.shared = None
        self.task = asyncio.create_task(self.handler.run_operation(self))
        self.task.add_done_callback(self.handler._task_done)

    def leave(self) -> None:
        """End without another frame, as the client has left or unsubscribed."""
        self._last = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._writer.forget(self._continue)
        if self.shared is not None:
            self.shared.leave(self)

    def _send_last(self, message: dict[str, object]) -> None:
        self.completed = True
        self.handler.forget_id(self.id)  # the client may use the id again as soon as it reads the frame
        frame = text_frame(json.dumps(message, separators=(",", ":")).encode())
        if not self._write(frame):
            self._last = frame

    def _next_frame(self, result: bytes) -> bytes:
        return text_frame(self._head, result, b"}")

    def _write(self, frame: bytes) -> bool:
        if self._timer is not None:
            return False
        if not self._writer.write_frame(frame):
            self._timer = asyncio.get_running_loop().call_later(self._peer.send_timeout, self._peer.give_up)
            self._writer.when_writable(self._continue)
            return False
        metrics.frame_sent("websocket")
        return True

    def _continue(self) -> None:
        if self._timer is None:
            return  # it has left
        self._timer.cancel()
        self._timer = None
        if self._last is not None:
            self._write(self._last)
        elif self.shared is not None:
            self.shared.on_ready(self)
