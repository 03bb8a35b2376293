"""GraphQL over websockets: ``graphql-transport-ws``, with what Strawberry's handler gets wrong put right.

Put right: a frame that is JSON but no object closed the socket without a word, ``connection_init`` with a payload of
null was refused, and a syntax error or unknown operation name in one operation closed the socket for all.
Source: graphql-ws, PROTOCOL.md.
"""

from collections.abc import Mapping

from graphql import GraphQLError
from starlette.websockets import WebSocketState
from strawberry.asgi import ASGIWebSocketAdapter
from strawberry.http.exceptions import WebSocketDisconnected
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import BaseGraphQLTransportWSHandler
from strawberry.subscriptions.protocols.graphql_transport_ws.types import (
    ConnectionInitMessage,
    Message,
    SubscribeMessage,
)

from routiq_gql.api.errors import log_fault
from routiq_gql.api.graphql.context import Context

MAX_REASON_BYTES = 123
"""What a close frame has room for. Source: RFC 6455, 5.5."""

INVALID_MESSAGE = "Invalid message"


class SocketAdapter(ASGIWebSocketAdapter):
    """Sends nothing after the end, and reasons that fit."""

    async def send_json(self, message: object) -> None:
        if self.ws.application_state is not WebSocketState.CONNECTED:
            raise WebSocketDisconnected
        await super().send_json(message)  # type: ignore[arg-type]

    async def close(self, code: int, reason: str) -> None:
        if self.ws.application_state is WebSocketState.CONNECTED:
            await super().close(code, reason.encode()[:MAX_REASON_BYTES].decode(errors="ignore"))


class SocketHandler(BaseGraphQLTransportWSHandler[Context, None]):
    """One socket with all its operations."""

    async def handle_message(self, message: Message) -> None:
        # The annotation is a hope: this is whatever the client sent.
        if not isinstance(message, dict) or not _has_valid_members(message):
            await self.handle_invalid_message(INVALID_MESSAGE)
            return
        await super().handle_message(message)

    async def handle_connection_init(self, message: ConnectionInitMessage) -> None:
        if message.get("payload") is None:
            message = {"type": "connection_init", "payload": {}}
        await super().handle_connection_init(message)

    async def handle_subscribe(self, message: SubscribeMessage) -> None:
        if not _is_valid_request(message["payload"]):
            await self.handle_invalid_message(INVALID_MESSAGE)
            return
        await super().handle_subscribe(message)

    async def handle_task_exception(self, error: Exception) -> None:
        if not isinstance(error, WebSocketDisconnected):
            log_fault(error, transport="websocket")

    @staticmethod
    def _get_pre_execution_close_reason(error: GraphQLError) -> str | None:
        del error
        return None  # never close the socket for one operation's error


def _has_valid_members(message: Mapping[str, object]) -> bool:
    kind, operation_id = message.get("type"), message.get("id")
    if kind == "subscribe" or kind == "complete":
        return isinstance(operation_id, str) and operation_id != ""
    return isinstance(kind, str)


def _is_valid_request(payload: object) -> bool:
    return (
        isinstance(payload, dict)
        and isinstance(payload.get("query"), str)
        and isinstance(payload.get("operationName"), str | None)
        and isinstance(payload.get("variables"), dict | None)
        and isinstance(payload.get("extensions"), dict | None)
    )
