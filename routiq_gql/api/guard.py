"""The guard in front of every route: it checks the host name of a request, and the page that sends it.

Without the ``Host`` check, a page elsewhere could let a name of its domain point at this machine and read everything.
Without the ``Origin`` check, it could start and cancel syncs. A refusal says which setting would allow the request.
"""

import re
from collections.abc import Mapping

import structlog
from starlette.datastructures import Headers, QueryParams
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from routiq_gql.api.cors import preflight_answer, with_permission
from routiq_gql.api.errors import refusal
from routiq_gql.api.origins import (
    PROXY_HEADERS,
    host_name,
    is_forwarded_from_elsewhere,
    is_loopback_origin,
    is_same_origin,
)
from routiq_gql.api.raw_headers import first, values_of
from routiq_gql.settings import Settings

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})
PROBES = frozenset({"/healthz", "/readyz"})
"""Requested by load balancers and container platforms, by IP address or without ``Host``; every caller gets the same
answer."""
LOCAL_PATHS = PROBES | {"/metrics"}
"""Requested by programs on this machine, whatever its public names."""
EXECUTING_PREFIX = "/api/"
"""The prefix of paths that always execute an operation; other paths without a query only show a page."""
NAMING_PARAMETERS = frozenset({"query", "documentId", "extensions"})
"""The parameters of a GET request to ``/graphql`` that have or name its document. Without them nothing is executed, and
a browser gets GraphiQL."""
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

_NOSNIFF = (b"x-content-type-options", b"nosniff")
"""Keeps browsers from guessing another media type for a response."""

_PREFLIGHT_HEADER = b"access-control-request-method"
EXAMINED_HEADERS = PROXY_HEADERS | {
    b"host",
    b"origin",
    _PREFLIGHT_HEADER,
    b"sec-fetch-site",
    b"sec-fetch-mode",
    b"sec-fetch-dest",
}
"""The headers that decide whether a request is served."""

MAX_LOGGED = 200
_UNPRINTABLE = re.compile(r"[^\x20-\x7e]")

log = structlog.get_logger(__name__)


class Guard:
    """ASGI middleware, around everything but the access log.

    Args:
        origins: Matches the origins of ROUTIQ_ALLOWED_ORIGINS; see ``compile_origins``.
        allow_null_origin: Whether pages opened as files may use the API.
    """

    def __init__(
        self, app: ASGIApp, settings: Settings, origins: re.Pattern[str], *, allow_null_origin: bool = False
    ) -> None:
        self._app = app
        self._trusts_loopback = settings.auth == "off"  # and no other clients
        self._hosts = frozenset(name.lower() for name in settings.allowed_hosts)
        if self._trusts_loopback:
            self._hosts |= LOOPBACK_NAMES
        self._origins = origins
        self._allow_null_origin = allow_null_origin

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        headers = values_of(scope, EXAMINED_HEADERS)
        origin = first(headers, b"origin")
        is_listed = origin is not None and self._is_listed(origin)
        allowed = is_listed or (origin is not None and is_same_origin(origin, first(headers, b"host") or ""))
        refused = self._refusal_code(scope, headers, is_allowed=allowed)
        if refused is not None and scope["type"] == "websocket":  # a browser hides the reason from its page
            asked = {"origin": _printable(origin), "host": _printable(first(headers, b"host"))}
            log.warning("websocket_refused", code=refused, **asked)

        async def send_with_cors(message: Message) -> None:
            if message["type"] in {"http.response.start", "websocket.http.response.start"}:
                headers = with_permission(message.get("headers", ()), origin if allowed else None)
                message["headers"] = [*headers, _NOSNIFF]
            await send(message)

        is_preflight = scope["type"] == "http" and scope["method"] == "OPTIONS" and _PREFLIGHT_HEADER in headers
        # Also if the request itself will be refused for its host: otherwise the page could not read the reason.
        if is_preflight and (refused is None or is_listed):
            await preflight_answer(Headers(scope=scope))(scope, receive, send_with_cors)
        elif refused is not None:
            await _answer(refusal(refused), scope, receive, send_with_cors)
        else:
            await self._app(scope, receive, send_with_cors)

    def _is_listed(self, origin: str) -> bool:
        """Whether pages of this origin may use the API under whatever name they address it."""
        if origin == "null":
            return self._allow_null_origin
        is_local = self._trusts_loopback and is_loopback_origin(origin)
        return is_local or self._origins.fullmatch(origin) is not None

    def _refusal_code(self, scope: Scope, headers: Mapping[bytes, list[str]], *, is_allowed: bool) -> str | None:
        hosts = headers.get(b"host", [])
        allowed_hosts = self._hosts | LOOPBACK_NAMES if scope["path"] in LOCAL_PATHS else self._hosts
        is_probe = scope["type"] == "http" and scope["path"] in PROBES
        if not is_probe and (len(hosts) != 1 or host_name(hosts[0]) not in allowed_hosts):
            return "HOST_NOT_ALLOWED"
        if self._trusts_loopback and is_forwarded_from_elsewhere(headers, allowed_hosts):
            return "NOT_LOCAL"
        is_checked = scope["type"] == "websocket" or scope["method"] not in SAFE_METHODS or _PREFLIGHT_HEADER in headers
        if is_checked and b"origin" in headers and not is_allowed:
            return "ORIGIN_NOT_ALLOWED"
        if self._trusts_loopback and not is_allowed and _is_blind(scope, headers):
            return "CROSS_SITE"
        return None


def _is_blind(scope: Scope, headers: Mapping[bytes, list[str]]) -> bool:
    """Whether a page of another site lets a browser send a request whose response the page may not read.

    Such a request could still execute an operation, again and again. A page that executes nothing may be opened: a
    link from elsewhere leads to GraphiQL or to the page of a sync. Source: W3C, "Fetch Metadata Request Headers".
    """
    if first(headers, b"sec-fetch-site") != "cross-site" or scope["path"] in LOCAL_PATHS:
        return False
    is_opened = first(headers, b"sec-fetch-mode") == "navigate"
    if not is_opened or headers.get(b"sec-fetch-dest", ["document"])[0] != "document":
        return True
    is_query = scope["path"] == "/graphql" and not NAMING_PARAMETERS.isdisjoint(QueryParams(scope["query_string"]))
    return is_query or scope["path"].startswith(EXECUTING_PREFIX)


def _printable(header: str | None) -> str | None:
    """A header for the log: short, and without characters that control a terminal."""
    return None if header is None else _UNPRINTABLE.sub("?", header[:MAX_LOGGED])


async def _answer(response: Response, scope: Scope, receive: Receive, send: Send) -> None:
    """Send ``response``; before a handshake too, if the web server knows how (otherwise it answers 403 by itself)."""
    if scope["type"] == "websocket" and "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close", "code": 1008})
        return
    await response(scope, receive, send)
