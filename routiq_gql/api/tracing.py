"""ASGI middleware: the span of each HTTP request, in the trace of its ``traceparent``. Added when traces are on.

The span of a stream ends with the start of its response. A websocket has none: its operations have spans.
"""

from typing import TYPE_CHECKING, cast

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from routiq_gql.api.access_log import QUIET_PATHS, route_of

if TYPE_CHECKING:
    from starlette.applications import Starlette

STREAMS = (b"text/event-stream", b"multipart/mixed")
"""Media types of responses that last as long as their client wants."""


class TraceRequests:
    """Inside the access log, and outside of all else."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        tracing = cast("Starlette", scope["app"]).state.parts.runtime.tracing if scope["type"] == "http" else None
        if tracing is None or scope["path"] in QUIET_PATHS:
            await self._app(scope, receive, send)
            return
        span = tracing.http_request(scope["method"], scope["scheme"], scope["headers"])

        async def send_noting(message: Message) -> None:
            if message["type"] == "http.response.start":
                span.answered(message["status"], route_of(scope), is_stream=_is_stream(message))
            await send(message)

        with span.current():
            await self._app(scope, receive, send_noting)


def _is_stream(message: Message) -> bool:
    types = [value for name, value in message.get("headers", ()) if name == b"content-type"]
    return any(value.startswith(STREAMS) for value in types)
