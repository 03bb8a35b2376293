"""Which addresses are accepted for webhooks."""

import pytest

from routiq_gql.errors import BadInput
from routiq_gql.webhooks.addresses import Allowed
from routiq_gql.webhooks.registrations import checked_url


@pytest.mark.parametrize(
    "url",
    [
        *("", "hooks.example.com", "http://hooks.example.com/", "ftp://hooks.example.com/", "https:///path"),
        *("https://user@hooks.example.com/", "https://user:pass@hooks.example.com/", "https://hooks.example.com/#top"),
        *("https://hooks.example.com/#", "https://hooks.example.com:0/", "https://hooks.example.com:99999/"),
        *("https://hooks.example.com/a b", "https://hooks.example.com/\n", "https://hôte.example.com/"),
        *("https://hooks.example.com\\@evil.example.com/", "https://[::1/", "http://127.0.0.1:8000/", "//example.com/"),
        *("https://256.1.1.1/", "https://1.2.3/", "https://0x7f.1/", "https://2130706433/", "https://1.1.1.1./"),
        *("https://hooks.example.123/", "https://hooks..example.com/", "https://-hooks.example.com/", "https://./"),
        *(
            "https://%68ooks.example.com/",
            "https://*.example.com/",
            "https://[v1.x]/",
            "https://[2606:4700::1%25eth0]/",
        ),
        *("https://10.0.0.1/", "https://127.0.0.1/", "https://[::1]/", "https://[::ffff:10.0.0.1]/"),
        *(f"https://{'a' * 64}.example.com/", f"https://{'a.' * 127}com/", f"https://hooks.example.com/{'a' * 2000}"),
    ],
)
def test_an_address_to_which_nothing_can_be_sent_is_refused(url: str):
    """Only https addresses of possible and public hosts are accepted, without a password or a fragment."""
    with pytest.raises(BadInput, match=r"^The address of a webhook .*\.$"):
        checked_url(url, Allowed())


@pytest.mark.parametrize(
    "host",
    [
        *("hooks.example.com", "1.1.1.1:8443", "[2606:4700:4700::1111]", "3com.com", "0x.example.com", "localhost"),
        *("a_b.example.com.", "xn--hte-1na.fr", f"{'a' * 63}.example.com", "HOOKS.example.com"),
    ],
)
def test_unusual_hosts_that_may_exist_are_accepted(host: str):
    """A public IP address, and a name with digits, underscores, a dot at its end or in Punycode can be a receiver's."""
    url = f"https://{host}/routiq?from=1"
    assert checked_url(url, Allowed()) == url


def test_an_operator_may_allow_addresses_of_the_own_network():
    """With ROUTIQ_WEBHOOK_PRIVATE, listed receivers may be registered by address and without TLS, and no others."""
    allowed = Allowed(["127.0.0.0/8", "10.1.0.0/16", "crm.internal"])
    for url in ("http://127.0.0.1:9000/", "http://crm.internal:9000/", "https://10.1.2.3/"):
        assert checked_url(url, allowed) == url
    for url in ("http://[::1]:9000/", "http://hooks.example.com/", "https://10.2.0.1/", "https://[::1]/"):
        with pytest.raises(BadInput, match="ROUTIQ_WEBHOOK_PRIVATE"):
            checked_url(url, allowed)
