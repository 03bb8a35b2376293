"""Decides to which addresses webhooks may be sent: to public ones, and to those that the operator allows.

A member of an organization chooses the URL of a webhook. Without this check the server could be made to call services
in its own network. ``connecting`` asks here for each address that a name resolves to.
"""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address

_GLOBAL_UNICAST = IPv6Network("2000::/3")
_UNFIT = tuple(
    ip_network(text)
    for text in (
        "168.63.129.16/32",  # a service for each virtual machine in Azure
        "192.0.0.0/24",  # IETF protocol assignments; a metadata service in Oracle's cloud
        "192.88.99.0/24",  # the former relays of 6to4
        "2001::/23",  # IETF protocol assignments, with Teredo, which embeds IPv4 addresses
        "2001:db8::/32",
        "2002::/16",  # 6to4, which embeds IPv4 addresses
        "3fff::/20",  # documentation
    )
)
"""No receivers, although some versions of Python count addresses of these networks as global."""
_NAT64 = IPv6Network("64:ff9b::/96")
"""In networks with IPv6 only, names of IPv4 hosts resolve to this. Source: RFC 6052."""


class Allowed:
    """The addresses to which webhooks may be sent: all public ones, and those of ``ROUTIQ_WEBHOOK_PRIVATE``.

    Args:
        private: Host names, addresses and networks.
    """

    def __init__(self, private: Iterable[str] = ()) -> None:
        self._names: set[str] = set()
        self._networks: list[IPv4Network | IPv6Network] = []
        for entry in private:
            try:
                self._networks.append(ip_network(entry.strip("[]"), strict=False))
            except ValueError:
                self._names.add(_plain(entry))

    def includes(self, host: str, address: str) -> bool:
        """Whether webhooks for ``host`` may be sent to this address of it."""
        if _plain(host) in self._names:
            return True
        try:
            parsed = ip_address(address)
        except ValueError:
            return False
        embedded = _embedded(parsed)
        return is_public(parsed) or any(
            one.version == network.version and one in network
            for one in (parsed, embedded)
            if one is not None
            for network in self._networks
        )

    def includes_host(self, host: str) -> bool:
        """Whether the settings name ``host`` itself: its name, or its address if it is one."""
        try:
            address = ip_address(host.strip("[]"))
        except ValueError:
            return _plain(host) in self._names
        return not is_public(address) and self.includes(host, str(address))


def is_public(address: Address) -> bool:
    """Whether the address belongs to a host of the public internet."""
    embedded = _embedded(address)
    if embedded is not None:
        return is_public(embedded)
    if not address.is_global or any(address in network for network in _UNFIT):
        return False
    if isinstance(address, IPv6Address):
        return address in _GLOBAL_UNICAST and address.scope_id is None
    return not address.is_multicast and not address.is_reserved


def _embedded(address: Address) -> IPv4Address | None:
    """The IPv4 address that a connection to this IPv6 address reaches."""
    if isinstance(address, IPv4Address):
        return None
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped


def _plain(host: str) -> str:
    return host.strip("[]").rstrip(".").lower()
