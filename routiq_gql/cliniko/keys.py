"""Derives the API's host from a key, and checks the addresses that a key may be sent to.

Called before any request. A host name is built only from a checked shard. No error raised here holds a key or any part
of it except the shard.
"""

import re
from urllib.parse import urlsplit

from routiq_gql.addresses import is_safe_url
from routiq_gql.cliniko.errors import InvalidApiKey

DEFAULT_SHARD = "au1"
LONGEST = 512
_KEY = re.compile(rf"[A-Za-z0-9+/=_.~-]{{1,{LONGEST}}}")
_SHARD = re.compile(r"\w{2}\d{1,2}", re.ASCII)
SHORTEST_WITHOUT_SHARD = 20
"""Characters. Keys without a shard are longer; a shorter text is only a part of a key, or no key."""
_AROUND = " \t\r\n\v\f\u00a0\u200b\u200e\u200f\u2060\ufeff\"'`“”„‘’«»"
"""White space, invisible characters and quotes that copying may leave around a key."""

_NO_BASE_URL = "The base URL must look like https://api.au1.cliniko.com/v1 (http only for this machine)."


def clean_key(api_key: str) -> str:
    """The key without surrounding white space and quotes, which may come from copying.

    Raises:
        InvalidApiKey: The rest is empty or holds characters that no key has.
    """
    key = api_key.strip(_AROUND)
    if _KEY.fullmatch(key):
        return key
    if not key:
        raise InvalidApiKey("There is no API key: the text is empty.")
    if any(character.isspace() for character in key):
        raise InvalidApiKey("This is not a Cliniko API key: there are spaces or line breaks inside it.")
    if len(key) > LONGEST:
        raise InvalidApiKey(f"This is not a Cliniko API key: it has more than {LONGEST} characters.")
    raise InvalidApiKey("This is not a Cliniko API key: it holds characters that no key has.")


def shard_of(api_key: str) -> str:
    """The shard of the key's account, in lower case: the part after the last dash.

    ``au1`` if there is none, or if the ending is no shard. In the latter case the key may have been cut short while
    pasting; then Cliniko will refuse it.

    Source: Cliniko API, "Authentication".

    Raises:
        InvalidApiKey: The text can't be a key.
    """
    return _named_shard(api_key) or DEFAULT_SHARD


def names_shard(api_key: str) -> bool:
    """Whether the key ends with a shard, such as ``-au1``.

    Raises:
        InvalidApiKey: The text can't be a key.
    """
    return _named_shard(api_key) is not None


def base_url_for(api_key: str) -> str:
    """The address of the API for this key, such as ``https://api.au1.cliniko.com/v1``.

    Raises:
        InvalidApiKey: The text can't be a key, or has no shard and is too short for a key without a shard.
    """
    if not names_shard(api_key) and len(clean_key(api_key)) < SHORTEST_WITHOUT_SHARD:
        raise InvalidApiKey(
            "This is not a whole Cliniko API key: it is short, and the region at its end, such as -au1, is missing."
        )
    return f"https://api.{shard_of(api_key)}.cliniko.com/v1"


def key_without_shard(api_key: str) -> str:
    """The part that identifies the user; equal for the same key with and without its shard.

    Raises:
        InvalidApiKey: The text can't be a key.
    """
    key = clean_key(api_key)
    return key.rpartition("-")[0] if names_shard(key) else key


def _named_shard(api_key: str) -> str | None:
    _, dash, ending = clean_key(api_key).rpartition("-")
    return ending.lower() if dash and _SHARD.fullmatch(ending) else None


def check_base_url(base_url: str) -> str:
    """``base_url`` without a final slash, if a key may be sent there.

    Raises:
        ValueError: It is neither https nor on this machine, or holds more than scheme, host, port and path.
    """
    try:
        parts = urlsplit(base_url)
        has_good_port = parts.port != 0
    except ValueError:  # a bracket that is not closed, or a port that is none
        raise ValueError(_NO_BASE_URL) from None
    has_more = "@" in parts.netloc or parts.query or parts.fragment
    is_plain = base_url.isascii() and base_url.isprintable()
    if not (is_plain and has_good_port and is_safe_url(base_url)) or has_more:
        raise ValueError(_NO_BASE_URL)
    return base_url.rstrip("/")
