"""The public keys of a token issuer: fetched, cached, and refreshed without delaying requests.

An unknown key id causes another fetch, at most every 30 seconds, so that invented ids cost the issuer nothing. If the
issuer can't be reached, or sends an invalid key set, the known keys stay valid for a day.
"""

import asyncio
import json
import ssl
import time

import httpx
import jwt
import structlog
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from routiq_gql.errors import IssuerAway, SettingsError
from routiq_gql.proxies import Proxy, UnusableVariable, check_certificates, proxy_for
from routiq_gql.supervision import SupervisedTask

PublicKey = RSAPublicKey | EllipticCurvePublicKey

FETCH_SECONDS = 4.0
"""Less than the time limit for a new websocket's first message."""
UNKNOWN_KEY_SECONDS = 30.0
REFRESH_SECONDS = 600.0
"""Age at which keys are fetched again, so that a withdrawn key is not accepted forever."""
UNCONFIRMED_SECONDS = 24 * 3600.0
"""Without a successful fetch for this long, no key is valid: the issuer may have withdrawn it."""
RETRY_SECONDS = 2.0
"""Pause after a failed fetch while no key is known or valid."""
MAX_BYTES = 256 * 1024
MAX_KEYS = 100
MIN_RSA_BITS = 2048

log = structlog.get_logger(__name__)


class UnusableKeySet(Exception):
    """The issuer's response is no set of public keys."""


class KeySet:
    """The keys published at one address. Close it.

    Args:
        url: Where the issuer publishes them. Source: RFC 7517, "JWK Set Format".

    Attributes:
        refresh: The task that fetches them again. An unreachable issuer is no failure of the task: known keys stay
            valid.

    Raises:
        SettingsError: The environment names a proxy or certificates that can't be used.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        try:
            self._proxy = proxy_for(url)
            check_certificates()
        except UnusableVariable as error:
            raise SettingsError(error.sentence) from None
        tls = httpx.create_ssl_context()
        self._client = httpx.AsyncClient(
            timeout=FETCH_SECONDS,
            follow_redirects=False,
            verify=tls,
            trust_env=False,  # httpx raises on values that other tools skip; see ``proxies``
            proxy=None if self._proxy is None else _for_httpx(self._proxy, tls),
        )
        self._keys: dict[tuple[str, str], PublicKey] = {}
        self._fetched_at: float | None = None  # last success
        self._tried_at: float | None = None
        self._lock = asyncio.Lock()
        self._refreshing: asyncio.Task[None] | None = None
        self.refresh = SupervisedTask("public keys", "The issuer's public keys are not fetched again.")

    async def key(self, key_id: str, algorithm: str) -> PublicKey | None:
        """The issuer's key with this id and algorithm; ``None`` if there is none.

        Raises:
            IssuerAway: No keys are known, or they are unconfirmed for too long, and they can't be fetched.
        """
        if not self._is_known(key_id, algorithm):
            await self._fetch_unless_recent(key_id, algorithm)
        elif self._is_older_than(self._fetched_at, REFRESH_SECONDS):
            self._refresh_in_background()
        if self._are_unconfirmed:
            raise IssuerAway("Tokens can't be checked at the moment. Try again soon.")
        return self._keys.get((key_id, algorithm))

    async def close(self) -> None:
        """Cancel a running fetch and close the client."""
        if self._refreshing is not None:
            self._refreshing.cancel()
            await asyncio.wait({self._refreshing})
        await self._client.aclose()

    async def _fetch_unless_recent(self, key_id: str, algorithm: str) -> None:
        """Fetch once for all waiting callers, unless the last attempt was very recent."""
        async with self._lock:
            pause = RETRY_SECONDS if self._are_unconfirmed else UNKNOWN_KEY_SECONDS
            if not self._is_known(key_id, algorithm) and self._is_older_than(self._tried_at, pause):
                await self._fetch()

    def _is_known(self, key_id: str, algorithm: str) -> bool:
        return not self._are_unconfirmed and (key_id, algorithm) in self._keys

    @property
    def _are_unconfirmed(self) -> bool:
        return self._is_older_than(self._fetched_at, UNCONFIRMED_SECONDS)

    def _refresh_in_background(self) -> None:
        is_running = self._refreshing is not None and not self._refreshing.done()
        if not is_running and self._is_older_than(self._tried_at, UNKNOWN_KEY_SECONDS):
            self._refreshing = asyncio.create_task(self.refresh.until_done(self._fetch), name=self.refresh.name)

    @staticmethod
    def _is_older_than(moment: float | None, seconds: float) -> bool:
        return moment is None or time.monotonic() - moment > seconds

    async def _fetch(self) -> None:
        """Replace all keys, or keep them and log why."""
        self._tried_at = time.monotonic()
        try:
            async with asyncio.timeout(FETCH_SECONDS):
                keys = _read(await self._download())
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, UnusableKeySet) as error:
            self._note(str(error) or type(error).__name__)
            return
        except Exception as error:
            if self._proxy is None or not self._proxy.speaks_socks:
                raise
            self._note(type(error).__name__)  # httpx passes on socksio's errors
            return
        self._keys, self._fetched_at = keys, time.monotonic()

    def _note(self, reason: str) -> None:
        through = {"proxy": self._proxy.name} if self._proxy is not None else {}
        known = 0 if self._are_unconfirmed else len(self._keys)
        log.warning("public_keys_not_fetched", reason=reason, known=known, **through)
        if self._keys and not known:
            log.error("public_keys_dropped", what_happened="They were not confirmed for a day.")
            self._keys, self._fetched_at = {}, None

    async def _download(self) -> bytes:
        async with self._client.stream("GET", self._url, headers={"Accept": "application/json"}) as answer:
            if answer.status_code != httpx.codes.OK:
                raise UnusableKeySet(f"status {answer.status_code}")
            body = b""
            async for piece in answer.aiter_bytes():
                body += piece
                if len(body) > MAX_BYTES:
                    raise UnusableKeySet("too long")
            return body


def _for_httpx(proxy: Proxy, tls: ssl.SSLContext) -> httpx.Proxy:
    return httpx.Proxy(proxy.url, auth=proxy.login, ssl_context=tls if proxy.scheme == "https" else None)


def _read(body: bytes) -> dict[tuple[str, str], PublicKey]:
    try:
        listed = json.loads(body)["keys"][:MAX_KEYS]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise UnusableKeySet("no JSON Web Key Set") from None
    keys: dict[tuple[str, str], PublicKey] = {}
    for entry in listed:
        if isinstance(entry, dict) and (key := _public_key(entry)) is not None:
            keys[str(entry["kid"]), "RS256" if isinstance(key, RSAPublicKey) else "ES256"] = key
    if not keys:
        raise UnusableKeySet("no key in it can be used")
    return keys


def _public_key(entry: dict[str, object]) -> PublicKey | None:
    """The key, if it is strong enough and meant for signatures with an accepted algorithm."""
    algorithm = {"RSA": "RS256", "EC": "ES256"}.get(str(entry.get("kty")))
    if algorithm is None or not entry.get("kid") or entry.get("use", "sig") != "sig":
        return None
    if entry.get("alg", algorithm) != algorithm:
        return None
    public = {name: value for name, value in entry.items() if name in {"kty", "n", "e", "crv", "x", "y"}}
    try:
        key = jwt.PyJWK(public, algorithm).key
    except (jwt.PyJWTError, ValueError, TypeError):
        return None
    if isinstance(key, RSAPublicKey):
        return key if key.key_size >= MIN_RSA_BITS else None
    if isinstance(key, EllipticCurvePublicKey):
        return key if isinstance(key.curve, SECP256R1) else None
    return None
