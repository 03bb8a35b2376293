"""Spoils a response as a fault demands: another status, another body, or no proper end.

The server calls ``replaced_by`` and ``spoiled`` for faults that still send a complete response, and ``ending_of`` for
the faults of the connection.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from enum import Enum
from typing import Any
from urllib.parse import urlsplit

from routiq_gql.emulator.answers import Answer, first_page_again, refusal, with_rows
from routiq_gql.emulator.faults import Fault, FaultKind

AnswerList = Callable[[Sequence[tuple[str, str]], int], Answer]
"""Computes the response for other query parameters, with so many rows skipped."""

HTML_PAGE = b"<!doctype html><html><head><title>Sorry</title></head><body><h1>We'll be right back</h1></body></html>"


class Ending(Enum):
    """How a response ends on the wire."""

    PROPER = "proper"
    NEVER = "never"
    DROPPED_BEFORE = "dropped before"
    DROPPED_INSIDE = "dropped inside"


_ENDINGS = {
    FaultKind.HANG: Ending.NEVER,
    FaultKind.DROP_BEFORE: Ending.DROPPED_BEFORE,
    FaultKind.DROP_INSIDE: Ending.DROPPED_INSIDE,
}


_ODD_ROWS = {FaultKind.WRONG_SHAPE_ROW, FaultKind.ROW_WITHOUT_START, FaultKind.BARE_ROW, FaultKind.ODD_ROW}


def ending_of(fault: Fault | None) -> Ending:
    """How the response to a request ends that ``fault`` strikes."""
    return Ending.PROPER if fault is None else _ENDINGS.get(fault.kind, Ending.PROPER)


def replaced_by(fault: Fault, now: float) -> Answer | None:
    """The response that replaces the correct response; ``None`` if the fault changes the correct response instead.

    Args:
        fault: What goes wrong.
        now: The UNIX time in the response's ``Date``.
    """
    match fault.kind:
        case FaultKind.RATE_LIMIT:
            return rate_limited(now + fault.seconds)
        case FaultKind.STATUS_500:
            return refusal(500, "Internal server error")
        case FaultKind.STATUS_502_HTML:
            return Answer(502, raw=HTML_PAGE, media_type="text/html; charset=utf-8")
        case FaultKind.STATUS_503:
            return Answer(503, raw=b"Service Unavailable", media_type="text/plain; charset=utf-8")
        case FaultKind.STATUS_504 | FaultKind.SORT_TIMES_OUT:
            return Answer(504, raw=HTML_PAGE, media_type="text/html; charset=utf-8")
        case FaultKind.HTML_200:
            return Answer(200, raw=HTML_PAGE, media_type="text/html; charset=utf-8")
        case FaultKind.REFUSE_SORT:
            return refusal(fault.status, "This column is not sortable.")
        case FaultKind.REFUSE_ID_FILTER | FaultKind.REFUSE_FILTER | FaultKind.REFUSE_MANY_VALUES:
            return refusal(fault.status, "This column is not searchable.")
        case FaultKind.STATUS_401:
            return refusal(401, "Unauthorized")
        case FaultKind.STATUS_402:
            return refusal(402, "Payment Required")
        case FaultKind.STATUS_403:
            return refusal(403, "Forbidden")
        case FaultKind.REDIRECT:
            return Answer(301, {"message": "Moved Permanently"}, {"Location": fault.location})
    return None


def spoiled(
    fault: Fault, answer: Answer, resource: str, parameters: Sequence[tuple[str, str]], answer_list: AnswerList
) -> Answer:
    """``answer`` with the content that the fault demands. A response that is no list only loses its shape."""
    is_list = answer.status == 200 and resource in answer.body
    match fault.kind:
        case FaultKind.CUT_JSON:
            content = answer.content()
            return replace(answer, raw=content[: len(content) // 2])
        case FaultKind.WRONG_SHAPE_JSON:
            return Answer(200, {"data": answer.body.get(resource, []), "count": answer.body.get("total_entries")})
        case FaultKind.REPEAT_PAGE if is_list:
            return answer_list(first_page_again(parameters), 0)
        case FaultKind.JUMP if is_list:
            return answer_list(parameters, fault.rows)
        case FaultKind.REPEAT_ROW if is_list and len(answer.body[resource]) > 1:
            rows = answer.body[resource]
            return with_rows(answer, resource, [*rows[:-1], rows[-2]])
        case _ if is_list and fault.kind in _ODD_ROWS:
            rows = answer.body[resource]
            right = max(0, len(rows) - fault.rows)
            return with_rows(answer, resource, [*rows[:right], *(_odd(fault.kind, row) for row in rows[right:])])
        case FaultKind.WRONG_TOTAL if is_list:
            return replace(answer, body={**answer.body, "total_entries": answer.body["total_entries"] + fault.rows})
        case FaultKind.SHORT_PAGE if is_list:
            rows = answer.body[resource]
            return with_rows(answer, resource, rows[: max(0, len(rows) - fault.rows)])
        case FaultKind.FOREIGN_LINK if is_list and "next" in answer.body["links"]:
            elsewhere, here = urlsplit(fault.location), urlsplit(answer.body["links"]["next"])
            link = here._replace(scheme=elsewhere.scheme, netloc=elsewhere.netloc).geturl()
            return replace(answer, body={**answer.body, "links": {**answer.body["links"], "next": link}})
    return answer


def _odd(kind: FaultKind, row: Mapping[str, Any]) -> dict[str, Any]:
    if kind is FaultKind.WRONG_SHAPE_ROW:
        return {name: row[name] for name in row if name != "id"}
    if kind is FaultKind.ROW_WITHOUT_START:
        return {name: row[name] for name in row if name != "starts_at"}
    required = {name: row[name] for name in ("id", "starts_at") if name in row}
    if kind is FaultKind.BARE_ROW:
        return required
    return {**{name: _of_another_type(value, place) for place, (name, value) in enumerate(row.items())}, **required}


def _of_another_type(value: object, place: int) -> object:
    """A value of another type than ``value``, which is a text, time, number, list, link or boolean."""
    others: tuple[object, ...] = ("yes", 7, [], {"links": {"self": None}}, [{"number": {}}], {"links": {}}, "soon")
    return next(other for other in (*others[place % 7 :], *others) if type(other) is not type(value))


def rate_limited(resets_at: float) -> Answer:
    """429 as Cliniko sends it: a UNIX time in whole seconds, and no ``Retry-After``."""
    headers = {"X-RateLimit-Reset": str(round(resets_at))}
    return replace(refusal(429, "Too many requests. Please slow down."), headers=headers)
