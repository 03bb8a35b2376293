"""The public state of a connection: whether it can be used, its account and its problem. Never its key."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

import structlog

from routiq_gql.database.rows import ConnectionRow
from routiq_gql.database.schedules import MOST_UNTIL_RETRY
from routiq_gql.errors import RoutiqError, SettingsError
from routiq_gql.sync.model import FailureCode

FIRST_RETRY = timedelta(hours=1)
"""The schedule tries a connection again that was denied a list (403), since a 403 may be transient: first after this
time, then after ``MOST_UNTIL_RETRY``."""

log = structlog.get_logger(__name__)


class ConnectionState(StrEnum):
    """Whether an organization's connection may be used."""

    CONNECTED = "connected"
    DISABLED = "disabled"
    NEEDS_ATTENTION = "needs_attention"


class ConnectionProblem(RoutiqError):
    """A connection can't be used, or a key can't be connected. In a sync it becomes the sync's failure."""

    code = "CONNECTION_PROBLEM"

    def __init__(self, failure_code: FailureCode, message: str, what_to_do: str) -> None:
        super().__init__(message)
        self.failure_code = failure_code
        self.what_to_do = what_to_do


@dataclass(frozen=True, slots=True)
class ConnectionInfo:
    """The public state of a connection; never its key.

    Attributes:
        shard: The part of Cliniko that holds the account, such as ``au1``.
        account_name: The clinic's name in Cliniko; like the role unknown until the key was tried.
        role: The Cliniko role of the key's owner.
        problem: Why it needs attention.
    """

    organization_id: str
    state: ConnectionState
    shard: str
    account_name: str | None
    role: str | None
    last_validated_at: datetime | None
    problem: ConnectionProblem | None


def not_set_up(error: RoutiqError) -> ConnectionProblem:
    """The problem that a clinic sees when this server's settings or keys don't allow the use of its connection.

    The log has the full reason. A sentence that may name paths on the server appears only there.
    """
    log.warning("connection_not_usable", reason=error.message)
    is_shown = not isinstance(error, SettingsError) or error.is_for_clients
    return ConnectionProblem(
        FailureCode.CONNECTION_MISSING,
        error.message if is_shown else "This server's encryption keys or settings can't be used. Its log says why.",
        "Ask the operator of this server to correct it, then try again.",
    )


def retry_after_denial(earlier: datetime | None, now: datetime) -> datetime:
    """When a schedule tries a connection again that was just denied access.

    Args:
        earlier: The stored time of the previous denial or try; ``None`` if a sync has completed since.
    """
    if earlier is None:
        return now + FIRST_RETRY
    return earlier if earlier > now else now + MOST_UNTIL_RETRY


def info_of(row: ConnectionRow) -> ConnectionInfo:
    """The public state in a row of ``connections``."""
    problem = None
    if row.problem_code is not None:
        problem = ConnectionProblem(
            FailureCode(row.problem_code), row.problem_message or "", row.problem_what_to_do or ""
        )
    return ConnectionInfo(
        organization_id=row.organization_id,
        state=ConnectionState(row.state),
        shard=row.shard,
        account_name=row.account_name,
        role=row.role,
        last_validated_at=row.last_validated_at,
        problem=problem,
    )


def require_connection(row: ConnectionRow | None, organization_id: str) -> ConnectionRow:
    """The row of the organization's connection.

    Raises:
        ConnectionProblem: The organization has no connection.
    """
    if row is not None:
        return row
    raise ConnectionProblem(
        FailureCode.CONNECTION_MISSING,
        "This organization is not connected to Cliniko.",
        f"Connect it with a Cliniko API key: routiq-gql connect {organization_id}",
    )


def require_usable(row: ConnectionRow | None, organization_id: str) -> ConnectionRow:
    """The row of a connection that is not switched off. Cliniko may refuse its key all the same.

    Raises:
        ConnectionProblem: The organization has no connection, or it is switched off.
    """
    row = require_connection(row, organization_id)
    if row.state == ConnectionState.DISABLED:
        raise ConnectionProblem(
            FailureCode.CONNECTION_DISABLED,
            "This organization's connection to Cliniko is switched off.",
            f"Connect it again: routiq-gql connect {organization_id}",
        )
    return row
