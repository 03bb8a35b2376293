"""GraphQL over websockets: ``graphql-transport-ws``, with corrections to Strawberry's handler.

Strawberry closes the socket without a reason for JSON that is no object, refuses ``connection_init`` with the payload
null, closes the socket of all operations over a syntax error or unknown operation name, and keeps a peer that stopped
reading for ever.
Source: graphql-ws, PROTOCOL.md.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any, Protocol, cast

from graphql import GraphQLError
from starlette.requests import HTTPConnection
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState
from strawberry.asgi import ASGIWebSocketAdapter
from strawberry.http.exceptions import NonTextMessageReceived, WebSocketDisconnected
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import BaseGraphQLTransportWSHandler
from strawberry.subscriptions.protocols.graphql_transport_ws.types import (
    ConnectionInitMessage,
    Message,
    PingMessage,
    SubscribeMessage,
)

from routiq_gql import metrics
from routiq_gql.api.auth import Authentication, Session
from routiq_gql.api.errors import log_fault, sentence_for_client
from routiq_gql.api.graphql.context import Context
from routiq_gql.api.graphql.limits import MAX_QUERY_CHARACTERS, TOO_LONG_A_DOCUMENT
from routiq_gql.api.graphql.messages import problem_of
from routiq_gql.api.graphql.shared.operations import SharedOperations
from routiq_gql.api.graphql.shared.socket import SocketSubscription
from routiq_gql.api.graphql.socket_limit import OpenSockets
from routiq_gql.api.graphql.trusted.documents import TrustedDocuments
from routiq_gql.api.json_text import UnreadableJson, read_json
from routiq_gql.api.services import services_of
from routiq_gql.api.streams import abort_connection, keep_connection
from routiq_gql.errors import Forbidden, RoutiqError, Unauthenticated
from routiq_gql.security.audit import Audit
from routiq_gql.serving.frames import FRAMES_EXTENSION, FrameWriter

MAX_REASON_BYTES = 123
"""The most bytes of a close frame's reason. Source: RFC 6455, 5.5."""

CLOSE_BAD_REQUEST, CLOSE_UNAUTHORIZED, CLOSE_FORBIDDEN, CLOSE_TRY_AGAIN_LATER = 4400, 4401, 4403, 1013
"""Source: graphql-ws, PROTOCOL.md and its client's list of codes that it does not retry; RFC 6455 and IANA for 1013."""

MAX_OPERATIONS = 50
"""The most open operations of a socket; a page with more live parts opens another socket."""
TOO_MANY_OPERATIONS = f"This websocket has {MAX_OPERATIONS} open operations, the maximum. End one of them first."


class SharingView(Protocol):
    """What the endpoint's view keeps for all its sockets."""

    open_sockets: OpenSockets
    shared: SharedOperations
    documents: TrustedDocuments


class SocketAdapter(ASGIWebSocketAdapter):
    """Sends no message after the end, cuts close reasons to size, and aborts a peer that reads nothing.

    Attributes:
        patience: Entered around the handler; runs out when the peer has stopped reading.
        is_handled: Whether the handler runs; the last frames may still wait for the peer afterwards.
        send_timeout: For how many seconds the peer may read nothing.
    """

    def __init__(self, view: Any, request: WebSocket, response: WebSocket) -> None:
        super().__init__(view, request, response)
        self.patience = asyncio.timeout(None)
        self.is_handled = True
        self.send_timeout: float = view.settings.send_timeout
        self._is_stalled = False

    async def iter_json(self, *, ignore_parsing_errors: bool = False) -> AsyncGenerator[object, None]:
        del ignore_parsing_errors
        with suppress(WebSocketDisconnect):
            while self.ws.application_state is not WebSocketState.DISCONNECTED:
                try:
                    message = read_json(await self.ws.receive_text())
                except KeyError:
                    raise NonTextMessageReceived from None
                except UnreadableJson as error:
                    await self.close(CLOSE_BAD_REQUEST, f"Invalid message: it {error.reason}")
                    return
                yield message

    async def send_json(self, message: Mapping[str, object]) -> None:
        if self._is_stalled or self.ws.application_state is not WebSocketState.CONNECTED:
            raise WebSocketDisconnected
        async with self._within_patience():
            try:
                await super().send_json(message)
            except WebSocketDisconnect as error:
                raise WebSocketDisconnected from error
        metrics.frame_sent("websocket")

    async def close(self, code: int, reason: str) -> None:
        if not self._is_stalled and self.ws.application_state is WebSocketState.CONNECTED:
            fitting = reason.encode("utf-8", "replace")[:MAX_REASON_BYTES].decode(errors="ignore")
            async with self._within_patience():
                with suppress(WebSocketDisconnect):  # the connection has ended
                    await super().close(code, fitting)

    @asynccontextmanager
    async def _within_patience(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self.send_timeout):
                yield
        except TimeoutError:
            self.give_up()
            raise WebSocketDisconnected from None

    def give_up(self) -> None:
        """Abort the connection of a peer that reads nothing, and end the handler."""
        if not self._is_stalled:  # several operations may reach this at the same time
            self._is_stalled = True
            abort_connection(self.ws.scope)  # a close frame would wait for the peer too
            metrics.peer_dropped("websocket")
            if self.is_handled:
                self.patience.reschedule(asyncio.get_running_loop().time())


class SocketHandler(BaseGraphQLTransportWSHandler[Context, None]):
    """One socket with all its operations."""

    _ending: asyncio.Task[None] | None = None
    _counted_for: str | None = None  # the organization

    async def handle(self) -> None:
        adapter = cast(SocketAdapter, self.websocket)
        try:
            async with adapter.patience:
                try:
                    await super().handle()
                finally:
                    adapter.is_handled = False
        except TimeoutError:
            if not adapter.patience.expired():
                raise
        finally:
            if self._ending is not None:
                self._ending.cancel()
            if self._counted_for is not None:
                self._open_sockets.remove(self._counted_for)

    async def handle_message(self, message: Message) -> None:
        # Unlike its annotation: the client may send any JSON.
        problem = problem_of(message)
        if problem is not None:
            await self.handle_invalid_message(problem)
            return
        await super().handle_message(message)
        cast(dict[str, object], message).clear()  # Strawberry's loop keeps it until the next message

    async def handle_connection_init(self, message: ConnectionInitMessage) -> None:
        payload = message.get("payload")
        if isinstance(payload, dict | None) and not self.connection_init_received:
            payload, authorization = _without_authorization(payload or {})
            try:
                if authorization is None:  # programs that can set headers may send it in the handshake
                    authorization = self._authentication.authorization_of(self._asking[0])
                session = await self._authentication.session_of(authorization, *self._asking)
                self._count(session.viewer.organization_id)
                self.context.session = session
            except RoutiqError as error:
                await self._refuse(error)
                return
            message = {"type": "connection_init", "payload": payload}
        await super().handle_connection_init(message)
        self.connection_init_timeout_task = None  # ended; an open socket keeps as little as possible
        if self.context.session is not None and self.context.session.can_end and self._ending is None:
            self._ending = asyncio.create_task(self._end_in_time(self.context.session), name="session")

    async def handle_ping(self, message: PingMessage) -> None:
        payload = message.get("payload")
        if payload is not None and self.context.session is not None:
            payload, authorization = _without_authorization(payload)
            if authorization is not None:
                try:
                    await self._authentication.renew(self.context.session, authorization, *self._asking)
                except RoutiqError as error:
                    await self._refuse(error, is_renewal=True)
                    return
        await self.send_message({"type": "pong", "payload": payload} if payload else {"type": "pong"})

    def _count(self, organization_id: str | None) -> None:
        """Count the socket for the organization, and reserve its connection.

        Raises:
            RateLimited: The organization is at a limit.
        """
        if organization_id is not None and self._counted_for is None:
            self._open_sockets.add(organization_id)
            self._counted_for = organization_id
        keep_connection(cast(SocketAdapter, self.websocket).ws.scope, organization_id)

    @property
    def _open_sockets(self) -> OpenSockets:
        return cast(SharingView, self.view).open_sockets

    @property
    def _authentication(self) -> Authentication:
        return services_of(cast(SocketAdapter, self.websocket).ws).authentication

    @property
    def _asking(self) -> tuple[HTTPConnection, Audit]:
        connection = cast(SocketAdapter, self.websocket).ws
        return connection, services_of(connection).runtime.audit

    async def _refuse(self, error: RoutiqError, *, is_renewal: bool = False) -> None:
        """Close with a code that decides whether clients reconnect: not after 4401, but after all others."""
        reason = error.message
        if isinstance(error, Unauthenticated) and not error.may_be_mended and not is_renewal:
            code = CLOSE_UNAUTHORIZED
        elif isinstance(error, Unauthenticated | Forbidden):
            code = CLOSE_FORBIDDEN
        else:
            code = CLOSE_TRY_AGAIN_LATER
            reason = sentence_for_client(error, transport="websocket")
        await self.websocket.close(code, reason)

    async def _end_in_time(self, session: Session) -> None:
        with suppress(WebSocketDisconnected):
            await self.websocket.close(CLOSE_FORBIDDEN, await session.until_over())

    async def handle_subscribe(self, message: SubscribeMessage) -> None:
        refusal = self._refusal_of(message)
        if refusal is not None and self.connection_acknowledged:
            await self.send_message({"id": message["id"], "type": "error", "payload": [refusal.formatted]})
            return
        with self.context.called_from(message["payload"].get("extensions")):
            if not self.connection_acknowledged or message["id"] in self.operations or not self._share(message):
                await super().handle_subscribe(message)

    def _share(self, message: SubscribeMessage) -> bool:
        """Make the subscription a part of a shared operation, if it can be shared."""
        adapter = cast(SocketAdapter, self.websocket)
        writer: FrameWriter | None = adapter.ws.scope.get("extensions", {}).get(FRAMES_EXTENSION)
        if writer is None:  # other web servers have no such extension
            return False
        subscription = SocketSubscription(self, message, writer, adapter)
        shared = cast(SharingView, self.view).shared
        operation = shared.operation_of(
            self.context, subscription.query, subscription.operation_name, subscription.variables
        )
        if operation is not None:
            self.operations[subscription.id] = subscription
            subscription.span = self.context.begin_span()
            subscription.join(operation)
        return operation is not None

    async def cleanup_operation(self, operation_id: str) -> None:
        operation = self.operations.get(operation_id)
        if isinstance(operation, SocketSubscription) and operation.shared is not None:
            del self.operations[operation_id]
            operation.leave()
        else:
            await super().cleanup_operation(operation_id)

    def _refusal_of(self, message: SubscribeMessage) -> GraphQLError | None:
        """The error that refuses this operation only; the socket and its other operations stay open."""
        payload = message["payload"]
        if len(payload.get("query") or "") > MAX_QUERY_CHARACTERS:
            return GraphQLError(TOO_LONG_A_DOCUMENT, extensions={"code": "BAD_USER_INPUT"})
        document = cast(SharingView, self.view).documents.document_of(payload)
        if isinstance(document, GraphQLError):
            return document if message["id"] not in self.operations else None
        payload["query"] = document or ""
        if len(self.operations) >= MAX_OPERATIONS and message["id"] not in self.operations:
            return GraphQLError(TOO_MANY_OPERATIONS, extensions={"code": "RATE_LIMITED"})
        return None

    async def handle_task_exception(self, error: Exception) -> None:
        if not isinstance(error, WebSocketDisconnected):
            log_fault(error, transport="websocket")

    @staticmethod
    def _get_pre_execution_close_reason(error: GraphQLError) -> str | None:
        del error
        return None  # never close the socket for the error of an operation


def _without_authorization(payload: Mapping[str, object]) -> tuple[dict[str, object], object]:
    """The payload without the token, which is not stored and never returned, and the value of ``Authorization``.

    The value is ``None`` without a token, and no valid token if the payload has several.
    """
    rest = {name: value for name, value in payload.items() if name.lower() != "authorization"}
    given = [value for name, value in payload.items() if name.lower() == "authorization"]
    return rest, given[0] if len(given) == 1 else "" if given else None
