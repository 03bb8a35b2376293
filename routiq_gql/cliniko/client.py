"""One account's HTTP client: identity, pacing, time limits, and what each status means. All that knows httpx here.

It follows no redirect, sends the key to one address only, and raises nothing that holds the key, an address with
parameters or a part of a body: httpx's errors know the request, so they are never chained to ours.
"""

import asyncio
import json
import re
import ssl
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from types import TracebackType
from typing import Literal, Self, TypeVar

import httpx
import orjson

from routiq_gql.cliniko.errors import (
    AccountMoved,
    ClinikoError,
    ClinikoUnreachable,
    KeyLacksPermission,
    KeyRefused,
    PaymentRequired,
    QueryRefused,
    QueryTooSlow,
    ServerBlocked,
    UnexpectedAnswer,
)
from routiq_gql.cliniko.keys import check_base_url, clean_key, is_loopback
from routiq_gql.cliniko.limits import OnWait, Pacer
from routiq_gql.cliniko.retries import (
    Backoff,
    Denied,
    GatewayTimeout,
    RateLimited,
    Retriable,
    repeat,
    reset_seconds,
    retry_after_seconds,
    unusable,
    web_page,
)

T = TypeVar("T")
Params = Sequence[tuple[str, str]]
Outcome = Literal["ok", "no_answer", "timed_out", "server_error", "rate_limited", "refused", "unusable"]

CONNECT_SECONDS = 10.0
MAX_BODY_BYTES = 16 * 1024 * 1024
"""A page of 100 rows with long notes stays far below; a source that never ends a body must not fill the memory."""
FOR_ANY_KEY = "settings/public"
"""What Cliniko shows to every valid key, whatever the role of its user. Source: Cliniko API, "Settings"."""
_EMAIL = re.compile(r"[!-~]+@[!-~]+")

_UNREACHABLE_ADVICE = "Check this server's internet connection and Cliniko's status page, then try again later."


@dataclass(frozen=True, slots=True)
class _Reply:
    status: int
    headers: httpx.Headers
    body: bytes | None  # None: not read (an error's body is of no use), or longer than MAX_BODY_BYTES


class ClinikoClient:
    """An async context manager; enter it before asking.

    Args:
        api_key: May have white space around it, and its shard or not.
        base_url: As of ``base_url_for``, or a loopback address.
        contact_email: Where Cliniko can reach us; part of the User-Agent.
        pacer: Shared by everyone with this key, see ``PacerRegistry``.
        max_attempts: How often one request is tried; the rate limit has a number of its own in ``backoff``.
        read_timeout: Seconds that one answer may take from the moment a connection stands.
        on_wait: Awaited before every wait longer than a second. What it raises ends the reading.
        on_request: Called after every request with how it went.

    Raises:
        InvalidApiKey: ``api_key`` can't be a key.
        ValueError: The key may not be sent to ``base_url``, the contact is no e-mail address, or the pacer does not
            pace although ``base_url`` is not on this machine.
    """

    def __init__(
        self,
        api_key: str,
        *,
        base_url: str,
        contact_email: str,
        pacer: Pacer,
        max_attempts: int,
        read_timeout: float = 40,
        on_wait: OnWait | None = None,
        on_request: Callable[[Outcome], None] | None = None,
        backoff: Backoff | None = None,
    ) -> None:
        self._auth = httpx.BasicAuth(clean_key(api_key), "")
        self.base_url = check_base_url(base_url)
        if not _EMAIL.fullmatch(contact_email):
            raise ValueError("The contact must be an e-mail address.")
        if not pacer.requests_per_minute and not is_loopback(self.base_url):
            raise ValueError("Only an address on this machine may be asked without pacing.")
        self.max_attempts = max_attempts
        self._contact_email = contact_email
        self._pacer = pacer
        self._read_timeout = read_timeout
        self._on_wait = on_wait
        self._on_request = on_request
        self._backoff = backoff or Backoff()
        self._http: httpx.AsyncClient | None = None

    def __repr__(self) -> str:
        return f"<ClinikoClient {self.base_url}>"

    async def __aenter__(self) -> Self:
        self._http = httpx.AsyncClient(
            auth=self._auth,
            headers={
                "Accept": "application/json",
                "Accept-Encoding": "gzip",
                "User-Agent": f"Routiq ({self._contact_email})",
            },
            timeout=httpx.Timeout(self._read_timeout, connect=CONNECT_SECONDS),
            follow_redirects=False,
            verify=_tls(),
            # An operator's proxy settings are for the internet, not for this machine.
            trust_env=not is_loopback(self.base_url),
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._http is not None:
            await self._http.aclose()

    async def repeat(self, attempt: Callable[[], Awaitable[T]], *, explains_denial: bool = True) -> T:
        """Call ``attempt``, which uses ``ask``, until it returns; with this client's waits and limits.

        Args:
            explains_denial: After the last 403, ask whether it is for everything.

        Raises:
            ClinikoError: It can't succeed, or no attempt is left.
        """
        try:
            return await repeat(
                attempt,
                max_attempts=self.max_attempts,
                backoff=self._backoff,
                pacer=self._pacer,
                on_wait=self._on_wait,
            )
        except KeyLacksPermission as error:
            denial = error
        if explains_denial and await self._is_blocked():
            raise ServerBlocked
        raise denial

    async def _is_blocked(self) -> bool:
        try:
            await self.ask(FOR_ANY_KEY, where="the account's name")
        except Denied:
            return True
        except (Retriable, ClinikoError):
            pass
        return False

    async def ask(self, path: str, params: Params = (), *, where: str) -> dict[str, object]:
        """The JSON object that one GET of ``path`` under the base URL answers; a single attempt.

        ``where`` names in an error what was asked for, such as ``the list of patients``.

        Raises:
            Retriable: It may succeed when asked again.
            ClinikoError: It won't.
        """
        await self._pacer.wait_turn(self._on_wait)
        outcome: Outcome = "ok"
        problem: Exception | None = None
        answer: dict[str, object] = {}
        try:
            async with asyncio.timeout(CONNECT_SECONDS + self._read_timeout):
                reply = await self._exchange(path, params)
        except (httpx.HTTPError, OSError) as error:
            outcome, problem = _broken(error, where)
        else:
            outcome, problem = _judge(reply, where)
            if problem is None:
                parsed = _parse(reply.body)
                if isinstance(parsed, dict):
                    answer = parsed
                elif _is_web_page(reply):
                    outcome, problem = "unusable", web_page(where)
                else:
                    outcome, problem = "unusable", unusable(where, "no JSON object")
        if self._on_request is not None:
            self._on_request(outcome)
        if problem is not None:
            raise problem
        return answer

    async def _exchange(self, path: str, params: Params) -> _Reply:
        if self._http is None:
            raise RuntimeError("The client has not been entered.")
        async with self._http.stream("GET", f"{self.base_url}/{path}", params=list(params)) as response:
            if not response.is_success:
                return _Reply(response.status_code, response.headers, None)
            body = bytearray()
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > MAX_BODY_BYTES:
                    return _Reply(response.status_code, response.headers, None)
            return _Reply(response.status_code, response.headers, bytes(body))


@cache
def _tls() -> ssl.SSLContext:
    """Shared by all clients, as reading the certificates takes some 40 ms in which nothing else can happen."""
    return httpx.create_ssl_context()


def _broken(error: Exception, where: str) -> tuple[Outcome, Retriable]:
    """What to make of a request without a whole answer. Takes nothing from ``error`` but its kind."""
    if isinstance(error, httpx.DecodingError):
        return "unusable", unusable(where, "undecodable body")
    verdict = ClinikoUnreachable(
        f"Cliniko did not answer when it was asked for {where}.", _UNREACHABLE_ADVICE, type(error).__name__
    )
    is_late = isinstance(error, (TimeoutError, httpx.TimeoutException))
    return "timed_out" if is_late else "no_answer", Retriable("Cliniko did not answer", verdict)


def _judge(reply: _Reply, where: str) -> tuple[Outcome, Exception | None]:
    """What a status means. Source: Cliniko API, "Errors"."""
    status, now = reply.status, datetime.now(UTC)
    if 200 <= status < 300:
        return "ok", None
    if status == 429:
        return "rate_limited", RateLimited(where, reset_seconds(reply.headers, now))
    if status >= 500:
        is_slow = status == 504
        verdict = (QueryTooSlow if is_slow else ClinikoUnreachable)(
            f"Cliniko kept answering with an error when it was asked for {where}.",
            _UNREACHABLE_ADVICE,
            f"status {status}",
        )
        kind = GatewayTimeout if is_slow else Retriable
        asked = retry_after_seconds(reply.headers, now) or 0
        return "server_error", kind("Cliniko answered with an error", verdict, asked)
    if status == 401:
        return "refused", KeyRefused()
    if status == 403:
        return "refused", Denied(where)
    if status == 402:
        return "refused", PaymentRequired(where)
    if 300 <= status < 400:
        return "refused", AccountMoved(status)
    refusal = QueryRefused if status in {400, 422} else UnexpectedAnswer
    return "refused", refusal(
        f"Cliniko refused the request for {where}.",
        "Starting again will not help. Tell whoever runs this server: Cliniko's API may have changed, "
        "or the base URL of the connection is wrong.",
        f"status {status}",
    )


def _is_web_page(reply: _Reply) -> bool:
    media_type = reply.headers.get("content-type", "").partition(";")[0].strip().lower()
    return media_type in {"text/html", "application/xhtml+xml"} or (reply.body or b"").lstrip()[:1] == b"<"


def _parse(body: bytes | None) -> object:
    """The JSON value, or ``None`` for anything that can't be read as one."""
    if body is None:
        return None
    try:
        return orjson.loads(body)
    except ValueError:
        pass
    try:
        return json.loads(body)  # takes a little more, such as half of a surrogate pair
    except (ValueError, RecursionError):
        return None
