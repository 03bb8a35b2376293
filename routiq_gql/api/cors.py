"""CORS headers: answers to the preflight requests of pages elsewhere, and which pages may read a response.

The guard decides which origins are allowed and calls this. Such a page may send any header: it is as trusted as a
program with the same token. Cookies are never used, so ``Access-Control-Allow-Credentials`` is never sent.
Source: WHATWG, "Fetch", section CORS protocol.
"""

import re
from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.responses import Response

from routiq_gql.api.access_log import REQUEST_ID_HEADER
from routiq_gql.api.raw_headers import RawHeader

METHODS = ("GET", "POST", "PATCH", "DELETE")
"""The methods of all routes. HEAD needs no permission."""
USUAL_HEADERS = "authorization, content-type, x-organization-id, last-event-id"
"""The headers allowed where a preflight request lists no readable header names."""
MAX_NAMES = 100
MAX_NAMES_LENGTH = 4_096
"""Characters of the header that lists the names; the response repeats it."""
MAX_AGE_SECONDS = 600
"""Until a changed setting reaches every page."""
EXPOSED = f"{REQUEST_ID_HEADER}, Retry-After"
"""Headers that a page elsewhere may read: for its error report, and for the time of its retry."""

_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")  # Source: RFC 9110, 5.6.2


def with_permission(response: Sequence[RawHeader], origin: str | None) -> list[RawHeader]:
    """The headers of a response, and whether a page may read it.

    Args:
        response: The headers, with lower-case names. The list is not changed: others may get the response, too.
        origin: The page's origin; ``None`` if the request names no allowed origin.
    """
    varying = [value for name, value in response if name == b"vary"]
    headers = [one for one in response if one[0] != b"vary"] if varying else [*response]
    headers.append((b"vary", b", ".join([*varying, b"Origin"])))
    if origin is not None:
        headers.append((b"access-control-allow-origin", origin.encode("latin-1")))
        headers.append((b"access-control-expose-headers", EXPOSED.encode()))
    return headers


def preflight_answer(asked: Headers) -> Response:
    """The response to a preflight request of an allowed origin, without those of ``with_permission``."""
    headers = {
        "Access-Control-Allow-Methods": ", ".join(METHODS),
        "Access-Control-Allow-Headers": _names(asked.getlist("access-control-request-headers")) or USUAL_HEADERS,
        "Access-Control-Max-Age": str(MAX_AGE_SECONDS),
        "Vary": "Access-Control-Request-Headers, Access-Control-Request-Private-Network",
    }
    # A page on the internet asks for a server on this machine or network. Files and sandboxed frames are all "null":
    # no operator has named them, and a file needs no such permission.
    # Source: WICG, "Private Network Access".
    if asked.get("access-control-request-private-network") == "true" and asked.get("origin") != "null":
        headers["Access-Control-Allow-Private-Network"] = "true"
    return Response(status_code=204, headers=headers)


def _names(lists: list[str]) -> str:
    """The header names that a request lists, each once; empty if an entry is not a name, or if there are too many."""
    listed = ",".join(lists)
    if len(listed) > MAX_NAMES_LENGTH:
        return ""
    names = list(dict.fromkeys(name.strip(" \t") for name in listed.split(",")))
    return ", ".join(names) if len(names) <= MAX_NAMES and all(map(_TOKEN.fullmatch, names)) else ""
