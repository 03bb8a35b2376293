"""The last error handler around all routes: an uncaught exception becomes a JSON response with a reference.

Starlette would respond with plain text and raise the exception into the web server, which logs it a second time, with
its text.
"""

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketDisconnect

from routiq_gql.api.errors import log_fault, problem_of


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
                await problem_of(error, **known)(scope, receive, send)
                return
            log_fault(error, **known)
            if not is_http and not ended:
                await send({"type": "websocket.close", "code": 1011, "reason": "Internal error"})
