"""Checks of what comes from the environment: the names of variables, and addresses of other servers."""

import difflib
import ipaddress
import os
from collections.abc import Iterable
from urllib.parse import urlsplit

from routiq_gql.errors import SettingsError


def check_spelling(prefix: str, names: Iterable[str]) -> None:
    """Raise if the name of a variable is nearly that of a setting; other programs may use the prefix too.

    Args:
        names: The settings, without the prefix.

    Raises:
        SettingsError: It is; the sentence names the variable and the setting.
    """
    known = [name.upper() for name in names]
    for variable in sorted(os.environ):
        name = variable.upper().removeprefix(prefix)
        if variable.upper().startswith(prefix) and name not in known:
            meant = difflib.get_close_matches(name, known, 1, cutoff=0.75)
            if meant:
                raise SettingsError(f"{variable} is no setting. Do you mean {prefix}{meant[0]}?")


def is_safe_url(url: str) -> bool:
    """Whether what is sent to ``url`` and comes from there can't be read or changed on its way."""
    scheme = urlsplit(url).scheme
    return bool(urlsplit(url).hostname) and (scheme == "https" or (scheme == "http" and is_loopback_url(url)))


def is_loopback_url(url: str) -> bool:
    """Whether ``url`` names this machine itself (``localhost`` or a loopback address)."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
