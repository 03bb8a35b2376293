"""The user name and the password of a proxy reach every tool of ``check`` unchanged."""

from types import SimpleNamespace
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routiq_gql.doctor.live import _proxy_url
from routiq_gql.proxies import proxy_for

texts = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=8)


@given(user=texts, password=texts)
def test_a_login_of_any_characters_is_the_one_in_the_address(user: str, password: str):
    """The websocket goes through the same proxy as all other requests, also with a slash or an @ in its password."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"):
            patch.delenv(name, raising=False)
        patch.setenv("HTTPS_PROXY", f"http://{quote(user, safe='')}:{quote(password, safe='')}@proxy.example.com:3128")
        site: Any = SimpleNamespace(proxy=proxy_for("https://routiq.example.com"))
    assert site.proxy is not None
    assert site.proxy.login == (user, password)
    parts = urlsplit(_proxy_url(site) or "")
    assert (unquote(parts.username or ""), unquote(parts.password or "")) == (user, password)
    assert (parts.scheme, parts.hostname, parts.port, parts.path) == ("http", "proxy.example.com", 3128, "")
