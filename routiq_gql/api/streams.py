"""Responses that stay open, for REST's event stream and for GraphQL over HTTP.

A stream ends with its source, when the client leaves (which closes the source), when the client reads nothing for
``ROUTIQ_SEND_TIMEOUT`` seconds, and when the server stops.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping

import anyio
from sse_starlette import EventSourceResponse, ServerSentEvent
from sse_starlette.sse import SendTimeoutError
from starlette.types import Message, Receive, Scope, Send

from routiq_gql import metrics
from routiq_gql.api.auth import Session
from routiq_gql.errors import RateLimited
from routiq_gql.serving.uvicorn_protocols import ABORT_EXTENSION, KEEP_EXTENSION

RETRY_AFTER_SECONDS = 10

LINE_END = "\n"
"""CRLF is allowed too, but urql's parser does not read it."""

HEARTBEAT = "heartbeat"
"""The event of a silent stream. It has data, without which ``EventSource`` drops an event, and no id, so that the last
event id stays that of the newest status or log line. Source: WHATWG HTML, "Interpreting an event stream"."""

STREAM_HEADERS = {"Cache-Control": "no-cache, no-transform", "X-Accel-Buffering": "no"}
"""Proxies may not store, compress or buffer a stream."""


class StreamResponse(EventSourceResponse):
    """An open response; each piece is sent unchanged.

    Args:
        heartbeat_seconds: Time between heartbeat events; 0 for a source that sends its own heartbeats.
        send_timeout_seconds: How long a piece may wait for a client that reads nothing; then the connection is
            aborted. Such a client reconnects with its last event id.
        session: The session of the reader; the response ends with it.
    """

    def __init__(
        self,
        pieces: AsyncGenerator[bytes, None],
        *,
        heartbeat_seconds: float,
        send_timeout_seconds: float,
        headers: Mapping[str, str] | None = None,
        media_type: str = "text/event-stream",
        session: Session | None = None,
    ) -> None:
        super().__init__(
            cancelled_once(pieces, session if session is not None and session.can_end else None),
            headers={**STREAM_HEADERS, **(headers or {})},
            media_type=media_type,
            ping=heartbeat_seconds,
            ping_message_factory=lambda: ServerSentEvent("{}", event=HEARTBEAT, sep=LINE_END),
            send_timeout=send_timeout_seconds,
        )
        self._transport: metrics.Transport = "multipart" if media_type.startswith("multipart/") else "sse"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        transport = self._transport

        async def send_counted(message: Message) -> None:
            await send(message)
            if message.get("body"):
                metrics.frame_sent(transport)

        try:
            await super().__call__(scope, receive, send_counted)
        except SendTimeoutError:
            abort_connection(scope)
            metrics.peer_dropped(transport)
            return
        if self.active and scope["method"] != "HEAD":
            # The server is stopping. After a complete response the client reconnects without an error.
            await send({"type": "http.response.body", "body": b"", "more_body": False})


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


async def cancelled_once(
    pieces: AsyncGenerator[bytes, None], session: Session | None = None
) -> AsyncGenerator[bytes, None]:
    """The same pieces; the source can clean up undisturbed when the stream or the session ends.

    Under anyio, which runs the response, a cancelled task is cancelled again at every further ``await``. A source
    that was reading the database would then leave its connection half closed, with a task that never ends.
    """
    end: set[asyncio.Task[object]] = {asyncio.create_task(session.until_over())} if session is not None else set()
    try:
        while True:
            step = asyncio.create_task(_next_piece(pieces))
            try:
                await asyncio.wait({step, *end}, return_when=asyncio.FIRST_COMPLETED)
                is_over = not step.done()
            finally:
                if not step.done():
                    step.cancel()
                    with anyio.CancelScope(shield=True):
                        await asyncio.wait({step})
            piece = None if is_over else step.result()
            if piece is None:
                return
            yield piece
    finally:
        for waiting in end:
            waiting.cancel()
        with anyio.CancelScope(shield=True):
            await pieces.aclose()


async def _next_piece(pieces: AsyncGenerator[bytes, None]) -> bytes | None:
    return await anext(pieces, None)
