"""Problems of starting and cancelling: why the sync in the answer is not what the caller asked for.

A problem comes beside a sync. A request that has no sync as its answer ends in a ``RoutiqError`` instead.
"""

from dataclasses import dataclass
from enum import StrEnum

from routiq_gql.connections.state import ConnectionProblem, ConnectionState, info_of, require_usable
from routiq_gql.database.rows import ConnectionRow
from routiq_gql.sync.model import FailureCode, SyncMode, SyncSnapshot, SyncState


class StartProblemCode(StrEnum):
    """Why a started or running sync will not do as asked. Stable; clients may branch on it."""

    CONNECTION_MISSING = "CONNECTION_MISSING"
    CONNECTION_DISABLED = "CONNECTION_DISABLED"
    CONNECTION_NEEDS_ATTENTION = "CONNECTION_NEEDS_ATTENTION"
    OTHER_MODE_RUNS = "OTHER_MODE_RUNS"


class CancelProblemCode(StrEnum):
    """Why a sync was not cancelled. Stable; clients may branch on it."""

    ALREADY_ENDED = "ALREADY_ENDED"


@dataclass(frozen=True, slots=True)
class StartProblem:
    """Why a sync will not do as asked, and what to do.

    Attributes:
        retryable: Whether starting again later, with nothing else changed, may succeed.
    """

    code: StartProblemCode
    message: str
    what_to_do: str
    retryable: bool


@dataclass(frozen=True, slots=True)
class CancelProblem:
    """Why a sync was not cancelled, and what to do. Cancelling it again changes nothing."""

    code: CancelProblemCode
    message: str
    what_to_do: str


def start_problem(connection: ConnectionRow | None, sync: SyncSnapshot, asked: SyncMode) -> StartProblem | None:
    """The problem of the answer ``sync`` to a start in the mode ``asked``; ``None`` if it does as asked.

    A problem of the connection comes first, since it ends the sync. A running sync is a problem only if it may read
    less than asked: a FULL sync reads all that an INCREMENTAL sync does.
    """
    if (found := _problem_of_connection(connection, sync.organization_id)) is not None:
        return found
    if asked is not SyncMode.FULL or sync.mode is SyncMode.FULL:
        return None
    return StartProblem(
        StartProblemCode.OTHER_MODE_RUNS,
        f"A sync in the mode {sync.mode.name} runs already, which may not read everything.",
        "Start a FULL sync after its end, or cancel it and start again.",
        retryable=True,
    )


def _problem_of_connection(row: ConnectionRow | None, organization_id: str) -> StartProblem | None:
    try:
        usable = require_usable(row, organization_id)
    except ConnectionProblem as problem:
        return StartProblem(_CONNECTION_CODES[problem.failure_code], problem.message, problem.what_to_do, False)
    info = info_of(usable)
    if info.state is not ConnectionState.NEEDS_ATTENTION or (refusal := info.problem) is None:
        return None
    return StartProblem(
        StartProblemCode.CONNECTION_NEEDS_ATTENTION,
        refusal.message,
        refusal.what_to_do,
        retryable=refusal.failure_code.is_retryable,
    )


_CONNECTION_CODES = {
    FailureCode.CONNECTION_MISSING: StartProblemCode.CONNECTION_MISSING,
    FailureCode.CONNECTION_DISABLED: StartProblemCode.CONNECTION_DISABLED,
}


def already_ended(sync: SyncSnapshot) -> CancelProblem:
    """The problem of cancelling a sync that has ended."""
    return CancelProblem(
        CancelProblemCode.ALREADY_ENDED,
        f"The sync {_ENDED[sync.status]} before this request, and stays as it is.",
        "Nothing has to be done: the organization can start another sync.",
    )


_ENDED = {SyncState.COMPLETED: "completed", SyncState.FAILED: "failed", SyncState.CANCELLED: "was cancelled"}
