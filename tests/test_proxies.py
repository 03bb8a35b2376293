"""Selection of the proxy for an address, for all common ways to set the variables."""

import os
import re

import pytest

from routiq_gql.proxies import Proxy, UnusableVariable, check_certificates, proxy_for

CLINIKO = "https://api.au1.cliniko.com/v1"


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in ("http", "https", "all", "no"):
        for name in (f"{kind}_proxy", f"{kind}_PROXY".upper()):
            monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("value", "url", "login"),
    [
        ("http://proxy.example.com:3128", "http://proxy.example.com:3128", None),
        ("proxy:8080", "http://proxy:8080", None),
        ("  http://proxy:8080/  ", "http://proxy:8080", None),
        ("HTTP://Proxy", "http://proxy:80", None),
        ("http://h:", "http://h:80", None),
        ("https://h", "https://h:443", None),
        ("http://[::1]:8080", "http://[::1]:8080", None),
        ("[fd00::2]:8080", "http://[fd00::2]:8080", None),
        ("http://h/proxy.pac", "http://h:80", None),
        ("http://prüxy:3128", "http://xn--prxy-1ra:3128", None),
        ("http://user:secret@h:81", "http://h:81", ("user", "secret")),
        ("http://us@er:p%40s%25@h:81", "http://h:81", ("us@er", "p@s%")),
        ("http://user:50%@h:81", "http://h:81", ("user", "50%")),
        ("http://u:a/b#c?d@h:81", "http://h:81", ("u", "a/b#c?d")),
        ("http://user@h:81", "http://h:81", ("user", "")),
    ],
)
def test_a_proxy_is_understood(monkeypatch: pytest.MonkeyPatch, value: str, url: str, login: tuple[str, str] | None):
    """Every form of proxy that other programs accept works here, too."""
    monkeypatch.setenv("HTTPS_PROXY", value)
    proxy = proxy_for(CLINIKO)
    assert proxy is not None
    assert (proxy.url, proxy.login, proxy.variable) == (url, login, "HTTPS_PROXY")
    assert "secret" not in repr(proxy)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("http://", "has no host"),
        ("http://:8080", "has no host"),
        ("http://user:hunter2@", "has no host"),
        ("http", "not the address of a proxy"),
        ("socks5h", "not the address of a proxy"),
        ("http:/h", "not the address of a proxy"),
        ("http//hunter2:80", "not the address of a proxy"),
        ("://x", "must begin with one of http://"),
        ("ftp://hunter2", "must begin with one of http://"),
        ("socks://hunter2:1", "must begin with one of http://"),
        ("http://[::1", "bracket"),
        ("http://::1]", "bracket"),
        ("http://::1:8080", "bracket"),
        ("::1", "bracket"),
        ("http://h:99999", "port must be a number from 1 to 65535"),
        ("http://h:0", "port must be a number"),
        ("http://h:-1", "port must be a number"),
        ("http://h:port", "port must be a number"),
        ("http://h:８０", "port must be a number"),
        ("http://u:hunter2@h:80x", r"port must be a number .* %40"),
        ("http://two words:80", "host name is not valid"),
        ("http://999.1.1.1", "host name is not valid"),
        ("http://[fd00::zz]:80", "host name is not valid"),
        ("http://a..b", "host name is not valid"),
        ("http://h\\x", "host name is not valid"),
        (f"http://{'a' * 70}", "host name is not valid"),
        ("http://u\udcff:hunter2@h", "characters that can't be sent"),
        ("http://u:hunter2%0D%0AX@h", "characters that can't be sent"),
        ("socks5://h:1080", r"SOCKS proxy.*package is missing.*httpx\[socks\]"),
        ("socks5h://u:hunter2@h", r"SOCKS proxy.*package is missing"),
    ],
)
@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"])
def test_a_value_that_is_no_proxy_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, expected: str
):
    """The error for an unusable proxy names the variable and the expected form, and repeats nothing of the value."""
    monkeypatch.setenv(variable, value)
    with pytest.raises(UnusableVariable) as unusable:
        proxy_for(CLINIKO)
    sentence = unusable.value.sentence
    assert sentence.startswith(f"{variable} ")
    assert re.search(expected, sentence)
    assert sentence.endswith(".")
    assert "\n" not in sentence
    assert "hunter2" not in sentence


@pytest.mark.parametrize("value", ["", "   "])
def test_an_empty_variable_is_none(monkeypatch: pytest.MonkeyPatch, value: str):
    """An empty variable switches the proxy off."""
    monkeypatch.setenv("HTTPS_PROXY", value)
    assert proxy_for(CLINIKO) is None


def test_the_most_specific_variable_counts_and_lower_case_wins(monkeypatch: pytest.MonkeyPatch):
    """A variable that is not in effect is ignored, so an invalid value in it does no harm."""
    monkeypatch.setenv("ALL_PROXY", "socks5://nowhere:1")
    monkeypatch.setenv("HTTP_PROXY", "ftp://nowhere")
    monkeypatch.setenv("HTTPS_PROXY", "http://first:1")
    assert _name(CLINIKO) == "first:1"
    monkeypatch.setenv("https_proxy", "http://second:2")
    assert _name(CLINIKO) == "second:2"
    monkeypatch.setenv("all_proxy", "http://third:3")
    monkeypatch.setenv("https_proxy", "")  # disables HTTPS_PROXY
    assert _name(CLINIKO) == "third:3"


_SPELLINGS = ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")


@pytest.mark.parametrize("order", [_SPELLINGS, _SPELLINGS[::-1]], ids=["upper case first", "lower case first"])
@pytest.mark.parametrize("number", range(1, 2 ** len(_SPELLINGS)))
def test_the_named_variable_is_the_one_in_effect(monkeypatch: pytest.MonkeyPatch, number: int, order: tuple[str, ...]):
    """Whichever variables are set besides, in any order, a message names the one to correct."""
    given = [name for place, name in enumerate(order) if number >> place & 1]
    for name in given:
        monkeypatch.setenv(name, f"http://{name.lower().replace('_', '-')}-{name.isupper()}:1")
    proxy = proxy_for(CLINIKO)
    assert proxy is not None
    assert os.environ[proxy.variable].lower() == proxy.url
    for name in given:
        monkeypatch.setenv(name, "ftp://nowhere")
    with pytest.raises(UnusableVariable, match=proxy.variable):
        proxy_for(CLINIKO)


@pytest.mark.parametrize("variable", ["ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY"])
@pytest.mark.parametrize("value", ["http://proxy:1", "ftp://nowhere", "socks5://h"])
@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.8.9.1", "localhost", "clinic.localhost", "[::1]", "[::ffff:127.0.0.1]"]
)
def test_this_machine_is_asked_directly(monkeypatch: pytest.MonkeyPatch, variable: str, value: str, host: str):
    """An emulator on this machine is reached directly, whatever the proxy settings."""
    monkeypatch.setenv(variable, value)
    assert proxy_for(f"http://{host}:8000/v1") is None
    assert proxy_for(f"https://{host}:8000/v1") is None


IN_THE_WAY = "localhost,fd07:b51a:cc66:f0::/64"
"""The value that OrbStack sets."""


@pytest.mark.parametrize(
    ("entries", "url", "is_direct"),
    [
        (IN_THE_WAY, CLINIKO, False),
        (IN_THE_WAY, "https://[fd07:b51a:cc66:f0::7]/v1", True),
        (IN_THE_WAY, "https://[fd07:b51a:cc66:f1::7]/v1", False),
        ("10.0.0.0/8, 192.168.0.0/16", "https://10.20.30.40/v1", True),
        ("10.0.0.0/8, 192.168.0.0/16", "https://11.20.30.40/v1", False),
        ("10.0.0.1/8", "https://10.20.30.40/v1", True),
        ("10.1.2.3", "https://10.1.2.3:8443/v1", True),
        ("10.1.2.3:8443", "https://10.1.2.3:8443/v1", True),
        ("10.1.2.3:8443", "https://10.1.2.3/v1", False),
        ("fd00::1", "https://[fd00::1]/v1", True),
        ("[fd00::1]", "https://[fd00::1]/v1", True),
        ("[fd00::1]:443", "https://[fd00::1]/v1", True),
        ("[fd00::1]:8443", "https://[fd00::1]/v1", False),
        ("cliniko.com", CLINIKO, True),
        (".cliniko.com", CLINIKO, True),
        ("*.cliniko.com", CLINIKO, True),
        ("*.cliniko.com,", "https://cliniko.com", True),
        ("API.AU1.CLINIKO.COM", CLINIKO, True),
        ("cliniko.com.", CLINIKO, True),
        ("cliniko.com", "https://api.au1.cliniko.com./v1", True),
        ("iniko.com", CLINIKO, False),
        ("au1.cliniko.com", "https://notau1.cliniko.com", False),
        ("cliniko.com:443", CLINIKO, True),
        ("cliniko.com:8443", CLINIKO, False),
        ("https://cliniko.com", CLINIKO, True),
        ("http://cliniko.com", CLINIKO, False),
        ("all://*", CLINIKO, True),
        ("*", CLINIKO, True),
        ("example.com,*", CLINIKO, True),
        (" , ,, cliniko.com ,", CLINIKO, True),
        ("example.com cliniko.com", CLINIKO, True),
        ("", CLINIKO, False),
        (" , ", CLINIKO, False),
        (".", CLINIKO, False),
        # Unreadable entries are skipped.
        ("fd07::/999,[::1,10.0.0.0/99,a:b:c,http://,://,[],host:port,\udcff", CLINIKO, False),
        ("fd07::/999,[::1,a:b:c,cliniko.com", CLINIKO, True),
        ("[::1,10.0.0.0/99,com:port", CLINIKO, False),
    ],
)
@pytest.mark.parametrize("variable", ["NO_PROXY", "no_proxy"])
def test_exceptions_are_honoured_or_skipped(
    monkeypatch: pytest.MonkeyPatch, variable: str, entries: str, url: str, is_direct: bool
):
    """Names, networks, addresses and ports in NO_PROXY mean the same as in other programs; no entry causes an error."""
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:1")
    monkeypatch.setenv(variable, entries)
    assert (proxy_for(url) is None) is is_direct


def test_an_exception_makes_an_unusable_proxy_harmless(monkeypatch: pytest.MonkeyPatch):
    """An unusable proxy does no harm if the address is reached directly."""
    monkeypatch.setenv("ALL_PROXY", "socks5://h:1080")
    monkeypatch.setenv("NO_PROXY", "cliniko.com")
    assert proxy_for(CLINIKO) is None


def test_wrong_certificates_are_one_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path):
    """The error for a missing or empty file of certificates names its variable."""
    (tmp_path / "no.pem").write_text("no certificate")
    for value in (tmp_path / "missing.pem", tmp_path / "no.pem", tmp_path):
        monkeypatch.setenv("SSL_CERT_FILE", str(value))
        with pytest.raises(UnusableVariable, match=r"^SSL_CERT_FILE can't be used"):
            check_certificates()
    monkeypatch.setenv("SSL_CERT_FILE", "")
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "missing"))
    with pytest.raises(UnusableVariable, match=r"^SSL_CERT_DIR can't be used"):
        check_certificates()
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    check_certificates()


def _name(url: str) -> str:
    proxy = proxy_for(url)
    assert isinstance(proxy, Proxy)
    return proxy.name
