"""Which requests are retried, after which wait, and when to give up.

This is not stamina (or tenacity below it), which has one limit of attempts and sleeps by itself. Here 429 has a
separate, larger limit, a smaller page resets the count, and each wait is announced with its true length.
"""

import random
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from math import ceil
from typing import TypeVar

from routiq_gql.cliniko.errors import ClinikoError, ClinikoUnreachable, KeyLacksPermission, UnexpectedAnswer
from routiq_gql.cliniko.pacing import OnWait, Pacer, wait_openly

T = TypeVar("T")
_SECONDS = re.compile(r"\d{1,12}(\.\d{1,9})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Backoff:
    """How waits grow, and their limits in seconds.

    Attributes:
        base_seconds: About the first wait; each later wait is about twice the previous.
        cap_seconds: The longest wait before another attempt, whatever a ``Retry-After`` says.
        rate_limit_floor_seconds: The shortest wait for a rate limit, as reset times come in whole seconds.
        rate_limit_cap_seconds: The longest; Cliniko's window is a minute, the rest allows for clocks that differ.
        rate_limit_attempts: How many 429 responses make a request fail.
        denied_attempts: How many 403 responses make a request fail; a single 403 has been transient.
    """

    base_seconds: float = 2
    cap_seconds: float = 60
    rate_limit_floor_seconds: float = 1
    rate_limit_cap_seconds: float = 90
    rate_limit_attempts: int = 20
    denied_attempts: int = 3

    def growing(self, failures: int) -> float:
        """The wait after ``failures`` (1 or more) in a row, with 25 % jitter so that clients spread."""
        return float(min(self.cap_seconds, self.base_seconds * 2 ** (failures - 1) * random.uniform(0.75, 1.25)))

    def until_reset(self, seconds: float | None, times: int) -> float:
        """The wait after the rate limit was met ``times`` times; ``seconds`` comes from the response, if it has any."""
        wanted = self.growing(times) if seconds is None else seconds
        return min(max(wanted, self.rate_limit_floor_seconds), self.rate_limit_cap_seconds)


class Retriable(Exception):
    """An attempt failed in a way that may pass.

    Attributes:
        phrase: The message for users during the wait.
        verdict: The error to raise when no attempt is left.
        at_least_seconds: The wait that the response asked for.
        resets_attempts: The next request is easier, so the count of attempts starts over.
    """

    def __init__(self, phrase: str, verdict: ClinikoError, at_least_seconds: float = 0) -> None:
        super().__init__(verdict.detail)
        self.phrase = phrase
        self.verdict = verdict
        self.at_least_seconds = at_least_seconds
        self.resets_attempts = False


class GatewayTimeout(Retriable):
    """504: the query took Cliniko over 30 seconds."""


class Denied(Retriable):
    """403, which is sometimes transient."""

    def __init__(self, where: str) -> None:
        super().__init__(f"Cliniko denied access to {where}", KeyLacksPermission(where))


class RateLimited(Retriable):
    """429. ``reset_seconds`` is ``None`` if the response does not say when the limit ends."""

    def __init__(self, where: str, reset_seconds: float | None) -> None:
        super().__init__(
            "Cliniko's rate limit is reached",
            ClinikoUnreachable(
                f"Cliniko's rate limit stayed exceeded during requests for {where}.",
                "Another program probably uses up the 200 requests a minute of this key's user. Connect again with the "
                "key of a Cliniko user that no other program uses, or start again later.",
                "status 429",
            ),
        )
        self.reset_seconds = reset_seconds


def unusable(where: str, detail: str, verdict: type[UnexpectedAnswer] = UnexpectedAnswer) -> Retriable:
    """The error for a response that must not be used. ``detail`` may hold counts, but no content of the response."""
    return Retriable(
        "Cliniko's answer could not be used",
        verdict(
            f"Cliniko's answer for {where} was not what its documentation says.",
            "Start the sync again later. If it fails the same way, ask Cliniko's support whether something is wrong "
            "with this list, and inform the operator of this server.",
            detail,
        ),
    )


def web_page(where: str) -> Retriable:
    """The error for an HTML page with a 2xx status, which comes from another server than Cliniko's."""
    return Retriable(
        "A web page arrived instead of Cliniko's answer",
        UnexpectedAnswer(
            f"A web page arrived instead of Cliniko's answer for {where}.",
            "A proxy, firewall or sign-in page between this server and Cliniko probably answered. Let this server "
            "reach "
            "Cliniko's address directly, or check the base URL of the connection, then start again.",
            "HTML with a status of success",
        ),
    )


async def repeat(
    attempt: Callable[[], Awaitable[T]],
    *,
    max_attempts: int,
    backoff: Backoff,
    pacer: Pacer,
    on_wait: OnWait | None,
    on_waited: Callable[[float], None],
) -> T:
    """Call ``attempt`` until it succeeds, and return its result. ``on_waited`` receives the seconds of each wait here.

    A 429 holds the shared pacer, so all clients with this key wait; the wait is part of the next attempt's turn.
    Cancellation takes effect at once, during a wait as well as a request.

    Raises:
        ClinikoError: It can't succeed, or no attempt is left.
    """
    failures = limited = denied = 0
    while True:
        try:
            return await attempt()
        except Retriable as error:
            problem = error
        # Raised below, outside of ``except``: an error must not carry the frames of a request in its context.
        if isinstance(problem, RateLimited):
            limited += 1
            if limited >= backoff.rate_limit_attempts:
                raise problem.verdict
            pacer.hold(backoff.until_reset(problem.reset_seconds, limited))
            continue
        if isinstance(problem, Denied):
            denied += 1
            tried, most = denied, backoff.denied_attempts
        else:
            failures = 0 if problem.resets_attempts else failures + 1
            tried, most = failures, max_attempts
        if tried >= most:
            raise problem.verdict
        asked = min(problem.at_least_seconds, backoff.cap_seconds)
        seconds = max(backoff.growing(max(tried, 1)), asked)
        message = f"{problem.phrase}, trying again in {ceil(seconds)} s (attempt {tried + 1} of {most})"
        await wait_openly(seconds, "retry", message, on_wait)
        on_waited(seconds)


def retry_after_seconds(headers: Mapping[str, str], now: datetime) -> float | None:
    """The wait that ``Retry-After`` asks for, given as seconds or as a date; ``None`` if absent or unreadable."""
    value = headers.get("retry-after", "").strip()
    if _SECONDS.fullmatch(value):
        return float(value)
    moment = _http_date(value)
    return None if moment is None else (moment - _answer_time(headers, now)).total_seconds()


def reset_seconds(headers: Mapping[str, str], now: datetime) -> float | None:
    """How long the rate limit stays reached, by the response's clock; ``None`` if it does not say.

    ``Retry-After`` has precedence: it comes from a proxy, which knows best when it will let requests through.

    Source: Cliniko API, "Rate limits": ``X-RateLimit-Reset`` is a UNIX time in seconds.
    """
    asked = retry_after_seconds(headers, now)
    if asked is not None:
        return asked
    value = headers.get("x-ratelimit-reset", "").strip()
    if not _SECONDS.fullmatch(value):
        return None
    return float(value) - _answer_time(headers, now).timestamp()


def _answer_time(headers: Mapping[str, str], now: datetime) -> datetime:
    return answered_at(headers) or now


def answered_at(headers: Mapping[str, str]) -> datetime | None:
    """The time of a response by the sender's clock; ``None`` if it does not say."""
    return _http_date(headers.get("date", ""))


def _http_date(value: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
