"""What an API key says about its host, and which addresses a key may be sent to.

Called before anything is sent: a host name is built only from a shard that has been checked. No function here puts a
key, or a part of one other than the shard, into an error.
"""

import ipaddress
import re
from urllib.parse import urlsplit

from routiq_gql.cliniko.errors import InvalidApiKey

DEFAULT_SHARD = "au1"
_KEY = re.compile(r"[A-Za-z0-9+/=_.~-]{1,512}")
_SHARD = re.compile(r"\w{2}\d{1,2}", re.ASCII)


def clean_key(api_key: str) -> str:
    """The key without the white space that copying may have left around it.

    Raises:
        InvalidApiKey: What remains is empty or holds characters that no key has.
    """
    key = api_key.strip()
    if not _KEY.fullmatch(key):
        raise InvalidApiKey
    return key


def shard_of(api_key: str) -> str:
    """The shard that the key's account lives on, in lower case: what follows the key's last dash.

    A key without one belongs to ``au1``. So does one whose ending is no shard; should that key have been cut short
    when it was pasted, Cliniko will refuse it.

    Source: Cliniko API, "Authentication".

    Raises:
        InvalidApiKey: The text can't be a key.
    """
    _, dash, ending = clean_key(api_key).rpartition("-")
    return ending.lower() if dash and _SHARD.fullmatch(ending) else DEFAULT_SHARD


def base_url_for(api_key: str) -> str:
    """The address of the API for this key, such as ``https://api.au1.cliniko.com/v1``.

    Raises:
        InvalidApiKey: The text can't be a key.
    """
    return f"https://api.{shard_of(api_key)}.cliniko.com/v1"


def key_without_shard(api_key: str) -> str:
    """The part that Cliniko tells users apart by; the same key with and without its shard gives the same.

    Raises:
        InvalidApiKey: The text can't be a key.
    """
    key = clean_key(api_key)
    head, dash, ending = key.rpartition("-")
    return head if dash and _SHARD.fullmatch(ending) else key


def check_base_url(base_url: str) -> str:
    """``base_url`` without a final slash, if a key may be sent there.

    Raises:
        ValueError: It is neither https nor on this machine, or holds more than scheme, host, port and path.
    """
    parts = urlsplit(base_url)
    is_safe = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(base_url))
    if not is_safe or not parts.hostname or "@" in parts.netloc or parts.query or parts.fragment:
        raise ValueError("The base URL must look like https://api.au1.cliniko.com/v1 (http only for this machine).")
    return base_url.rstrip("/")


def is_loopback(url: str) -> bool:
    """Whether ``url`` names this machine itself."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
