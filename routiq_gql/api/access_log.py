"""The access log: one line for each request and socket, written when it ends, and the request id of all its lines.

The id is a valid ``X-Request-ID`` of the client or a new id; the response repeats it. Query strings may hold tokens and
are never logged. The middleware is outermost, so that refusals of the guard are logged and counted, too.
"""

import asyncio
import logging
import random
import re
import time
from functools import lru_cache
from urllib.parse import quote

import structlog
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.typing import FilteringBoundLogger

from routiq_gql import metrics
from routiq_gql.logs import clean_text, clean_writer

REQUEST_ID_HEADER = "X-Request-ID"
QUIET_PATHS = frozenset({"/healthz", "/readyz", "/metrics"})
"""Paths that machines request every few seconds; their lines have the level DEBUG."""
MAX_PATH_LENGTH = 200
"""Characters of a logged path; a client may send 64 KiB."""

_RAW_REQUEST_ID_HEADER = REQUEST_ID_HEADER.lower().encode()
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,128}")
_LEVELS = {logging.INFO: "info", logging.DEBUG: "debug"}
_NAMES = "routiq.names"  # in the scope
_NAME = re.compile(r"[A-Za-z0-9_-]{1,128}")
_SAFE_IN_PATHS = "/:@!$&'()*+,;=~"  # "@" must stay readable for the log's own search for e-mail addresses


class AccessLog:
    """ASGI middleware, outside the guard. Made after logging was configured."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._log: FilteringBoundLogger = structlog.get_logger(__name__).bind()
        self._write = clean_writer(self._log)
        self._ended: list[tuple[int, _Exchange]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(scope, receive, send)
        # The web server runs every request in a separate task, so the context needs no reset afterwards.
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=exchange.request_id)
        try:
            await self._app(scope, exchange.receive, exchange.send)
        finally:
            exchange.end()
            self._log_end(exchange, logging.DEBUG if scope["path"] in QUIET_PATHS else logging.INFO)

    def _log_end(self, exchange: "_Exchange", level: int) -> None:
        if not self._log.is_enabled_for(level):
            exchange.count()
        elif self._write is None:
            values = exchange.line()
            self._log.log(level, str(values.pop("event")), **values)
            exchange.count()
        else:
            self._ended.append((level, exchange))
            if len(self._ended) == 1:
                asyncio.get_running_loop().call_soon(self._write_ended)

    def _write_ended(self) -> None:
        """Write and count all requests that ended in one turn of the event loop, in a fraction of the time."""
        ended, self._ended = self._ended, []
        if self._write is not None:
            self._write((_LEVELS[level], exchange.line()) for level, exchange in ended)
        for _, exchange in ended:
            exchange.count()


class NamedRoute(Route):
    """A route whose ``organization_id`` or ``sync_id`` is in every log line of the request."""

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        names = {name: value for name, value in scope["path_params"].items() if _NAME.fullmatch(value)}
        scope[_NAMES] = names
        structlog.contextvars.bind_contextvars(**names)
        await super().handle(scope, receive, send)


class _Exchange:
    """One request and its outcome."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._began = time.monotonic()
        self._milliseconds = 0.0
        self._is_socket = scope["type"] == "websocket"
        self._status: int | None = None  # as long as nothing was answered
        self._close_code: int | None = None
        self.request_id = _wished_id(scope) or f"{random.getrandbits(64):016x}"

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "websocket.disconnect":
            self._ended_with(message.get("code"))
        return message

    async def send(self, message: Message) -> None:
        match message["type"]:
            case "http.response.start" | "websocket.http.response.start":
                self._status = message["status"]
                self._add_header(message)
            case "websocket.accept":
                self._status = 101
                self._add_header(message)
            case "websocket.close" if self._status is None:
                self._status = 403  # how the web server answers a handshake that is closed
            case "websocket.close":
                self._ended_with(message.get("code", 1000))
        await self._send(message)

    def end(self) -> None:
        """Stop its time."""
        self._milliseconds = round((time.monotonic() - self._began) * 1000, 1)

    def line(self) -> dict[str, object]:
        """The values of its line, without private values that a client may have put into them."""
        values: dict[str, object] = {
            "event": "socket_ended" if self._is_socket else "request_ended",
            "method": "WEBSOCKET" if self._is_socket else clean_text(self._scope["method"][:MAX_PATH_LENGTH]),
            "path": _shown(self._scope["path"][:MAX_PATH_LENGTH]),
            "status": self._status,
            "milliseconds": self._milliseconds,
            "request_id": clean_text(self.request_id),
        }
        if self._close_code is not None:
            values["close_code"] = self._close_code
        for name, value in self._scope.get(_NAMES, {}).items():
            values[name] = clean_text(value)
        return values

    def count(self) -> None:
        """Count it."""
        if not self._is_socket and self._status is not None:
            metrics.http_request(route_of(self._scope), self._scope["method"], self._status)

    def _add_header(self, message: Message) -> None:
        # A new list: the response may be sent to others, too.
        message["headers"] = [*message.get("headers", ()), (_RAW_REQUEST_ID_HEADER, self.request_id.encode())]

    def _ended_with(self, code: int | None) -> None:
        if self._status == 101 and self._close_code is None:  # the first side that closes gives the reason
            self._close_code = code


def _wished_id(scope: Scope) -> str | None:
    """The client's id for the request, if it is valid."""
    for name, value in scope["headers"]:
        if name == _RAW_REQUEST_ID_HEADER:
            return value.decode() if _REQUEST_ID.fullmatch(value) else None
    return None


@lru_cache(maxsize=1_000)
def _shown(path: str) -> str:
    return clean_text(quote(path, safe=_SAFE_IN_PATHS, errors="replace"))


def route_of(scope: Scope) -> str | None:
    """The path of the route that took the request, with its parameters' names, such as ``/status/{sync_id}``."""
    route = scope.get("route")
    return route.path if isinstance(route, Route) else None
