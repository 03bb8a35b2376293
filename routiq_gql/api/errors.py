"""Responses to errors: one table from an error's code to HTTP and GraphQL, and the problem form.

Outcomes that a caller can act on are shown with a sentence and not logged. Everything else is logged once, under a
reference that the client gets instead of the reason.
"""

from dataclasses import dataclass
from http import HTTPStatus
from secrets import token_hex

import structlog

from routiq_gql.api.body import BodyTooLarge
from routiq_gql.api.json_text import JsonResponse
from routiq_gql.api.problem import Problem
from routiq_gql.errors import Kind, RateLimited, RoutiqError, Unauthenticated, UnknownId, frames_of

log = structlog.get_logger(__name__)

GRAPHQL_CODES = (
    *("UNAUTHENTICATED", "FORBIDDEN", "SYNC_NOT_FOUND", "WEBHOOK_NOT_FOUND"),
    *("BAD_USER_INPUT", "RATE_LIMITED", "INTERNAL"),
)
"""All values of ``extensions.code``, except those in ``graphql/trusted/requests.py``."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The HTTP and GraphQL form of one kind of error.

    Attributes:
        http_status: Status of an HTTP answer that has a problem as its body.
        title: The problem's title, the same for every error of the kind.
        graphql_code: ``extensions.code``; ``None`` for refusals before GraphQL.
        sentence: The sentence for clients; ``None`` if each error brings a sentence.
        is_shown: Whether that sentence is for clients; if not the error is logged, and they get a reference.
    """

    http_status: int
    title: str
    graphql_code: str | None = None
    sentence: str | None = None
    is_shown: bool = True


OUTCOMES = {
    # A caller can act on these.
    "UNAUTHENTICATED": Outcome(401, "Not authenticated", "UNAUTHENTICATED"),
    "FORBIDDEN": Outcome(403, "Not allowed", "FORBIDDEN"),
    "SYNC_NOT_FOUND": Outcome(404, "Sync not found", "SYNC_NOT_FOUND"),
    "WEBHOOK_NOT_FOUND": Outcome(404, "Webhook not found", "WEBHOOK_NOT_FOUND"),
    "WEBHOOK_REFUSED": Outcome(409, "Not possible now", "BAD_USER_INPUT"),
    "BAD_USER_INPUT": Outcome(422, "Value not accepted", "BAD_USER_INPUT"),
    "RATE_LIMITED": Outcome(429, "Too many requests", "RATE_LIMITED"),
    "TOOK_TOO_LONG": Outcome(503, "Took too long", "BAD_USER_INPUT"),
    # Requests that no route can answer.
    "BAD_REQUEST": Outcome(400, "Bad request", "BAD_USER_INPUT"),
    "BODY_TOO_LARGE": Outcome(413, "Body too large", "BAD_USER_INPUT"),
    "NOT_FOUND": Outcome(
        404, "Not found", sentence="Nothing is served at this address. GET /openapi.json lists all routes."
    ),
    "METHOD_NOT_ALLOWED": Outcome(
        405,
        "Method not allowed",
        "BAD_USER_INPUT",
        "This method is not supported here. The header Allow lists the supported methods.",
    ),
    "HOST_NOT_ALLOWED": Outcome(
        421,
        "Host not allowed",
        sentence="This host name is not allowed. To allow it, add it to ROUTIQ_ALLOWED_HOSTS.",
    ),
    "ORIGIN_NOT_ALLOWED": Outcome(
        403,
        "Origin not allowed",
        sentence="Pages of this origin may not use this server. To allow them, add the origin to "
        "ROUTIQ_ALLOWED_ORIGINS.",
    ),
    "NOT_LOCAL": Outcome(
        403,
        "Not allowed",
        sentence="With ROUTIQ_AUTH=off this server accepts requests from this machine only, and a proxy forwarded "
        "this one from another. To serve other machines, set ROUTIQ_AUTH to token or jwt.",
    ),
    "CROSS_SITE": Outcome(
        403,
        "Cross-site request",
        sentence="The browser sent this request for a page of another site, without an Origin header. Open the "
        "address directly, or call it with fetch() and add the page's origin to ROUTIQ_ALLOWED_ORIGINS.",
    ),
    # Not the caller's fault.
    "ISSUER_AWAY": Outcome(503, "Tokens can't be checked", "INTERNAL"),
    "NOT_READY": Outcome(503, "Not ready"),
    "DATABASE_AWAY": Outcome(503, "Database not available", "INTERNAL"),
    "STORAGE": Outcome(503, "Database not available", "INTERNAL", is_shown=False),
    "INTERNAL": Outcome(500, "Internal error", "INTERNAL", is_shown=False),
}
"""By ``RoutiqError.code`` or by the reason of a refusal; the key is a problem's ``code``."""


@dataclass(frozen=True, slots=True)
class Listing:
    """How a client finds the ids of one kind."""

    rest: str
    graphql: str


LISTINGS = {
    Kind.SYNC: Listing(
        "GET /api/v1/sync/history/{organization_id} lists an organization's syncs.",
        "The query `history` lists an organization's syncs.",
    ),
    Kind.WEBHOOK: Listing(
        "GET /api/v1/webhooks/{organization_id} lists an organization's webhooks.",
        "The query `webhooks` lists an organization's webhooks.",
    ),
    Kind.DELIVERY: Listing(
        "GET /api/v1/webhooks/{organization_id}/{webhook_id}/deliveries lists a webhook's deliveries.",
        "The field `deliveries` of the query `webhooks` lists a webhook's deliveries.",
    ),
}
_REFUSALS = {404: "NOT_FOUND", 405: "METHOD_NOT_ALLOWED"}


def code_of(error: BaseException) -> str:
    """The key of ``error`` in the table; INTERNAL for all other errors, which are our fault."""
    return error.code if isinstance(error, RoutiqError) and error.code in OUTCOMES else "INTERNAL"


def problem(
    status: int,
    code: str,
    title: str,
    detail: str,
    *,
    reference: str = "",
    headers: dict[str, str] | None = None,
) -> JsonResponse:
    """An ``application/problem+json`` answer with the members ``type title detail code``.

    There is no member ``status``: the documented React component shows ``data.status`` of any JSON.
    Source: RFC 9457, "Problem Details for HTTP APIs".
    """
    content = Problem(type="about:blank", title=title, detail=detail, code=code, reference=reference)
    return JsonResponse(
        content.model_dump(), status_code=status, headers=headers, media_type="application/problem+json"
    )


def problem_of(error: Exception, **known: object) -> JsonResponse:
    """The response to a request that ended in ``error``. Logs a reason that is not for clients, with ``known``."""
    code = code_of(error)
    outcome = OUTCOMES[code]
    if outcome.is_shown and isinstance(error, RoutiqError):
        advice = LISTINGS[error.kind].rest if isinstance(error, UnknownId) else error.what_to_do
        detail = f"{error.message} {advice}".strip()
        return problem(outcome.http_status, code, outcome.title, detail, headers=headers_of(error))
    reference = log_fault(error, **known)
    return problem(outcome.http_status, code, outcome.title, internal_sentence(reference), reference=reference)


def headers_of(error: RoutiqError) -> dict[str, str]:
    """The headers of an HTTP response to ``error``."""
    if isinstance(error, RateLimited):
        return {"Retry-After": str(error.retry_after_seconds)}
    if isinstance(error, BodyTooLarge):
        return {"Connection": "close"}  # the rest of the body is not waited for
    if isinstance(error, Unauthenticated):
        return {"WWW-Authenticate": "Bearer"}  # Source: RFC 6750, "The WWW-Authenticate Response Header Field"
    return {}


def refusal(code: str, sentence: str = "", *, headers: dict[str, str] | None = None) -> JsonResponse:
    """The answer to a request that is refused for this reason; ``sentence`` where the table has none."""
    outcome = OUTCOMES[code]
    return problem(outcome.http_status, code, outcome.title, outcome.sentence or sentence, headers=headers)


def problem_of_status(status: int, headers: dict[str, str] | None = None) -> JsonResponse:
    """The answer to a request that no route takes: unknown path, wrong method."""
    if status in _REFUSALS:
        return refusal(_REFUSALS[status], headers=headers)
    phrase = HTTPStatus(status)
    return problem(status, phrase.name, phrase.phrase, phrase.description, headers=headers)


def log_fault(error: BaseException, **known: object) -> str:
    """Log a fault by kind and place, and return its reference. Its text may hold private values and is never logged."""
    reference = token_hex(6)
    reason = error.message if isinstance(error, RoutiqError) else None
    log.error(
        "request_failed",
        reference=reference,
        error=type(error).__name__,
        where=frames_of(error),
        **({"reason": reason} if reason else {}),
        **known,
    )
    return reference


def graphql_sentence(error: RoutiqError) -> str:
    """The message of a GraphQL error about ``error``, one that is for clients."""
    return f"{error.message} {LISTINGS[error.kind].graphql}" if isinstance(error, UnknownId) else error.message


def sentence_for_client(error: RoutiqError, **known: object) -> str:
    """The sentence for clients about ``error``; a reason that is not for clients is logged, together with ``known``."""
    return (
        graphql_sentence(error) if OUTCOMES[code_of(error)].is_shown else internal_sentence(log_fault(error, **known))
    )


def internal_sentence(reference: str) -> str:
    """The sentence for clients about a fault."""
    return f"Internal error. The server log has the reason under {reference}."
