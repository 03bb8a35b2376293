"""HTTP access to a Routiq server from outside: its address, requests with a deadline, and their responses.

The only module of this package that uses httpx. It needs the kinds of TLS errors, streamed bodies, unfollowed redirects
and company proxies; the standard library lacks some of these.
"""

import asyncio
import json
import re
import socket
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import httpx

from routiq_gql.errors import BadInput, SettingsError
from routiq_gql.proxies import Proxy, UnusableVariable, check_certificates, proxy_for

MAX_BODY_BYTES = 1024 * 1024
"""More than the size of the page; longer bodies are cut."""

_SENDABLE = re.compile(r"[!-~]+")
_DEFAULT_PORTS = {"http": 80, "https": 443}


class Unreachable(Exception):
    """There was no response.

    Attributes:
        sentence: The reason.
        what_to_do: Advice.
    """

    def __init__(self, sentence: str, what_to_do: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.what_to_do = what_to_do


@dataclass(frozen=True, slots=True)
class Answer:
    """A response, its body read up to a limit."""

    status: int
    headers: httpx.Headers
    body: bytes = field(repr=False)

    @property
    def json(self) -> dict[str, object]:
        """The JSON object in the body; empty if there is none."""
        try:
            value = json.loads(self.body)
        except (ValueError, RecursionError):
            return {}
        return value if isinstance(value, dict) else {}

    @property
    def problem_code(self) -> str:
        """The code of Routiq's refusal; empty if another program responded."""
        is_problem = self.headers.get("content-type", "").startswith("application/problem+json")
        return str(self.json.get("code", "")) if is_problem else ""

    @property
    def refusal(self) -> str:
        """The sentence of Routiq's refusal."""
        return str(self.json.get("detail", ""))


class Site:
    """A server. An async context manager.

    Args:
        url: The address of its page, with the path under which a proxy serves it.
        token: Sent with requests to the API, unless empty.
        timeout: Seconds for each response.

    Raises:
        BadInput: ``url`` is no address of a page.
        SettingsError: The environment names a proxy or certificates that can't be used.
    """

    def __init__(self, url: str, *, token: str = "", timeout: float = 10) -> None:
        try:
            parts = urlsplit(url)
            port, host = parts.port, parts.hostname
        except ValueError:
            port, host = None, None
        if not host or parts.scheme not in _DEFAULT_PORTS or "@" in parts.netloc or parts.query or parts.fragment:
            raise BadInput("The address must look like https://routiq.example.com or https://example.com/routiq/.")
        if not all(_SENDABLE.fullmatch(one) for one in (url, token) if one):
            raise BadInput("The address and the token must not hold spaces or letters outside of ASCII.")
        self.scheme = parts.scheme
        self.host = host
        self.port = port or _DEFAULT_PORTS[parts.scheme]
        self.has_own_port = self.port != _DEFAULT_PORTS[parts.scheme]
        named = f"[{host}]" if ":" in host else host
        self.authority = f"{named}:{self.port}" if self.has_own_port else named
        self.origin = f"{self.scheme}://{self.authority}"
        self.path = parts.path.rstrip("/") + "/"
        self.url = self.origin + self.path
        self.token = token
        self.timeout = timeout
        try:
            self.proxy: Proxy | None = proxy_for(self.url)
            check_certificates()
        except UnusableVariable as error:
            raise SettingsError(error.sentence) from None
        self.tls = httpx.create_ssl_context()
        proxy_tls = self.tls if self.proxy is not None and self.proxy.scheme == "https" else None
        self._http = httpx.AsyncClient(
            timeout=timeout,
            follow_redirects=False,
            verify=self.tls,
            trust_env=False,
            proxy=httpx.Proxy(self.proxy.url, auth=self.proxy.login, ssl_context=proxy_tls) if self.proxy else None,
            headers={"User-Agent": "routiq-gql check", "Accept-Encoding": "gzip"},
        )

    async def __aenter__(self) -> "Site":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def ask(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, query: str | None = None
    ) -> Answer:
        """The response for ``path``, relative to the site's path, or to the root if it begins with a slash.

        ``query`` is sent as a GraphQL request.

        Raises:
            Unreachable: There was no response, or not within the time limit.
        """
        async with self._answer(method, path, headers, query) as response:
            body = bytearray()
            async for piece in response.aiter_bytes():
                body += piece
                if len(body) > MAX_BODY_BYTES:
                    break
            return Answer(response.status_code, response.headers, bytes(body))

    async def first_piece(self, path: str, *, headers: Mapping[str, str], query: str) -> Answer | None:
        """The beginning of a streamed response; ``None`` if no byte of its body arrives within the time limit.

        Raises:
            Unreachable: There was no response, for a reason other than the time limit.
        """
        try:
            async with self._answer("POST", path, headers, query) as response:
                async for piece in response.aiter_bytes():
                    return Answer(response.status_code, response.headers, piece)
                return Answer(response.status_code, response.headers, b"")
        except _Late:
            return None

    @asynccontextmanager
    async def _answer(
        self, method: str, path: str, headers: Mapping[str, str] | None, query: str | None
    ) -> AsyncIterator[httpx.Response]:
        url = (self.origin if path.startswith("/") else self.url) + path
        content = None if query is None else json.dumps({"query": query})
        sent = {**({"Content-Type": "application/json"} if query is not None else {}), **(headers or {})}
        try:
            async with (
                asyncio.timeout(self.timeout),
                self._http.stream(method, url, content=content, headers=sent) as response,
            ):
                yield response
        except (TimeoutError, httpx.ReadTimeout):
            raise _Late(
                f"{self.authority} did not answer within {self.timeout:g} s.",
                "Is the server running, and do firewalls let this machine reach it?",
            ) from None
        except httpx.HTTPError as error:
            raise self._explained(error) from None
        except Exception:
            if self.proxy is None or not self.proxy.speaks_socks:
                raise
            raise self._refused_by(self.proxy, "refused") from None  # httpx passes on socksio's errors

    @property
    def credentials(self) -> dict[str, str]:
        """The header that authenticates; empty without a token."""
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}

    def _refused_by(self, proxy: Proxy, answered: str) -> Unreachable:
        return Unreachable(
            f"The proxy {proxy.name} refused the request ({answered}).",
            f"Correct {proxy.variable}, or add {self.host} to NO_PROXY.",
        )

    def _explained(self, error: httpx.HTTPError) -> Unreachable:
        if isinstance(error, httpx.ProxyError) and self.proxy is not None:
            status = str(error)[:3]
            return self._refused_by(self.proxy, status if status.isdecimal() else "refused")
        for cause in _causes(error):
            if isinstance(cause, ssl.SSLError):
                return tls_trouble(self, cause)
            if isinstance(cause, socket.gaierror):
                return Unreachable(f"There is no host {self.host}.", "Correct the address, or add it to DNS.")
            if isinstance(cause, ConnectionRefusedError):
                return Unreachable(
                    f"Nothing listens at {self.host}, port {self.port}.", "Start the proxy, or correct the address."
                )
        if isinstance(error, httpx.RemoteProtocolError):
            return Unreachable(
                f"{self.authority} closes the connection before its response is complete, or does not use HTTP.",
                "Compare the port with the proxy's, and check its log.",
            )
        through = f" through the proxy {self.proxy.name}" if self.proxy else ""
        return Unreachable(
            f"{self.authority} can't be reached{through}.",
            "Is the server running, is the address right, and do firewalls let this machine reach it?",
        )


class _Late(Unreachable):
    """The time limit has passed."""


def _causes(error: BaseException) -> list[BaseException]:
    """The error and all its causes, as httpx wraps network errors several times."""
    found: list[BaseException] = []
    one: BaseException | None = error
    while one is not None and one not in found:
        found.append(one)
        inner = getattr(one, "exceptions", ())  # errors for each of several addresses
        found.extend(inner)
        one = one.__cause__ or one.__context__
    return found


_TRUST = (
    "Use a certificate of a known authority, or set SSL_CERT_FILE to the authority that signed it. Browsers and "
    "clients must trust it, too."
)
_VERDICTS = {
    9: ("is not valid yet", "Correct the clock of this machine, or replace the certificate."),
    10: ("has expired", "Renew it, and reload the proxy."),
    18: ("is self-signed", _TRUST),
    19: ("is signed by an unknown authority", _TRUST),
    20: (
        "is signed by an unknown authority, or the proxy omits the intermediate certificate",
        f"Configure the whole chain in the proxy (fullchain.pem). {_TRUST}",
    ),
    21: (
        "can't be verified because the proxy omits the intermediate certificate",
        "Configure the whole chain in the proxy.",
    ),
    62: ("is for another name", "Use the name that the certificate has, or get one for this name."),
    64: ("is for another address", "Use the name that the certificate has, or get one for this address."),
}
"""By OpenSSL's code. Source: openssl-verification-options(1), X509_V_ERR_*."""


def tls_trouble(site: Site, error: ssl.SSLError) -> Unreachable:
    """The reason why a browser would refuse the connection."""
    if isinstance(error, ssl.SSLCertVerificationError):
        found, what_to_do = _VERDICTS.get(error.verify_code, ("can't be trusted", _TRUST))
        return Unreachable(f"The certificate of {site.host} {found}.", what_to_do)
    if error.reason in {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG"}:
        return Unreachable(
            f"{site.authority} does not use TLS.",
            "Turn TLS on in the proxy (nginx: listen … ssl), or check the address with http://.",
        )
    return Unreachable(
        f"The TLS handshake with {site.authority} failed ({error.reason or 'no reason given'}).",
        "Check the proxy's log; it may require another version of TLS or a client certificate.",
    )
