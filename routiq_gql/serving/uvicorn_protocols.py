"""Uvicorn's protocols, made hard to hurt by peers that stop reading, or sending.

On uvicorn as it comes, a peer that doesn't read holds some 4 MB in the kernel's buffers; then sending to it, and
closing it, wait for ever. Here little is kept for anyone, and the application can end a connection without a goodbye,
through ``scope["extensions"]``. Peers that don't send are the business of ``request_deadline``.
"""

import asyncio
import socket
from collections.abc import Callable
from functools import partial
from typing import Any, cast

import h11
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn._types import ASGISendEvent
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState as UvicornState
from websockets.http11 import Response

from routiq_gql.serving.connection_table import Phase, ServerState, abort
from routiq_gql.serving.request_deadline import RequestDeadline
from routiq_gql.serving.socket_endings import CleanEnding

ABORT_EXTENSION = "routiq.abort"
"""Under this name ``scope["extensions"]`` has a function that ends the connection at once."""

KEEP_EXTENSION = "routiq.keep"
"""Under this name there is a function to be called before a connection is held open for long, with the organization
that holds it, if one does. It returns ``False`` if that one holds as many as it may. A websocket never gives way to new
connections afterwards."""

UNSENT_BYTES = 16 * 1024
"""Kept in the kernel for one connection before it counts as full; what was sent and not yet confirmed comes on top, so
that a fast connection with a long way stays fast."""
BUFFERED_BYTES = 32 * 1024
"""Kept in the process for one connection before whoever sends has to wait."""


class HttpProtocol(RequestDeadline, H11Protocol):
    """HTTP/1.1."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        _keep_little(transport)
        self.app = _extended(
            cast(ASGIApp, self.app), {ABORT_EXTENSION: partial(abort, transport), KEEP_EXTENSION: self._keep}
        )

    def _keep(self, holder: str | None) -> bool:
        return holder is None or self.server_state.table.hold(self.transport, holder)

    def is_receiving(self) -> bool:
        state = self.conn.their_state
        return state is h11.SEND_BODY or (state is h11.IDLE and self.conn.trailing_data[0] != b"")


class SocketProtocol(CleanEnding):
    """Websockets."""

    def __init__(self, config: Config, server_state: UvicornState, app_state: dict[str, Any], *rest: Any) -> None:
        super().__init__(config, server_state, app_state, *rest)
        self._table = cast(ServerState, server_state).table
        send_response = self.conn.send_response

        def send_response_safely(response: Response) -> None:
            if "X-Content-Type-Options" not in response.headers:
                response.headers["X-Content-Type-Options"] = "nosniff"
            send_response(response)

        self.conn.send_response = send_response_safely  # type: ignore[method-assign]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        end = partial(abort, self.transport)
        self._table.replace_ending(self.transport, end)
        self.app = _extended(cast(ASGIApp, self.app), {ABORT_EXTENSION: end, KEEP_EXTENSION: self._keep})

    def connection_lost(self, exc: Exception | None) -> None:
        self._table.remove(self.transport)
        super().connection_lost(exc)

    async def send(self, message: ASGISendEvent) -> None:
        await super().send(message)
        if self.initial_response is not None and self.close_sent:
            self.handshake_complete = True  # or uvicorn logs each refusal as a fault of the application

    def keepalive_timeout(self) -> None:
        """A peer that answers no ping is gone, or reads nothing: a close frame would not reach it."""
        abort(self.transport)
        super().keepalive_timeout()

    def _keep(self, holder: str | None) -> bool:
        if holder is not None and not self._table.hold(self.transport, holder):
            return False
        self._table.enter(self.transport, Phase.IN_USE, self.loop.time())
        return True


def _keep_little(transport: asyncio.Transport) -> None:
    transport.set_write_buffer_limits(high=BUFFERED_BYTES)
    connection = transport.get_extra_info("socket")
    if connection is not None and hasattr(socket, "TCP_NOTSENT_LOWAT"):  # Linux and macOS
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)


def _extended(app: ASGIApp, extensions: dict[str, Callable[..., object]]) -> ASGIApp:
    async def app_with_extensions(scope: Scope, receive: Receive, send: Send) -> None:
        scope["extensions"] = {**scope.get("extensions", {}), **extensions}
        await app(scope, receive, send)

    return app_with_extensions
