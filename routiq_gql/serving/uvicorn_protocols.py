"""Uvicorn's protocols, hardened against peers that stop reading or sending.

With plain uvicorn, a peer that doesn't read holds some 4 MB in the kernel's buffers; then sends to it, and its close,
wait forever. Here buffers are small, and the application can reset a connection, through ``scope["extensions"]``.
``request_deadline`` handles peers that don't send.
"""

import asyncio
import socket
from functools import partial
from typing import Any, cast

from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn._types import ASGISendEvent
from uvicorn.config import Config
from uvicorn.server import ServerState as UvicornState
from websockets.http11 import Response

from routiq_gql.serving.connection_table import Phase, ServerState, abort
from routiq_gql.serving.frames import FRAMES_EXTENSION, DirectFrames
from routiq_gql.serving.request_deadline import RequestDeadline
from routiq_gql.serving.stopping import STOP_EXTENSION, StopNotice

ABORT_EXTENSION = "routiq.abort"
"""Key in ``scope["extensions"]`` of a function that resets the connection."""

KEEP_EXTENSION = "routiq.keep"
"""Key of a function to call before a connection is kept open for long, with the organization that keeps it open, if
any. It returns ``False`` if that organization already holds its maximum. Afterwards a websocket is never replaced by
new connections.
"""

UNSENT_BYTES = 16 * 1024
"""Bytes per connection in the kernel before it counts as full. Sent but unconfirmed bytes come on top, so that
connections with a high latency stay fast.
"""
BUFFERED_BYTES = 32 * 1024
"""Bytes per connection in the process before the sender must wait."""


class HttpProtocol(StopNotice, RequestDeadline):
    """HTTP/1.1."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        _limit_buffers(transport)
        self.app = _extended(
            cast(ASGIApp, self.app),
            {ABORT_EXTENSION: partial(abort, transport), KEEP_EXTENSION: self._keep, STOP_EXTENSION: self.on_stop},
        )

    def _keep(self, holder: str | None) -> bool:
        return holder is None or self.server_state.table.hold(self.transport, holder)


class SocketProtocol(DirectFrames):
    """Websockets."""

    def __init__(self, config: Config, server_state: UvicornState, app_state: dict[str, object], *rest: Any) -> None:
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
        self._table.replace_evict(self.transport, end)
        extensions: dict[str, object] = {ABORT_EXTENSION: end, KEEP_EXTENSION: self._keep}
        if self.can_write_frames:
            extensions[FRAMES_EXTENSION] = self
        self.app = _extended(cast(ASGIApp, self.app), extensions)

    def connection_lost(self, exc: Exception | None) -> None:
        self._table.remove(self.transport)
        super().connection_lost(exc)

    async def send(self, message: ASGISendEvent) -> None:
        await super().send(message)
        if self.initial_response is not None and self.close_sent:
            self.handshake_complete = True  # or uvicorn logs each refusal as a fault of the application

    def keepalive_timeout(self) -> None:
        """Reset the connection: no close frame would reach a peer that sends no pong."""
        abort(self.transport)
        super().keepalive_timeout()

    def _keep(self, holder: str | None) -> bool:
        if holder is not None and not self._table.hold(self.transport, holder):
            return False
        self._table.enter(self.transport, Phase.IN_USE, self.loop.time())
        return True


def _limit_buffers(transport: asyncio.Transport) -> None:
    transport.set_write_buffer_limits(high=BUFFERED_BYTES)
    connection = transport.get_extra_info("socket")
    if connection is not None and hasattr(socket, "TCP_NOTSENT_LOWAT"):  # Linux and macOS
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)


def _extended(app: ASGIApp, extensions: dict[str, object]) -> ASGIApp:
    async def app_with_extensions(scope: Scope, receive: Receive, send: Send) -> None:
        scope["extensions"] = {**scope.get("extensions", {}), **extensions}
        await app(scope, receive, send)

    return app_with_extensions
