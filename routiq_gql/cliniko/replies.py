"""Interprets a response by its status and body. Called by the client; independent of httpx."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import orjson

from routiq_gql.cliniko.errors import (
    AccountMoved,
    ClinikoUnreachable,
    KeyRefused,
    PaymentRequired,
    QueryRefused,
    QueryTooSlow,
    UnexpectedAnswer,
)
from routiq_gql.cliniko.proxied import UNREACHABLE_ADVICE, through
from routiq_gql.cliniko.retries import (
    Denied,
    GatewayTimeout,
    RateLimited,
    Retriable,
    reset_seconds,
    retry_after_seconds,
)
from routiq_gql.proxies import Proxy

Outcome = Literal["ok", "no_answer", "timed_out", "server_error", "rate_limited", "refused", "unusable"]


@dataclass(frozen=True, slots=True)
class Reply:
    """A response.

    Attributes:
        body: ``None`` if it is too long or was not read, as with errors.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes | None


def judge(reply: Reply, where: str, proxy: Proxy | None) -> tuple[Outcome, Exception | None]:
    """The meaning of a status. Source: Cliniko API, "Errors"."""
    status, now = reply.status, datetime.now(UTC)
    if 200 <= status < 300:
        return "ok", None
    if status == 429:
        return "rate_limited", RateLimited(where, reset_seconds(reply.headers, now))
    if status >= 500:
        is_slow = status == 504
        verdict = (QueryTooSlow if is_slow else ClinikoUnreachable)(
            f"Cliniko kept responding with an error to requests for {where}{through(proxy)}.",
            UNREACHABLE_ADVICE,
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
    refusal = QueryRefused if status in {400, 414, 422} else UnexpectedAnswer
    return "refused", refusal(
        f"Cliniko refused the request for {where}.",
        "Starting again will not help. Inform the operator of this server: Cliniko's API may have changed, or the "
        "connection's base URL is wrong.",
        f"status {status}",
    )


def is_web_page(reply: Reply) -> bool:
    """Whether it is an HTML page."""
    media_type = reply.headers.get("content-type", "").partition(";")[0].strip().lower()
    return media_type in {"text/html", "application/xhtml+xml"} or (reply.body or b"").lstrip()[:1] == b"<"


def parse(body: bytes | None) -> object:
    """The JSON value, or ``None`` if the body is not JSON."""
    if body is None:
        return None
    try:
        return orjson.loads(body)
    except ValueError:
        pass
    try:
        return json.loads(body)  # accepts a little more, such as half of a surrogate pair
    except (ValueError, RecursionError):
        return None
