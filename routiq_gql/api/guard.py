"""The guard in front of every route: under which name the server is addressed, and which pages may use it.

Without the ``Host`` check a page elsewhere could have its own name point at this machine and read everything;
without the ``Origin`` check it could start and cancel syncs. A refusal says which setting would allow it.
"""

import re

import structlog
from starlette.datastructures import Headers, MutableHeaders, QueryParams
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from routiq_gql.api.cors import allow_reading, preflight_answer
from routiq_gql.api.errors import refusal
from routiq_gql.api.origins import host_name, is_forwarded_from_elsewhere, is_loopback_origin, is_same_origin
from routiq_gql.settings import Settings

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})
PROBES = frozenset({"/healthz", "/readyz"})
"""Asked by load balancers and container platforms, by IP address or without any ``Host``; every caller gets the same
answer."""
LOCAL_PATHS = PROBES | {"/metrics"}
"""Asked by programs on this machine, whatever names it has elsewhere."""
EXECUTING_PREFIX = "/api/"
"""Below it every address answers about an organization; elsewhere an address without a query only shows a page."""
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

NOSNIFF_HEADER = "X-Content-Type-Options"
"""Keeps browsers from taking an answer for something else than its media type says."""

MAX_LOGGED = 200
_UNPRINTABLE = re.compile(r"[^\x20-\x7e]")

log = structlog.get_logger(__name__)


class Guard:
    """ASGI middleware; goes outside everything else.

    Args:
        origins: What matches the origins of ROUTIQ_ALLOWED_ORIGINS; see ``compile_origins``.
        allow_null_origin: Whether pages opened as files may use the API.
    """

    def __init__(
        self, app: ASGIApp, settings: Settings, origins: re.Pattern[str], *, allow_null_origin: bool = False
    ) -> None:
        self._app = app
        self._trusts_loopback = settings.auth == "off"  # and nobody else
        self._hosts = frozenset(name.lower() for name in settings.allowed_hosts)
        if self._trusts_loopback:
            self._hosts |= LOOPBACK_NAMES
        self._origins = origins
        self._allow_null_origin = allow_null_origin

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        origin = headers.get("origin")
        is_listed = origin is not None and self._is_listed(origin)
        allowed = is_listed or (origin is not None and is_same_origin(origin, headers.get("host", "")))
        refused = self._refusal_code(scope, headers, is_allowed=allowed)
        if refused is not None and scope["type"] == "websocket":  # a browser tells its page nothing of the reason
            asked = {"origin": _printable(origin), "host": _printable(headers.get("host"))}
            log.warning("websocket_refused", code=refused, **asked)

        async def send_with_cors(message: Message) -> None:
            if message["type"] in {"http.response.start", "websocket.http.response.start"}:
                message.setdefault("headers", [])
                answered = MutableHeaders(scope=message)
                answered[NOSNIFF_HEADER] = "nosniff"
                allow_reading(answered, origin if allowed else None)
            await send(message)

        is_preflight = (
            scope["type"] == "http" and scope["method"] == "OPTIONS" and "access-control-request-method" in headers
        )
        # Also where the request itself will be refused for its host: only so can the page read the reason.
        if is_preflight and (refused is None or is_listed):
            await preflight_answer(headers)(scope, receive, send_with_cors)
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

    def _refusal_code(self, scope: Scope, headers: Headers, *, is_allowed: bool) -> str | None:
        hosts = headers.getlist("host")
        allowed_hosts = self._hosts | LOOPBACK_NAMES if scope["path"] in LOCAL_PATHS else self._hosts
        is_probe = scope["type"] == "http" and scope["path"] in PROBES
        if not is_probe and (len(hosts) != 1 or host_name(hosts[0]) not in allowed_hosts):
            return "HOST_NOT_ALLOWED"
        if self._trusts_loopback and is_forwarded_from_elsewhere(headers, allowed_hosts):
            return "NOT_LOCAL"
        is_checked = (
            scope["type"] == "websocket"
            or scope["method"] not in SAFE_METHODS
            or "access-control-request-method" in headers
        )
        if is_checked and "origin" in headers and not is_allowed:
            return "ORIGIN_NOT_ALLOWED"
        if self._trusts_loopback and not is_allowed and _is_blind(scope, headers):
            return "CROSS_SITE"
        return None


def _is_blind(scope: Scope, headers: Headers) -> bool:
    """Whether a page of another site has a browser ask for something whose answer it may not read.

    It may still have an operation executed, again and again. Opening a page that executes nothing is let through: a
    link from elsewhere leads to GraphiQL or to the page of a sync. Source: W3C, "Fetch Metadata Request Headers".
    """
    if headers.get("sec-fetch-site") != "cross-site" or scope["path"] in LOCAL_PATHS:
        return False
    if headers.get("sec-fetch-mode") != "navigate" or headers.get("sec-fetch-dest", "document") != "document":
        return True
    is_query = scope["path"] == "/graphql" and "query" in QueryParams(scope["query_string"])
    return is_query or scope["path"].startswith(EXECUTING_PREFIX)


def _printable(header: str | None) -> str | None:
    """A header for the log: short, and of characters that do nothing to a terminal."""
    return None if header is None else _UNPRINTABLE.sub("?", header[:MAX_LOGGED])


async def _answer(response: Response, scope: Scope, receive: Receive, send: Send) -> None:
    """Send ``response``; before a handshake too, if the web server knows how (otherwise it answers 403 by itself)."""
    if scope["type"] == "websocket" and "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close", "code": 1008})
        return
    await response(scope, receive, send)
