"""Sends one event to one receiver, and says in a sentence how that ended.

It follows no redirect, uses no proxy (a proxy would resolve the name itself, after our check), and has a time limit for
each phase. The receiver's text is never stored or logged: it comes from outside.
"""

import asyncio
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Literal

import httpcore
import httpx

from routiq_gql.errors import SettingsError
from routiq_gql.proxies import UnusableVariable, check_certificates
from routiq_gql.webhooks.addresses import Allowed
from routiq_gql.webhooks.connecting import CheckedBackend, Lookups, PrivateAddress, Resolver, UnknownName
from routiq_gql.webhooks.signing import signed_headers

CONNECT_SECONDS = 10.0
"""From the lookup of the name to the end of the TLS handshake."""
ANSWER_SECONDS = 10.0
"""From the open connection to the status of the answer."""
MAX_ANSWER_BYTES = 64 * 1024
"""An answer's text is read only so that its connection can be used again."""
READ_SECONDS = 1.0
IDLE_SECONDS = 3.0
"""Less than the five seconds after which common servers close an idle connection."""
USER_AGENT = "Routiq-Webhooks"


@dataclass(frozen=True, slots=True)
class Message:
    """An attempt to send.

    Attributes:
        event_id: The same for each attempt of the event.
        body: JSON.
        secrets: All that are valid now.
    """

    url: str
    event_id: str
    body: str
    secrets: Sequence[str]


@dataclass(frozen=True, slots=True)
class Reply:
    """The end of an attempt.

    Attributes:
        outcome: ``gone``: the receiver wants no more events (status 410).
        status: ``None`` without an answer.
        problem: A sentence; empty after a delivery.
        wait: What the receiver asked for with ``Retry-After``.
    """

    outcome: Literal["delivered", "failed", "gone"]
    status: int | None = None
    problem: str = ""
    wait: timedelta | None = None


class Sender:
    """The connections of a process to receivers. Close it.

    Args:
        allowed: Where webhooks may be sent.
        most: Connections at the same time.
        resolve: Resolves names; by default the system's resolver.
        tls: Certificates of authorities; by default those of the system's variables, else certifi's.
    """

    def __init__(
        self,
        allowed: Allowed,
        most: int,
        *,
        resolve: Resolver | None = None,
        tls: Callable[[], ssl.SSLContext] | None = None,
    ) -> None:
        self._lookups = Lookups()
        self._backend = CheckedBackend(allowed, resolve or self._lookups.resolve)
        self._most = most
        self._tls = tls or _usual_tls
        self._pool: httpcore.AsyncConnectionPool | None = None

    def open(self) -> httpcore.AsyncConnectionPool:
        """The pool. The first call loads the certificates, which takes about 40 ms; most processes never need them.

        Raises:
            SettingsError: The environment names certificates that can't be used.
        """
        if self._pool is None:
            self._pool = httpcore.AsyncConnectionPool(
                self._tls(),
                max_connections=self._most,
                max_keepalive_connections=self._most,
                keepalive_expiry=IDLE_SECONDS,
                network_backend=self._backend,
            )
        return self._pool

    async def close(self) -> None:
        self._lookups.close()
        if self._pool is not None:
            await self._pool.aclose()

    async def send(self, message: Message, at: datetime) -> Reply:
        """Send once. ``at`` is the time of the attempt in UTC, which the signature covers."""
        host = ""
        try:
            url = httpx.URL(message.url)
            host = url.raw_host.decode("ascii")  # ``url.host`` raises for names that IDNA 2008 lacks, such as emoji
            return await self._post(url, message, at)
        except PrivateAddress:
            return Reply("failed", problem=PRIVATE_SENTENCE)
        except UnknownName:
            return Reply("failed", problem=f"The name {host} was not found. Check the URL of the webhook.")
        except (httpcore.ConnectTimeout, httpcore.PoolTimeout):
            return Reply("failed", problem=f"{host} accepted no connection within {CONNECT_SECONDS:.0f} seconds.")
        except (TimeoutError, httpcore.TimeoutException):
            return Reply("failed", problem=f"{host} did not answer within {ANSWER_SECONDS:.0f} seconds.")
        except httpcore.ConnectError as error:
            return Reply("failed", problem=_no_connection(error, host))
        except (httpcore.NetworkError, httpcore.ProtocolError, OSError):
            return Reply("failed", problem=f"{host} closed the connection, or its answer was not HTTP.")
        except (httpx.InvalidURL, httpcore.UnsupportedProtocol):
            return Reply("failed", problem="The URL of the webhook can't be used. Change it.")

    async def _post(self, url: httpx.URL, message: Message, at: datetime) -> Reply:
        body = message.body.encode()
        headers = [
            ("host", url.netloc.decode("ascii")),
            ("content-type", "application/json"),
            ("content-length", str(len(body))),
            ("accept", "*/*"),
            ("user-agent", USER_AGENT),
            *signed_headers(message.event_id, at, message.body, message.secrets),
        ]
        target = httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)
        limits = {"connect": CONNECT_SECONDS, "pool": CONNECT_SECONDS, "read": ANSWER_SECONDS, "write": ANSWER_SECONDS}
        pool = self.open()
        async with asyncio.timeout(CONNECT_SECONDS + ANSWER_SECONDS) as limit:
            async with pool.stream(
                "POST", target, headers=headers, content=body, extensions={"timeout": limits}
            ) as got:
                limit.reschedule(None)  # the status decides, whatever happens to the rest of the answer
                reply = _judged(got.status, _header(got, b"retry-after"), at)
                await _read(got)
        return reply


PRIVATE_SENTENCE = (
    "The receiver's address is not public, so nothing was sent. Use a public address, or have the operator allow this "
    "one with ROUTIQ_WEBHOOK_PRIVATE."
)
"""Without the address, which could show how names resolve within the server's network."""


async def _read(response: httpcore.Response) -> None:
    """Read a short answer to its end. A long, slow or broken one changes nothing; its connection is closed."""
    size = 0
    try:
        async with asyncio.timeout(READ_SECONDS):
            async for piece in response.aiter_stream():
                size += len(piece)
                if size > MAX_ANSWER_BYTES:
                    return
    except (TimeoutError, httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError):
        return


def _judged(status: int, retry_after: str | None, now: datetime) -> Reply:
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return Reply("delivered", status)
    named = _named(status)
    if status == HTTPStatus.GONE:
        return Reply("gone", status, f"The receiver answered {named}: it wants no more events.")
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        return Reply(
            "failed",
            status,
            f"The receiver answered {named}. Redirects are not followed: register the address that it redirects to.",
        )
    sentence = f"The receiver answered {named}; a delivery needs a status from 200 to 299."
    return Reply("failed", status, sentence, _wait(retry_after, now))


def _named(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def _wait(text: str | None, now: datetime) -> timedelta | None:
    """The wait in a ``Retry-After``: seconds or a date. Source: RFC 9110, "Retry-After"."""
    if text is None:
        return None
    if text.isascii() and text.isdigit():
        return timedelta(seconds=int(text[:9]))
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return max(timedelta(0), (at if at.tzinfo else at.replace(tzinfo=UTC)) - now)


def _header(response: httpcore.Response, name: bytes) -> str | None:
    for key, value in response.headers:
        if key.lower() == name:
            return value.decode("latin-1").strip()
    return None


def _no_connection(error: Exception, host: str) -> str:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"The certificate of {host} is not valid for it, or its authority is unknown."
        if isinstance(cause, ssl.SSLError):
            return f"No secure connection (TLS) to {host} could be made."
        cause = cause.__cause__ or cause.__context__
    return f"{host} refused the connection, or can't be reached."


def _usual_tls() -> ssl.SSLContext:
    try:
        check_certificates()
    except UnusableVariable as error:
        raise SettingsError(error.sentence) from None
    return httpx.create_ssl_context()
