"""Headers of a request or response as ASGI has them: pairs of bytes, with names in lower case.

The guard reads a few of them on every request. Starlette's classes would cost more than its rules.
"""

from collections.abc import Collection, Mapping

from starlette.types import Scope

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
