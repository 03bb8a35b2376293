"""The host and the allowed addresses of an API key."""

import pytest

from routiq_gql.cliniko import ClinikoError, InvalidApiKey, base_url_for, shard_of
from routiq_gql.cliniko.keys import check_base_url, clean_key


@pytest.mark.parametrize(
    ("key", "shard"),
    [
        ("MS0xLWabc-au2", "au2"),
        ("MS0xLWabc-UK1", "uk1"),
        ("MS0x-LW-abc-ca10", "ca10"),
        ("MS0xLWabc", "au1"),
        ("MS0xLWabc-a", "au1"),
        ("MS0xLWabc-", "au1"),
        ("MS0xLWabc-au123", "au1"),
        ("MS0xLWabc-au1.evil.example", "au1"),
        ("  MS0xLWabc-us1\n", "us1"),
    ],
)
def test_the_host_comes_from_the_shard_after_the_last_dash(key: str, shard: str) -> None:
    """A key determines its clinic's region; a key without a region belongs to the first, never to an invented host."""
    assert shard_of(key) == shard
    assert base_url_for(f"MS0xLTk4NzY1NDMyMQ{key.lstrip()}") == f"https://api.{shard}.cliniko.com/v1"


@pytest.mark.parametrize(
    "key", ["", "  ", "''", "two words", "a\nb-au1", 'MS0x"-au1', "key:pw", "kéy-au1", "x-au1/@h?#", "x" * 600]
)
def test_text_that_cannot_be_a_key_is_refused_before_anything_is_sent(key: str) -> None:
    """Pasting a wrong text leads to an explanation that does not repeat the text."""
    with pytest.raises(InvalidApiKey) as caught:
        shard_of(key)
    assert caught.value.code == "KEY_REFUSED"
    assert isinstance(caught.value, ClinikoError)
    if key.strip():
        assert key.strip() not in caught.value.message + caught.value.what_to_do


@pytest.mark.parametrize("key", ["abc", "MS0xLWabc-a", "MS0xLWabc-", "-", "au1"])
def test_a_short_text_without_a_region_is_a_part_of_a_key(key: str) -> None:
    """A key that lost its ending while copying is refused without a request, and the error names the missing part."""
    with pytest.raises(InvalidApiKey, match="-au1, is missing"):
        base_url_for(key)


@pytest.mark.parametrize(
    "around", [(" ", "\n"), ('"', '"'), ("'", "'"), ("“", "”"), ("`", "` "), ("\ufeff", "\u200b"), ("\r\n\t", '"\r\n')]
)
def test_quotes_and_spaces_around_a_copied_key_are_ignored(around: tuple[str, str]) -> None:
    """Quotes, line breaks and invisible characters around a pasted key are ignored."""
    assert clean_key(f"{around[0]}MS0xLWabc-uk1{around[1]}") == "MS0xLWabc-uk1"


@pytest.mark.parametrize("url", ["https://api.au1.cliniko.com/v1/", "http://127.0.0.1:8000/v1", "http://[::1]:1/v1"])
def test_a_key_may_go_to_cliniko_and_to_this_machine(url: str) -> None:
    """A key may go to https addresses, and unencrypted only to this machine."""
    assert check_base_url(url) == url.rstrip("/")


@pytest.mark.parametrize(
    "url",
    [
        "http://api.au1.cliniko.com/v1",
        "ftp://localhost/",
        "https://user@host/v1",
        "https:///v1",
        "https://h/v1?a=b",
        "",
    ],
)
def test_a_key_may_go_nowhere_else(url: str) -> None:
    """An unencrypted or unusual address gets no key."""
    with pytest.raises(ValueError, match="base URL"):
        check_base_url(url)
