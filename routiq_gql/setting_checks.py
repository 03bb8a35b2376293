"""Checks of settings that need no settings: names that are nearly right, and URLs that may carry a key."""

import difflib
import ipaddress
import os
from collections.abc import Iterable
from urllib.parse import urlsplit

from routiq_gql.errors import SettingsError


def check_spelling(prefix: str, names: Iterable[str]) -> None:
    """Pass if no variable's name is nearly ``prefix`` and one of ``names``; other programs may use the prefix too.

    Raises:
        SettingsError: One is, and would be without effect.
    """
    known = [name.upper() for name in names]
    for variable in sorted(os.environ):
        name = variable.upper().removeprefix(prefix)
        if variable.upper().startswith(prefix) and name not in known:
            meant = difflib.get_close_matches(name, known, 1, cutoff=0.75)
            if meant:
                raise SettingsError(f"{variable} is no setting. Do you mean {prefix}{meant[0]}?")


def is_safe_url(url: str) -> bool:
    """Whether ``url`` is an https address, or an http address of this machine."""
    scheme = urlsplit(url).scheme
    return bool(urlsplit(url).hostname) and (scheme == "https" or (scheme == "http" and is_loopback_url(url)))


def is_loopback_url(url: str) -> bool:
    """Whether ``url`` names this machine itself (``localhost`` or a loopback address)."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
