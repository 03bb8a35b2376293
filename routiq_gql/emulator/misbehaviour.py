"""Spoils an answer as a fault says: another status, another body, or no proper end to it.

The server asks ``spoiled`` for faults that still send a complete answer, and sends ``SpoiledResponse`` where the
connection itself must misbehave.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from enum import Enum

from routiq_gql.emulator.answers import Answer, first_page_again, refusal, with_rows
from routiq_gql.emulator.faults import Fault, FaultKind

AnswerList = Callable[[Sequence[tuple[str, str]], int], Answer]
"""Answers the request again with other query parameters, and with that many rows skipped."""

HTML_PAGE = b"<!doctype html><html><head><title>Sorry</title></head><body><h1>We'll be right back</h1></body></html>"


class Ending(Enum):
    """How an answer ends on the wire."""

    PROPER = "proper"
    NEVER = "never"
    DROPPED_BEFORE = "dropped before"
    DROPPED_INSIDE = "dropped inside"


_ENDINGS = {
    FaultKind.HANG: Ending.NEVER,
    FaultKind.DROP_BEFORE: Ending.DROPPED_BEFORE,
    FaultKind.DROP_INSIDE: Ending.DROPPED_INSIDE,
}


def ending_of(fault: Fault | None) -> Ending:
    """How the answer to a request that meets ``fault`` ends."""
    return Ending.PROPER if fault is None else _ENDINGS.get(fault.kind, Ending.PROPER)


def replaced_by(fault: Fault, now: float) -> Answer | None:
    """The answer that takes the place of the right one, whatever that was; ``None`` if the fault needs it.

    Args:
        fault: What goes wrong.
        now: The UNIX time that the answer's ``Date`` will show.
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
        case FaultKind.STATUS_504:
            return Answer(504, raw=HTML_PAGE, media_type="text/html; charset=utf-8")
        case FaultKind.HTML_200:
            return Answer(200, raw=HTML_PAGE, media_type="text/html; charset=utf-8")
        case FaultKind.REFUSE_SORT:
            return refusal(400, "This column is not sortable.")
        case FaultKind.REFUSE_ID_FILTER:
            return refusal(400, "This column is not searchable.")
        case FaultKind.STATUS_401:
            return refusal(401, "Unauthorized")
        case FaultKind.STATUS_403:
            return refusal(403, "Forbidden")
        case FaultKind.REDIRECT:
            return Answer(301, {"message": "Moved Permanently"}, {"Location": fault.location})
    return None


def spoiled(
    fault: Fault, answer: Answer, resource: str, parameters: Sequence[tuple[str, str]], answer_list: AnswerList
) -> Answer:
    """``answer`` with its content as the fault wants it. An answer that is no list only loses its shape."""
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
        case FaultKind.WRONG_SHAPE_ROW if is_list and answer.body[resource]:
            *rows, last = answer.body[resource]
            return with_rows(answer, resource, [*rows, {name: last[name] for name in last if name != "id"}])
        case FaultKind.SHORT_PAGE if is_list:
            rows = answer.body[resource]
            return with_rows(answer, resource, rows[: max(0, len(rows) - fault.rows)])
        case FaultKind.FOREIGN_LINK if is_list:
            return replace(answer, body={**answer.body, "links": {**answer.body["links"], "next": fault.location}})
    return answer


def rate_limited(resets_at: float) -> Answer:
    """429 as Cliniko sends it: a UNIX time in whole seconds, and no ``Retry-After``."""
    headers = {"X-RateLimit-Reset": str(round(resets_at))}
    return replace(refusal(429, "Too many requests. Please slow down."), headers=headers)
