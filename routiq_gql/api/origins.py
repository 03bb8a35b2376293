"""Which host names and origins are ours: the pure rules that the guard applies.

An origin is ``scheme://host[:port]``, as browsers send it. Patterns of ROUTIQ_ALLOWED_ORIGINS may hold one ``*``
within a host label, as in ``https://app-*.example.com``.
"""

import ipaddress
import re
from collections.abc import Iterable

from routiq_gql.errors import SettingsError

DEFAULT_PORTS = {"http": 80, "https": 443}

_HOST = re.compile(r"(?P<name>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(?P<port>\d{1,5}))?")
_ORIGIN = re.compile(rf"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://{_HOST.pattern}")
_PATTERN = re.compile(r"[a-z][a-z0-9+.-]*://(?:\[[0-9a-f:.]+\]|[a-z0-9._-]*\*?[a-z0-9._-]*)(?::\d{1,5})?")


def host_name(host: str) -> str | None:
    """The name in a ``Host`` header, lower case and without its port; ``None`` if that is no host."""
    match = _HOST.fullmatch(host)
    return match["name"].lower() if match else None


def is_same_origin(origin: str, host: str) -> bool:
    """Whether a page of ``origin`` was served under ``host``.

    Schemes are not compared: behind a proxy that ends TLS the page is https and we see http.
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
    name = match["name"].lower().strip("[]")
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"


def compile_origins(allowed: Iterable[str]) -> re.Pattern[str]:
    """A pattern that matches (``fullmatch``) every allowed origin, and nothing when there is none.

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
