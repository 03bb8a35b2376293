"""The only error handler around all routes: an exception becomes a JSON response, with a reference if it is a fault.

Starlette would respond with plain text and raise a fault into the web server, which logs it a second time, with its
text.
"""

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketDisconnect

from routiq_gql.api.errors import log_fault, problem_of, problem_of_status


class FaultBarrier:
    """ASGI middleware, directly around the router."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        is_http = scope["type"] == "http"
        begun = ended = False

        async def watch_send(message: Message) -> None:
            nonlocal begun, ended
            begun = begun or message["type"] == "http.response.start"
            ended = ended or message["type"] == "websocket.close"
            await send(message)

        try:
            await self._app(scope, receive, watch_send)
        except (ClientDisconnect, WebSocketDisconnect):
            return  # the client has gone
        except Exception as error:
            known = {"path": scope["path"], "method": scope.get("method", "WEBSOCKET")}
            if is_http and not begun:
                await _answer(error, known)(scope, receive, send)
                return
            log_fault(error, **known)
            if not is_http and not ended:
                await send({"type": "websocket.close", "code": 1011, "reason": "Internal error"})


def _answer(error: Exception, known: dict[str, str]) -> Response:
    if isinstance(error, HTTPException):  # of the router: no such path, or another method
        return problem_of_status(error.status_code, dict(error.headers or {}))
    return problem_of(error, **known)
