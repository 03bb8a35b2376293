"""HTTP client for a Cliniko account: authentication, pacing, timeouts, and the meaning of each status.

``transport`` sends the requests. Errors hold neither the key nor an address with parameters nor any body.
"""

import re
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar

from routiq_gql.addresses import is_loopback_url
from routiq_gql.cliniko.errors import (
    ClinikoError,
    ClinikoUnreachable,
    KeyLacksPermission,
    ServerBlocked,
)
from routiq_gql.cliniko.keys import check_base_url, clean_key
from routiq_gql.cliniko.observing import ObservedRequest, Observer
from routiq_gql.cliniko.pacing import OnWait, Pacer
from routiq_gql.cliniko.proxied import SETTING_ADVICE
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
from routiq_gql.proxies import UnusableVariable

if TYPE_CHECKING:
    from routiq_gql.cliniko.transport import Transport

T = TypeVar("T")
Params = Sequence[tuple[str, str]]

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
        observer: Enters a context around every request.

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
        observer: Observer | None = None,
        backoff: Backoff | None = None,
    ) -> None:
        self._api_key = clean_key(api_key)
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
        self._observer = observer
        self._backoff = backoff or Backoff()
        self.requests: Counter[str] = Counter()
        self.waited_seconds = 0.0
        self.server_date: datetime | None = None
        self._transport: Transport | None = None

    def __repr__(self) -> str:
        return f"<ClinikoClient {self.base_url}>"

    async def __aenter__(self) -> Self:
        """Raises ``ClinikoUnreachable`` if the environment names an unusable proxy or unusable certificates."""
        from routiq_gql.cliniko.transport import Transport  # noqa: PLC0415 — imports httpx

        try:
            self._transport = Transport(self.base_url, self._api_key, self._contact_email, self._read_timeout)
        except UnusableVariable as error:
            raise ClinikoUnreachable(error.sentence, SETTING_ADVICE, "unusable environment") from None
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._transport is not None:
            await self._transport.close()

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
                attempt if self._observer is None else self._observer.counting(attempt),
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

    async def wait_turns(self, count: int) -> None:
        """Take the turns of the next ``count`` requests at once; only for a client with a ration."""
        await self._pacer.wait_turns(count, self._on_wait)

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
        if self._transport is None:
            raise RuntimeError("The client has not been entered.")
        came = time.monotonic()
        await self._pacer.wait_turn(self._on_wait)
        waited = time.monotonic() - came
        self._note_wait(waited)
        self.requests[path] += 1
        if self._observer is None:
            return await self._send(self._transport, path, params, where)
        with self._observer.request(self.base_url, path, waited) as observed:
            return await self._send(self._transport, path, params, where, observed)

    async def _send(
        self,
        transport: "Transport",
        path: str,
        params: Params,
        where: str,
        observed: ObservedRequest | None = None,
    ) -> dict[str, object]:
        outcome: Outcome
        problem: Exception | None
        answer: dict[str, object] = {}
        reply = await transport.get(path, params, where)
        if isinstance(reply, Reply):
            outcome, problem = judge(reply, where, transport.proxy)
            if problem is None:
                parsed = parse(reply.body)
                if isinstance(parsed, dict):
                    answer = parsed
                    self.server_date = self.server_date or answered_at(reply.headers)
                elif is_web_page(reply):
                    outcome, problem = "unusable", web_page(where)
                else:
                    outcome, problem = "unusable", unusable(where, "no JSON object")
        else:
            outcome, problem = reply
        if self._on_request is not None:
            self._on_request(outcome)
        if observed is not None:
            observed.answered(reply.status if isinstance(reply, Reply) else None, outcome)
        if problem is not None:
            raise problem
        return answer
