"""HTTP client for a Cliniko account: authentication, pacing, timeouts, and the meaning of each status.

The only module here that uses httpx. It follows no redirect and sends the key to a single address. Its errors hold
neither the key nor an address with parameters nor any body; httpx's errors hold the request, so they are never chained.
"""

import asyncio
import re
import ssl
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cache
from types import TracebackType
from typing import Self, TypeVar

import httpx

from routiq_gql.addresses import is_loopback_url
from routiq_gql.cliniko.errors import (
    ClinikoError,
    ClinikoUnreachable,
    KeyLacksPermission,
    ServerBlocked,
)
from routiq_gql.cliniko.keys import check_base_url, clean_key
from routiq_gql.cliniko.pacing import OnWait, Pacer
from routiq_gql.cliniko.proxied import (
    LOWER_ADVICE,
    SETTING_ADVICE,
    UNREACHABLE_ADVICE,
    is_untrusted,
    refused_by,
    through,
    untrusted,
)
from routiq_gql.cliniko.replies import Outcome, Reply, is_web_page, judge, parse
from routiq_gql.cliniko.retries import (
    Backoff,
    Denied,
    Retriable,
    answered_at,
    repeat,
    unusable,
    web_page,
)
from routiq_gql.proxies import Proxy, UnusableVariable, check_certificates, proxy_for

T = TypeVar("T")
Params = Sequence[tuple[str, str]]

CONNECT_SECONDS = 10.0
MAX_BODY_BYTES = 16 * 1024 * 1024
"""A limit on memory; a page of 100 rows with long notes stays far below it."""
FOR_ANY_KEY = "settings/public"
"""A path that every valid key can read, whatever its user's role. Source: Cliniko API, "Settings"."""
_EMAIL = re.compile(r"[!-~]+@[!-~]+")


class ClinikoClient:
    """An async context manager; enter it before sending requests.

    Args:
        api_key: With or without its shard; white space around it is ignored.
        base_url: From ``base_url_for``, or a loopback address.
        contact_email: Where Cliniko can reach the operator; part of the User-Agent.
        pacer: Shared by all clients with this key, see ``PacerRegistry``.
        max_attempts: Attempts per request; ``backoff`` has a separate limit for 429.
        read_timeout: Seconds for a response, counted from the established connection.
        on_wait: Returns a context that surrounds every wait longer than a second. An error raised in it ends the
            reading.
        on_request: Called with the outcome of every request.

    Attributes:
        requests: How many requests were sent, by path; attempts that failed count too.
        waited_seconds: How long they waited for their turn, for a rate limit or before another attempt.
        server_date: Cliniko's time at its first usable response that carries one.

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
        if not pacer.requests_per_minute and not is_loopback_url(self.base_url):
            raise ValueError("Only an address on this machine may be asked without pacing.")
        self.max_attempts = max_attempts
        self._contact_email = contact_email
        self._pacer = pacer
        self._read_timeout = read_timeout
        self._on_wait = on_wait
        self._on_request = on_request
        self._backoff = backoff or Backoff()
        self.requests: Counter[str] = Counter()
        self.waited_seconds = 0.0
        self.server_date: datetime | None = None
        self._http: httpx.AsyncClient | None = None
        self._proxy: Proxy | None = None

    def __repr__(self) -> str:
        return f"<ClinikoClient {self.base_url}>"

    async def __aenter__(self) -> Self:
        """Raises ``ClinikoUnreachable`` if the environment names an unusable proxy or unusable certificates."""
        try:
            self._proxy = proxy_for(self.base_url)
            tls = _tls()
        except UnusableVariable as error:
            raise ClinikoUnreachable(error.sentence, SETTING_ADVICE, "unusable environment") from None
        self._http = httpx.AsyncClient(
            auth=self._auth,
            headers={
                "Accept": "application/json",
                "Accept-Encoding": "gzip",
                "User-Agent": f"Routiq ({self._contact_email})",
            },
            timeout=httpx.Timeout(self._read_timeout, connect=CONNECT_SECONDS),
            follow_redirects=False,
            verify=tls,
            trust_env=False,  # httpx raises on values that other tools skip; see ``proxies``
            proxy=_for_httpx(self._proxy, tls),
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._http is not None:
            await self._http.aclose()

    async def repeat(
        self, attempt: Callable[[], Awaitable[T]], *, explains_denial: bool = True, accepts_denial: bool = False
    ) -> T:
        """Call ``attempt``, which uses ``ask``, until it returns; with this client's waits and limits.

        Args:
            explains_denial: After the last 403, check whether Cliniko denies everything.
            accepts_denial: The first 403 ends it, unexplained: the caller does without the answer.

        Raises:
            ClinikoError: It can't succeed, or no attempt is left.
        """
        try:
            return await repeat(
                attempt,
                max_attempts=self.max_attempts,
                backoff=replace(self._backoff, denied_attempts=1) if accepts_denial else self._backoff,
                pacer=self._pacer,
                on_wait=self._on_wait,
                on_waited=self._note_wait,
            )
        except KeyLacksPermission as error:
            denial = error
        if explains_denial and not accepts_denial and await self._is_blocked():
            raise ServerBlocked
        raise denial

    def _note_wait(self, seconds: float) -> None:
        self.waited_seconds += seconds

    async def _is_blocked(self) -> bool:
        try:
            await self.ask(FOR_ANY_KEY, where="the account's name")
        except Denied:
            return True
        except (Retriable, ClinikoError):
            pass
        return False

    async def ask(self, path: str, params: Params = (), *, where: str) -> dict[str, object]:
        """The JSON object at ``path`` below the base URL, in a single attempt.

        ``where`` names the requested thing in errors, such as ``the list of patients``.

        Raises:
            Retriable: Another attempt may succeed.
            ClinikoError: Another attempt would fail, too.
        """
        came = time.monotonic()
        await self._pacer.wait_turn(self._on_wait)
        self._note_wait(time.monotonic() - came)
        self.requests[path] += 1
        outcome: Outcome = "ok"
        problem: Exception | None = None
        answer: dict[str, object] = {}
        try:
            async with asyncio.timeout(CONNECT_SECONDS + self._read_timeout):
                reply = await self._exchange(path, params)
        except (httpx.HTTPError, OSError) as error:
            outcome, problem = _broken(error, where, self._proxy)
        except Exception:
            if self._proxy is None or not self._proxy.speaks_socks:
                raise
            outcome, problem = "no_answer", refused_by(self._proxy, "", where)  # httpx passes on socksio's errors
        else:
            outcome, problem = judge(reply, where, self._proxy)
            if problem is None:
                parsed = parse(reply.body)
                if isinstance(parsed, dict):
                    answer = parsed
                    self.server_date = self.server_date or answered_at(reply.headers)
                elif is_web_page(reply):
                    outcome, problem = "unusable", web_page(where)
                else:
                    outcome, problem = "unusable", unusable(where, "no JSON object")
        if self._on_request is not None:
            self._on_request(outcome)
        if problem is not None:
            raise problem
        return answer

    async def _exchange(self, path: str, params: Params) -> Reply:
        if self._http is None:
            raise RuntimeError("The client has not been entered.")
        async with self._http.stream("GET", f"{self.base_url}/{path}", params=list(params)) as response:
            if not response.is_success:
                return Reply(response.status_code, response.headers, None)
            body = bytearray()
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > MAX_BODY_BYTES:
                    return Reply(response.status_code, response.headers, None)
            return Reply(response.status_code, response.headers, bytes(body))


@cache
def _tls() -> ssl.SSLContext:
    """The TLS context of all clients; loading certificates blocks the event loop for about 40 ms.

    Raises:
        UnusableVariable: The environment names other certificates, and they can't be used.
    """
    check_certificates()
    return httpx.create_ssl_context()


def _for_httpx(proxy: Proxy | None, tls: ssl.SSLContext) -> httpx.Proxy | None:
    if proxy is None:
        return None
    return httpx.Proxy(proxy.url, auth=proxy.login, ssl_context=tls if proxy.scheme == "https" else None)


def _broken(error: Exception, where: str, proxy: Proxy | None) -> tuple[Outcome, Exception]:
    """The outcome and error of a request without a complete response. Uses only the kind and status of ``error``."""
    if isinstance(error, httpx.DecodingError):
        return "unusable", unusable(where, "undecodable body")
    if isinstance(error, httpx.ProxyError) and proxy is not None:
        return "no_answer", refused_by(proxy, str(error)[:3], where)
    if is_untrusted(error):
        return "no_answer", untrusted(where, proxy)
    verdict = ClinikoUnreachable(
        f"Cliniko did not answer requests for {where}{through(proxy)}.",
        UNREACHABLE_ADVICE if proxy is None else f"Check whether the proxy works, and {LOWER_ADVICE}",
        type(error).__name__,
    )
    is_late = isinstance(error, (TimeoutError, httpx.TimeoutException))
    return "timed_out" if is_late else "no_answer", Retriable("Cliniko did not answer", verdict)
