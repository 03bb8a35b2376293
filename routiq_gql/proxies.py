"""Finds the proxy for an address in the environment: ``HTTPS_PROXY``, ``NO_PROXY`` and similar variables.

Used for Cliniko and for fetching public keys. httpx would raise on entries of ``NO_PROXY`` such as ``fd07::/64`` and on
proxies that a request never uses. The error for an unusable value names the variable but never the value, which may
hold a password.
Source: curl, "CURLOPT_NOPROXY" and "Environment variables"; Go, "httpproxy.FromEnvironment".
"""

import ipaddress
import os
import re
import ssl
from dataclasses import dataclass, field
from importlib.util import find_spec
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies

DEFAULT_PORTS = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}
"""By the proxy schemes that httpx supports."""

_LIKE = "It must look like http://proxy.example.com:8080"
_AUTHORITY = re.compile(r"(?:(?P<login>.*)@)?(?P<host>\[[^\]]*\]|[^:@\[\]]*)(?::(?P<port>.*))?", re.DOTALL)
_HOST = re.compile(r"[^\s\x00-\x20\"#%*,/:;<=>?@\[\\\]^`{|}\x7f]+")
_NOT_PROXIED = re.compile(r"(?P<host>\[[^\]]*\]|[^:\[\]]*)(?::(?P<port>\d+))?")


class UnusableVariable(Exception):
    """A variable of the environment for proxies or certificates has an unusable value.

    Attributes:
        sentence: The name of the variable and the expected form; never the value.
    """

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


@dataclass(frozen=True, slots=True)
class Proxy:
    """A usable proxy.

    Attributes:
        variable: Its variable, such as ``HTTPS_PROXY``.
        host: In ASCII; an IPv6 address in brackets.
        login: User name and password.
    """

    variable: str
    scheme: str
    host: str
    port: int
    login: tuple[str, str] | None = field(default=None, repr=False)

    @property
    def name(self) -> str:
        """Host and port, for messages."""
        return f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        """Its address, without the login."""
        return f"{self.scheme}://{self.name}"

    @property
    def speaks_socks(self) -> bool:
        """Whether it is a SOCKS proxy, whose odd answers raise errors that httpx does not translate."""
        return self.scheme.startswith("socks")


def proxy_for(url: str) -> Proxy | None:
    """The proxy for ``url``; ``None`` for a direct connection, as always to this machine itself.

    Raises:
        UnusableVariable: The variable for ``url`` holds no usable proxy.
    """
    parts = urlsplit(url)
    host, scheme = (parts.hostname or "").rstrip("."), parts.scheme.lower()
    proxies = getproxies()  # lower case has precedence; macOS and Windows: system settings if no variable is set
    kind = next((kind for kind in (scheme, "all") if proxies.get(kind, "").strip()), None)
    if kind is None or _is_this_machine(host):
        return None
    if _is_excepted(host, parts.port or DEFAULT_PORTS.get(scheme), scheme, proxies.get("no", "")):
        return None
    return _read(proxies[kind].strip(), _variable(kind))


def check_certificates() -> None:
    """Raise unless ``SSL_CERT_FILE`` and ``SSL_CERT_DIR``, where set, can replace the usual authorities.

    Raises:
        UnusableVariable: One of them can't.
    """
    file, folder = os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")
    if file:
        try:
            ssl.create_default_context(cafile=file)
        except (OSError, ValueError):
            raise UnusableVariable(
                "SSL_CERT_FILE can't be used: it must name a file of certificates (PEM) that this server may read."
            ) from None
    elif folder and not os.path.isdir(folder):
        raise UnusableVariable("SSL_CERT_DIR can't be used: it must name a folder of certificates.")


def _variable(kind: str) -> str:
    """The spelling of the variable in effect."""
    name = f"{kind}_proxy"
    spellings = [one for one, value in os.environ.items() if one.lower() == name and value]
    if not spellings:
        return f"The system's {kind} proxy setting"
    return next((one for one in spellings if one.endswith("_proxy")), spellings[0])


def _read(value: str, variable: str) -> Proxy:
    def unusable(why: str) -> UnusableVariable:
        return UnusableVariable(f"{variable} can't be used: {why}.")

    scheme, separator, rest = value.partition("://")
    if not separator:
        scheme, rest = "http", value
    scheme = scheme.lower()
    if scheme not in DEFAULT_PORTS:
        known = ", ".join(f"{one}://" for one in DEFAULT_PORTS)
        raise unusable(f"its address must begin with one of {known}")
    match = _AUTHORITY.fullmatch(rest.rstrip("/"))
    if match is None or (not match["host"] and ":" in (match["port"] or "")):
        raise unusable(f"a bracket is missing in its address, or one is too many. {_LIKE} or http://[::1]:8080")
    # A path has no meaning for a proxy. It follows the host and is never within a login.
    (host, slash, _), (port, another, _) = match["host"].partition("/"), (match["port"] or "").partition("/")
    if not separator and (slash or another or value.lower() in DEFAULT_PORTS):
        raise unusable(f"it is not the address of a proxy. {_LIKE}")
    if not host:
        raise unusable(f"it has no host. {_LIKE}")
    if port and not (re.fullmatch(r"[0-9]{1,5}", port) and 1 <= int(port) <= 65_535):
        hint = ". In a user name or password @ is written as %40, : as %3A and / as %2F" if match["login"] else ""
        raise unusable(f"its port must be a number from 1 to 65535{hint}")
    name = _ascii_host(host)
    if name is None:
        raise unusable(f"its host name is not valid. {_LIKE}")
    if scheme.startswith("socks") and find_spec("socksio") is None:
        raise UnusableVariable(
            f"{variable} names a SOCKS proxy, for which a package is missing. Install it (pip install 'httpx[socks]'), "
            "or set HTTPS_PROXY to an HTTP proxy."
        )
    login = None
    if match["login"] is not None:
        user, _, password = match["login"].partition(":")
        login = unquote(user), unquote(password)
        if not "".join(login).isprintable():
            raise unusable("its user name or password holds characters that can't be sent")
    return Proxy(variable, scheme, name, int(port or DEFAULT_PORTS[scheme]), login)


def _ascii_host(host: str) -> str | None:
    """The host for the lookup; ``None`` if it can't be a host name."""
    try:
        if host.startswith("["):
            return f"[{ipaddress.IPv6Address(host[1:-1])}]"
        if re.fullmatch(r"[0-9.]+", host):
            return str(ipaddress.IPv4Address(host))
        return host.encode("idna").decode().lower() if _HOST.fullmatch(host) else None
    except ValueError:
        return None


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _is_this_machine(host: str) -> bool:
    address = _address(host)
    return address.is_loopback if address is not None else host == "localhost" or host.endswith(".localhost")


def _is_excepted(host: str, port: int | None, scheme: str, entries: str) -> bool:
    """Whether ``NO_PROXY`` includes the host. Unreadable entries are skipped, as in curl and Go."""
    return any(_names(entry.lower(), host, port, scheme) for entry in re.split(r"[,\s]+", entries) if entry)


def _names(entry: str, host: str, port: int | None, scheme: str) -> bool:
    if entry == "*":
        return True
    prefix, separator, rest = entry.partition("://")  # httpx accepts these
    if separator:
        if prefix not in {scheme, "all"}:
            return False
        entry = rest
    address = _address(host)
    if (network := _network(entry)) is not None:  # a single address is a network, too
        return address is not None and address.version == network.version and address in network
    match = _NOT_PROXIED.fullmatch(entry)
    if match is None or (match["port"] and int(match["port"]) != port):
        return False
    if (network := _network(match["host"])) is not None:
        return address is not None and address in network
    name = match["host"].removeprefix("*").strip(".")
    if name == "":
        return match["host"] == "*"
    return address is None and (host == name or host.endswith(f".{name}"))


def _network(entry: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(re.sub(r"^\[([^\]]*)\](?=$|/)", r"\1", entry), strict=False)
    except ValueError:
        return None
