"""What becomes of an error at the doors: one table from ``RoutiqError.code`` to HTTP and GraphQL, and the problem form.

Outcomes that a caller can act on are shown with their own sentence and not logged. Everything else is logged once,
under a reference that the client is given instead of the reason.
"""

import traceback
from dataclasses import dataclass
from http import HTTPStatus
from secrets import token_hex

import structlog
from starlette.responses import JSONResponse

from routiq_gql.errors import RoutiqError

log = structlog.get_logger(__name__)

GRAPHQL_CODES = ("UNAUTHENTICATED", "FORBIDDEN", "SYNC_NOT_FOUND", "BAD_USER_INPUT", "RATE_LIMITED", "INTERNAL")
"""Every value that ``extensions.code`` can have."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the doors tell one kind of error.

    Attributes:
        http_status: Status of a REST answer.
        code: The member ``code`` of a problem, and ``extensions.code`` in GraphQL.
        title: The same for every error of the kind.
        is_shown: Whether the error's own sentence is for clients; if not it is logged, and they get a reference.
    """

    http_status: int
    code: str
    title: str
    is_shown: bool = True


OUTCOMES = {
    "UNAUTHENTICATED": Outcome(401, "UNAUTHENTICATED", "Who are you?"),
    "FORBIDDEN": Outcome(403, "FORBIDDEN", "Not allowed"),
    "SYNC_NOT_FOUND": Outcome(404, "SYNC_NOT_FOUND", "Sync not found"),
    "BAD_USER_INPUT": Outcome(422, "BAD_USER_INPUT", "Value not accepted"),
    "RATE_LIMITED": Outcome(429, "RATE_LIMITED", "Too many requests"),
    "STORAGE": Outcome(503, "INTERNAL", "Database not available", is_shown=False),
}
"""By ``RoutiqError.code``. A code that is not listed is our own fault."""

INTERNAL = Outcome(500, "INTERNAL", "Internal error", is_shown=False)


def outcome_of(error: BaseException) -> Outcome:
    """How ``error`` is told; ``INTERNAL`` for whatever is no ``RoutiqError`` of the table."""
    return OUTCOMES.get(error.code, INTERNAL) if isinstance(error, RoutiqError) else INTERNAL


def problem(
    status: int,
    code: str,
    title: str,
    detail: str,
    *,
    reference: str | None = None,
    headers: dict[str, str] | None = None,
) -> JSONResponse:
    """An ``application/problem+json`` answer with the members ``type title detail code``.

    There is no member ``status``: the documented React component shows ``data.status`` of whatever it gets.
    Source: RFC 9457, "Problem Details for HTTP APIs".
    """
    content = {"type": "about:blank", "title": title, "detail": detail, "code": code}
    if reference is not None:
        content["reference"] = reference
    return JSONResponse(content, status_code=status, headers=headers, media_type="application/problem+json")


def problem_of(error: Exception, **known: object) -> JSONResponse:
    """The answer to a request that ended in ``error``; logs what is not for the client, together with ``known``."""
    outcome = outcome_of(error)
    if outcome.is_shown and isinstance(error, RoutiqError):
        return problem(outcome.http_status, outcome.code, outcome.title, error.message)
    reference = log_fault(error, **known)
    return problem(outcome.http_status, outcome.code, outcome.title, internal_sentence(reference), reference=reference)


def problem_of_status(status: int, headers: dict[str, str] | None = None) -> JSONResponse:
    """The answer to a request that no route takes: unknown path, wrong method."""
    phrase = HTTPStatus(status)
    details = {
        404: "There is nothing at this address. GET /openapi.json lists what there is.",
        405: "This address does not take this method; the header Allow lists those that it takes.",
    }
    return problem(status, phrase.name, phrase.phrase, details.get(status, phrase.description), headers=headers)


def log_fault(error: BaseException, **known: object) -> str:
    """Log a fault once, by kind and place and never by its text, which may hold private values; the reference."""
    reference = token_hex(6)
    reason = error.message if isinstance(error, RoutiqError) else None
    log.error(
        "request_failed",
        reference=reference,
        error=type(error).__name__,
        where=traceback.format_tb(error.__traceback__)[-4:],
        **({"reason": reason} if reason else {}),
        **known,
    )
    return reference


def internal_sentence(reference: str) -> str:
    """What a client is told about a fault."""
    return f"Internal error. Whoever runs this server finds the reason in its log under {reference}."
