"""Loopback addresses, and addresses to which secrets may be sent: https anywhere, http on this machine only."""

import ipaddress
from urllib.parse import urlsplit


def is_loopback_address(text: str) -> bool:
    """Whether ``text`` is a loopback IP address."""
    try:
        return ipaddress.ip_address(text).is_loopback
    except ValueError:
        return False


def is_loopback_host(host: str) -> bool:
    """Whether ``host``, in lower case and without brackets, names this machine."""
    return host == "localhost" or is_loopback_address(host)


def is_loopback_url(url: str) -> bool:
    """Whether ``url`` names this machine."""
    return is_loopback_host(urlsplit(url).hostname or "")


def is_safe_url(url: str) -> bool:
    """Whether ``url`` is an https address, or an http address of this machine."""
    parts = urlsplit(url)
    return bool(parts.hostname) and (parts.scheme == "https" or (parts.scheme == "http" and is_loopback_url(url)))
