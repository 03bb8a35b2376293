"""The attempts to deliver an event, as they are stored with its delivery: the newest ones, in their order."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypedDict, cast

FORMAT = 1
"""Of the stored JSON. A later version reads this one, too."""
MOST_ATTEMPTS = 15
"""Of a delivery; as many as fit into three days of failures. Older ones are dropped."""


@dataclass(frozen=True, slots=True)
class PastAttempt:
    """An attempt to deliver an event.

    Attributes:
        at: When it began.
        status: The HTTP status of the answer; ``None`` if there was none.
        error: A sentence about the failure; ``None`` after a success.
        seconds: From its begin to the answer, or to the failure.
    """

    at: datetime
    status: int | None
    error: str | None
    seconds: float


class _Stored(TypedDict):
    at: str
    status: int | None
    error: str | None
    seconds: float


def stored_attempts(log: Mapping[str, object] | None) -> tuple[PastAttempt, ...]:
    """The attempts in a stored log, the oldest first; of an earlier version's delivery, none."""
    stored = cast("list[_Stored]", log["attempts"]) if log is not None else []
    return tuple(
        PastAttempt(datetime.fromisoformat(one["at"]), one["status"], one["error"], one["seconds"]) for one in stored
    )


def with_attempt(log: Mapping[str, object] | None, attempt: PastAttempt) -> dict[str, object]:
    """The log to store after an attempt."""
    kept = (*stored_attempts(log), attempt)[-MOST_ATTEMPTS:]
    stored: list[_Stored] = [
        {"at": one.at.isoformat(), "status": one.status, "error": one.error, "seconds": round(one.seconds, 3)}
        for one in kept
    ]
    return {"format": FORMAT, "attempts": stored}
