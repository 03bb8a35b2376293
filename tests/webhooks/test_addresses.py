"""The addresses to which webhooks may be sent."""

from ipaddress import ip_address

import pytest

from routiq_gql.errors import SettingsError
from routiq_gql.settings import load_settings
from routiq_gql.webhooks.addresses import Allowed, is_public

PRIVATE = (
    *("0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.255.255.254"),
    *("169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.192", "192.0.2.1", "192.88.99.1", "192.168.0.1"),
    *("168.63.129.16", "192.0.0.9", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.1.2.3", "240.0.0.1"),
    "255.255.255.255",
    *("::", "::1", "::7f00:1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:0:127.0.0.1", "64:ff9b::127.0.0.1"),
    *("64:ff9b::a00:1", "64:ff9b:1::a00:1", "100::1", "2001::7f00:1", "2001:0:4136:e378:8000:63bf:3fff:fdd2"),
    *("2001:db8::1", "2002:7f00:1::1", "2002:808:808::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%eth0"),
    *("2606:4700:4700::1111%eth0", "3fff::1", "fec0::1", "ff02::1", "ff0e::1"),
)
PUBLIC = (
    *("1.1.1.1", "8.8.8.8", "100.63.255.255", "172.32.0.1", "192.169.0.1", "2606:4700:4700::1111"),
    *("::ffff:8.8.8.8", "64:ff9b::808:808"),
)


@pytest.mark.parametrize("address", PRIVATE)
def test_no_form_of_a_private_address_is_public(address: str):
    """A webhook can't reach a service in the server's own network, however its address is written."""
    assert not is_public(ip_address(address))
    assert not Allowed().includes("hooks.example.com", address)


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_public(address: str):
    """A receiver on the internet is reached, over either version of IP."""
    assert Allowed().includes("hooks.example.com", address)


@pytest.mark.parametrize(
    ("entry", "host", "address"),
    [
        ("10.1.2.0/24", "hooks.example.com", "10.1.2.3"),
        ("10.1.2.3", "10.1.2.3", "10.1.2.3"),
        ("10.1.2.3", "hooks.example.com", "::ffff:10.1.2.3"),
        ("fd12::/16", "hooks.example.com", "fd12::5"),
        ("[::1]", "::1", "::1"),
        ("Hooks.Internal", "hooks.internal.", "192.168.7.7"),
    ],
)
def test_an_operator_can_allow_private_receivers(entry: str, host: str, address: str):
    """A clinic's own system in the same network is reached if the operator lists it."""
    assert Allowed([entry]).includes(host, address)
    assert not Allowed([entry]).includes("hooks.example.com", "10.9.9.9")


def test_only_listed_hosts_count_as_private_receivers():
    """Plain http is accepted for the hosts that the operator lists, and for no public one."""
    allowed = Allowed(["hooks.internal", "127.0.0.0/8", "0.0.0.0/0"])
    assert [
        host for host in ("hooks.internal", "127.0.0.1", "8.8.8.8", "example.com") if allowed.includes_host(host)
    ] == [
        "hooks.internal",
        "127.0.0.1",
    ]


def test_a_wrong_entry_stops_the_start(monkeypatch: pytest.MonkeyPatch):
    """An operator who mistypes a network gets an error, and does not open or close something else."""
    for wrong in ("10.0.0.300", "10.0.0.1/24", "http://hooks.internal", "*.internal", "hooks.internal:80"):
        monkeypatch.setenv("ROUTIQ_WEBHOOK_PRIVATE", wrong)
        with pytest.raises(SettingsError, match=r"^ROUTIQ_WEBHOOK_PRIVATE\S* is wrong: must be host names"):
            load_settings()
    monkeypatch.setenv("ROUTIQ_WEBHOOK_PRIVATE", "hooks.internal, 10.0.0.0/8 ::1")
    assert load_settings().webhook_private == ("hooks.internal", "10.0.0.0/8", "::1")
