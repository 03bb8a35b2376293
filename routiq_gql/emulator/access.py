"""Access to the emulated account: API keys and their rights, the User-Agent check and the request limit.

The server checks access before anything else. Keys are compared and never recorded.
"""

import base64
import binascii
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

EMULATED_API_KEY = "MS0xMjM0NTY3ODktZW11bGF0ZWQta2V5LW5vdC1zZWNyZXQ-au1"
"""The default key of emulated accounts. It gives access to no real account."""

_SHARD_SUFFIX = re.compile(r"-\w{2}\d{1,2}$")
_USER_AGENT = re.compile(r"\S.* \(([^@\s()<>]+@[^@\s()<>]+\.[^@\s()<>]+)\)$")


@dataclass(frozen=True, slots=True)
class Access:
    """The rights of a key.

    Attributes:
        role: Cliniko's role of the user, such as ``administrator`` or ``receptionist``.
        forbidden: Names of lists that this user may not read; the response is 403. ``practitioners`` includes inactive.
    """

    role: str = "administrator"
    forbidden: frozenset[str] = frozenset()
    user_id: str = "514810976034364001"
    first_name: str = "Robin"
    last_name: str = "Harbour"
    email: str = "robin@clinic.example"


ApiKeys = str | Mapping[str, Access]


class KeyRing:
    """The keys of the account. A key is valid with and without its shard suffix."""

    def __init__(self, keys: ApiKeys) -> None:
        given = {keys: Access()} if isinstance(keys, str) else dict(keys)
        self._access = {_SHARD_SUFFIX.sub("", key): access for key, access in given.items()}

    def open(self, authorization: str | None) -> Access | None:
        """The rights of the header's key; ``None`` if it is missing or unknown, or has a password."""
        scheme, _, encoded = (authorization or "").partition(" ")
        if scheme.lower() != "basic":
            return None
        try:
            name, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None
        return None if password else self._access.get(_SHARD_SUFFIX.sub("", name))


def is_acceptable_user_agent(value: str | None) -> bool:
    """Whether the header has the documented form ``APP_VENDOR_NAME (APP_VENDOR_EMAIL)``."""
    return _USER_AGENT.fullmatch(value or "") is not None


@dataclass(slots=True)
class RequestLimit:
    """Counts requests per user and period, as Cliniko does: in fixed windows.

    Attributes:
        requests: Requests in a period; ``None`` for no limit.
        period_seconds: Cliniko's minute; tests may shorten it.
    """

    requests: int | None
    period_seconds: float = 60
    _windows: dict[str, tuple[float, int]] = field(default_factory=dict)

    def refuse_for(self, user_id: str) -> float | None:
        """Count a request: ``None`` if it may pass, else the seconds until the next window begins."""
        if self.requests is None:
            return None
        now = time.monotonic()  # a test may set the emulated clock, and clients wait in real time
        ends, used = self._windows.get(user_id, (0.0, 0))
        if now >= ends:
            ends, used = now + self.period_seconds, 0
        self._windows[user_id] = (ends, used + 1)
        return ends - now if used >= self.requests else None
