"""Content negotiation: the preferred form of a response from ``Accept``, and the form of a body from ``Content-Type``.

Both headers are read in a single pass. Python's e-mail package, which Strawberry uses, needs seconds for 64 KiB of
semicolons and raises on some parameters.
"""

import re
from typing import NamedTuple

GRAPHQL_JSON = "application/graphql-response+json"
JSON = "application/json"
EVENT_STREAM = "text/event-stream"
HTML = "text/html"
MULTIPART, BOUNDARY = "multipart/mixed", "graphql"

_MEDIA_TYPE = re.compile(r"\s*([A-Za-z0-9!#$&^_.+-]+/[A-Za-z0-9!#$&^_.+-]+)\s*(?:;|$)")


class Preference(NamedTuple):
    """The preference for a media type: greater is better, and ``NOT_AT_ALL`` excludes it."""

    quality: float
    earliness: int


NOT_AT_ALL = Preference(0.0, 0)


def preference(accept: str, media_type: str) -> Preference:
    """The preference of ``accept`` for ``media_type`` by name; wildcards don't count."""
    for place, part in enumerate(accept.split(",")):
        name, *parameters = (piece.strip().lower() for piece in part.split(";"))
        if name == media_type:
            return Preference(_quality(parameters), -place)
    return NOT_AT_ALL


def prefers_event_stream(accept: str) -> bool:
    """Whether the client prefers events to JSON. urql accepts both and prefers JSON, which it lists first."""
    stream = preference(accept, EVENT_STREAM)
    return stream.quality > 0 and stream > max(preference(accept, JSON), preference(accept, GRAPHQL_JSON))


def prefers_multipart(accept: str) -> bool:
    """Whether the client prefers a multipart subscription to all other forms.

    Source: Apollo Router, "Multipart HTTP protocol for GraphQL subscriptions".
    """
    name, *parameters = (piece.strip() for piece in accept.partition(",")[0].split(";"))
    given = {key.strip().lower(): value.strip(" '\"") for key, _, value in (one.partition("=") for one in parameters)}
    return (
        name.lower() == MULTIPART
        and given.get("boundary", BOUNDARY) == BOUNDARY
        and given.get("subscriptionspec", "").startswith("1.0")
    )


def media_type_of(content_type: str) -> str:
    """The media type of a body without its parameters; empty if it is missing or unreadable."""
    match = _MEDIA_TYPE.match(content_type)
    return match[1].lower() if match else ""


def prefers_html(accept: str) -> bool:
    """Whether the client is a browser that opens a page."""
    html = preference(accept, HTML)
    return html.quality > 0 and html > max(preference(accept, JSON), preference(accept, GRAPHQL_JSON))


def prefers_graphql_json(accept: str) -> bool:
    """Whether the client accepts the newer media type, whose status codes report errors."""
    newer = preference(accept, GRAPHQL_JSON)
    return newer.quality > 0 and newer > preference(accept, JSON)


def _quality(parameters: list[str]) -> float:
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return min(max(float(parameter[2:]), 0.0), 1.0)
            except ValueError:
                return 0.0
    return 1.0
