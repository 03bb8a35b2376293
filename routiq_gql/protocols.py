"""Uvicorn's protocols, made hard to hurt by peers that stop reading.

On uvicorn as it comes, such a peer holds some 4 MB in the kernel's buffers; then sending to it, and closing it, wait
for ever. Here little is kept for anyone, and whoever serves a connection can end it without a goodbye, through
``scope["extensions"]``.
"""

import asyncio
import socket
import struct
from functools import partial
from typing import Any, cast

from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from routiq_gql.socket_endings import CleanEnding

ABORT_EXTENSION = "routiq.abort"
"""Under this name ``scope["extensions"]`` has a function that ends the connection at once."""

UNSENT_BYTES = 16 * 1024
"""Kept in the kernel for one connection before it counts as full; what was sent and not yet confirmed comes on top, so
that a fast connection with a long way stays fast."""
BUFFERED_BYTES = 32 * 1024
"""Kept in the process for one connection before whoever sends has to wait."""


class HttpProtocol(H11Protocol):
    """HTTP/1.1."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        _keep_little(transport)
        self.app = _with_abort(cast(ASGIApp, self.app), transport)


class SocketProtocol(CleanEnding):
    """Websockets."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.app = _with_abort(cast(ASGIApp, self.app), self.transport)

    def keepalive_timeout(self) -> None:
        """A peer that answers no ping is gone, or reads nothing: a close frame would not reach it."""
        _abort(self.transport)
        super().keepalive_timeout()


def _keep_little(transport: asyncio.Transport) -> None:
    transport.set_write_buffer_limits(high=BUFFERED_BYTES)
    connection = transport.get_extra_info("socket")
    if connection is not None and hasattr(socket, "TCP_NOTSENT_LOWAT"):  # Linux and macOS
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)


def _abort(transport: asyncio.Transport) -> None:
    connection = transport.get_extra_info("socket")
    if connection is not None and not transport.is_closing():
        # Closing then resets the connection, and the kernel forgets what it still had for the peer.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


def _with_abort(app: ASGIApp, transport: asyncio.Transport) -> ASGIApp:
    async def app_with_abort(scope: Scope, receive: Receive, send: Send) -> None:
        extensions: dict[str, Any] = {**scope.get("extensions", {}), ABORT_EXTENSION: partial(_abort, transport)}
        scope["extensions"] = extensions
        await app(scope, receive, send)

    return app_with_abort
