"""Headers of a request or response as ASGI has them: pairs of bytes, with names in lower case.

The middleware around every route reads and adds a few of them. Starlette's classes would cost more than the rest of the
middleware, and change the list of a response that is sent to others, too.
"""

from collections.abc import Collection, Mapping

from starlette.types import Message, Scope

RawHeader = tuple[bytes, bytes]


def values_of(scope: Scope, names: Collection[bytes]) -> dict[bytes, list[str]]:
    """The values of the headers with these names, by name; no entry for a header that the request does not have."""
    found: dict[bytes, list[str]] = {}
    for name, value in scope["headers"]:
        if name in names:
            found.setdefault(name, []).append(value.decode("latin-1"))
    return found


def first(headers: Mapping[bytes, list[str]], name: bytes) -> str | None:
    """The first value of a header; ``None`` without it."""
    return headers[name][0] if name in headers else None


def with_headers(message: Message, *added: RawHeader) -> list[RawHeader]:
    """A new list of a response's headers, in which ``added`` replace those with the same names."""
    replaced = {name for name, _ in added}
    return [one for one in message.get("headers", ()) if one[0].lower() not in replaced] + [*added]
