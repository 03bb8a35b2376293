"""Rules about host names and origins, as pure functions for the guard.

An origin is ``scheme://host[:port]``, as browsers send it. Patterns of ROUTIQ_ALLOWED_ORIGINS may hold one ``*``
within a host label, as in ``https://app-*.example.com``.
"""

import ipaddress
import re
from collections.abc import Collection, Iterable, Mapping, Sequence

from routiq_gql.addresses import is_loopback_host
from routiq_gql.errors import SettingsError

DEFAULT_PORTS = {"http": 80, "https": 443}

_CLIENT_HEADERS = (b"x-forwarded-for", b"x-real-ip", b"x-client-ip", b"cf-connecting-ip", b"true-client-ip")
PROXY_HEADERS = frozenset({*_CLIENT_HEADERS, b"forwarded", b"x-forwarded-host"})
"""Headers in which proxies name the client and the host that it asked."""
_FORWARDED_FOR = re.compile(r'for=("[^"]*"|[^;,\s]*)', re.IGNORECASE)

_HOST = re.compile(r"(?P<name>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(?P<port>\d{1,5}))?")
_ORIGIN = re.compile(rf"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://{_HOST.pattern}")
_PATTERN = re.compile(r"[a-z][a-z0-9+.-]*://(?:\[[0-9a-f:.]+\]|[a-z0-9._-]*\*?[a-z0-9._-]*)(?::\d{1,5})?")


def host_name(host: str) -> str | None:
    """The name in a ``Host`` header, lower case and without its port; ``None`` if it is malformed."""
    match = _HOST.fullmatch(host)
    return match["name"].lower() if match else None


def is_same_origin(origin: str, host: str) -> bool:
    """Whether a page of ``origin`` was served under ``host``.

    Schemes are not compared: behind a proxy that ends TLS the page uses https and this server http.
    """
    ours, theirs = _HOST.fullmatch(host), _ORIGIN.fullmatch(origin)
    if ours is None or theirs is None:
        return False
    default = DEFAULT_PORTS.get(theirs["scheme"].lower())
    ports = [int(match["port"]) if match["port"] else default for match in (ours, theirs)]
    return ours["name"].lower() == theirs["name"].lower() and ports[0] == ports[1]


def is_loopback_origin(origin: str) -> bool:
    """Whether a page of ``origin`` came from this machine, whatever the port."""
    match = _ORIGIN.fullmatch(origin)
    if match is None or match["scheme"].lower() not in DEFAULT_PORTS:
        return False
    return is_loopback_host(match["name"].lower().strip("[]"))


def is_forwarded_from_elsewhere(headers: Mapping[bytes, Sequence[str]], hosts: Collection[str]) -> bool:
    """Whether a proxy says that the request comes from another machine, or was addressed to a host not in ``hosts``.

    Source: RFC 7239, "Forwarded HTTP Extension", and the headers that proxies have used before and besides.

    Args:
        headers: The values of at least the ``PROXY_HEADERS`` that the request has, by name.
    """
    if PROXY_HEADERS.isdisjoint(headers):
        return False
    addresses = [one for name in _CLIENT_HEADERS for value in headers.get(name, ()) for one in value.split(",")]
    addresses += [match[1] for value in headers.get(b"forwarded", ()) for match in _FORWARDED_FOR.finditer(value)]
    named = [one for value in headers.get(b"x-forwarded-host", ()) for one in value.split(",")]
    return not all(_is_loopback_address(one) for one in addresses) or not all(
        host_name(one.strip()) in hosts for one in named
    )


def _is_loopback_address(text: str) -> bool:
    address = text.strip().strip('"')
    if match := re.fullmatch(r"\[([0-9A-Fa-f:.]+)\](?::\d+)?|([0-9.]+):\d+", address):
        address = match[1] or match[2]
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False  # “unknown”, or a name
    mapped = getattr(found, "ipv4_mapped", None)
    return (mapped or found).is_loopback


def compile_origins(allowed: Iterable[str]) -> re.Pattern[str]:
    """A pattern that matches (``fullmatch``) every allowed origin, and nothing if the list is empty.

    Raises:
        SettingsError: An entry is not the origin of a page.
    """
    alternatives = []
    for entry in allowed:
        origin = entry.lower().removesuffix("/")
        if not _PATTERN.fullmatch(origin) or origin.endswith("://"):
            raise SettingsError(
                f"ROUTIQ_ALLOWED_ORIGINS is wrong: {entry!r} is not the origin of a page. "
                "Write it like https://app.example.com, with at most one * within a part of the name."
            )
        alternatives.append(re.escape(origin).replace(r"\*", "[a-z0-9-]+"))
    return re.compile("|".join(f"(?:{one})" for one in alternatives) or r"(?!)", re.IGNORECASE)
