"""Responses that stay open, for REST's event stream and for GraphQL over HTTP.

A stream ends with its source, when the client leaves, when the client reads nothing for ``ROUTIQ_SEND_TIMEOUT``
seconds, with the reader's session, and when the server stops. Its source is closed in each case.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from routiq_gql import metrics
from routiq_gql.api.auth import Session
from routiq_gql.errors import RateLimited
from routiq_gql.serving.stopping import STOP_EXTENSION
from routiq_gql.serving.uvicorn_protocols import ABORT_EXTENSION, KEEP_EXTENSION
from routiq_gql.waiting import Interruptible

RETRY_AFTER_SECONDS = 10

STREAM_HEADERS = {"Cache-Control": "no-cache, no-transform", "X-Accel-Buffering": "no", "Connection": "keep-alive"}
"""Proxies may not store, compress or buffer a stream."""


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """A piece that is sent while a stream is silent, so that proxies keep it open and clients notice a lost line.

    Attributes:
        seconds: The longest silence.
    """

    piece: bytes
    seconds: float


class Pieces(Protocol):
    """The source of a stream, such as an asynchronous generator."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        """The pieces, in order."""

    async def aclose(self) -> None:
        """Stop, and free what the source holds. Called once."""


class StreamResponse(Response):
    """An open response; each piece is sent unchanged.

    Args:
        pieces: The source. It is closed with the response.
        heartbeat: ``None`` for a source that sends its own heartbeats.
        send_timeout_seconds: How long a piece may wait for a client that reads nothing; then the connection is
            aborted. Such a client reconnects with its last event id.
        session: The session of the reader; the response ends with it.
    """

    def __init__(
        self,
        pieces: Pieces,
        *,
        heartbeat: Heartbeat | None,
        send_timeout_seconds: float,
        headers: Mapping[str, str] | None = None,
        media_type: str = "text/event-stream",
        session: Session | None = None,
    ) -> None:
        self.status_code = 200
        self.media_type = media_type
        self.background = None
        self.init_headers({**STREAM_HEADERS, **(headers or {})})
        self._pieces = pieces
        self._heartbeat = heartbeat
        self._send_timeout = send_timeout_seconds
        self._session = session if session is not None and session.can_end else None
        self._transport: metrics.Transport = "multipart" if media_type.startswith("multipart/") else "sse"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        line = _Line(scope, send, self._send_timeout, self._transport)
        try:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            if scope["method"] != "HEAD":
                await self._send_pieces(line, scope, receive)
            if not line.is_lost:  # after a complete response the client reconnects without an error
                await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            await self._pieces.aclose()

    async def _send_pieces(self, line: "_Line", scope: Scope, receive: Receive) -> None:
        """Send pieces until something ends the stream."""
        on_stop = scope.get("extensions", {}).get(STOP_EXTENSION, lambda _call: None)  # of our server only
        beside: list[asyncio.Task[object]] = [asyncio.create_task(self._attend(line, receive), name="stream")]
        if self._session is not None:
            beside.append(asyncio.create_task(self._session.until_over(), name="session"))
        try:
            async with Interruptible() as block:
                on_stop(block.interrupt)
                for task in beside:
                    task.add_done_callback(block.interrupt)
                async for piece in self._pieces:
                    await line.send(piece)
                    if line.is_lost:
                        break
        finally:
            on_stop(None)
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)

    async def _attend(self, line: "_Line", receive: Receive) -> None:
        """Send heartbeats until the client has left."""
        clock = asyncio.get_running_loop().time
        while not line.is_lost:
            silence = None if self._heartbeat is None else max(0.0, line.sent_at + self._heartbeat.seconds - clock())
            try:
                async with asyncio.timeout(silence):
                    while (await receive())["type"] != "http.disconnect":
                        pass
            except TimeoutError:
                if self._heartbeat is not None and clock() >= line.sent_at + self._heartbeat.seconds:
                    await line.send(self._heartbeat.piece)
            else:
                line.is_lost = True


class _Line:
    """The way to the client.

    Attributes:
        is_lost: Whether the client has left, or was aborted.
        sent_at: When the last piece was sent, by the loop's clock.
    """

    def __init__(self, scope: Scope, send: Send, timeout: float, transport: metrics.Transport) -> None:
        self._scope = scope
        self._send = send
        self._timeout = timeout
        self._transport: metrics.Transport = transport
        self.is_lost = False
        self.sent_at = asyncio.get_running_loop().time()

    async def send(self, piece: bytes) -> None:
        """Send a piece; abort the connection of a client that does not read."""
        if self.is_lost:
            return
        patience = asyncio.timeout(self._timeout)
        try:
            async with patience:
                await self._send({"type": "http.response.body", "body": piece, "more_body": True})
        except TimeoutError:
            if not patience.expired():
                raise
            if not self.is_lost:
                self.is_lost = True
                abort_connection(self._scope)
                metrics.peer_dropped(self._transport)
            return
        self.sent_at = asyncio.get_running_loop().time()
        if piece:
            metrics.frame_sent(self._transport)


def abort_connection(scope: Scope) -> None:
    """Abort the connection with all unsent bytes, as its peer has stopped reading."""
    abort = scope.get("extensions", {}).get(ABORT_EXTENSION)
    if abort is not None:  # other web servers have no such extension
        abort()


def keep_connection(scope: Scope, organization_id: str | None) -> None:
    """Reserve the connection for an organization; the server then no longer closes it to make room for others.

    Raises:
        RateLimited: The organization holds as many connections as it may; see ``ConnectionTable.hold``.
    """
    keep = scope.get("extensions", {}).get(KEEP_EXTENSION)
    if keep is not None and not keep(organization_id):
        raise RateLimited(
            "Too many connections of this organization are open. Close some of them.", RETRY_AFTER_SECONDS
        )
