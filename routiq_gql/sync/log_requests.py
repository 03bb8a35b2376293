"""Reads parts of the logs of several syncs in a single statement, for queries that list syncs with their logs."""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.database.sync_log import logs_of
from routiq_gql.errors import BadInput, SyncNotFound
from routiq_gql.security.viewer import Viewer
from routiq_gql.sync.mapping import log_line_of
from routiq_gql.sync.model import LogLine

MAX_PAGE = 100
"""The most syncs, or log lines, in one request."""


@dataclass(frozen=True, slots=True)
class LogRequest:
    """A part of a sync's log: at most ``limit`` lines after the number ``after``; the newest lines without it."""

    sync_id: str
    after: int | None = None
    limit: int = MAX_PAGE

    def check(self) -> None:
        """Raise if a value is out of range.

        Raises:
            BadInput: ``limit`` or ``after`` is out of range.
        """
        check_limit(self.limit)
        check_after(self.after)


async def read_logs(
    connection: AsyncConnection, viewer: Viewer, requests: Collection[LogRequest]
) -> dict[LogRequest, list[LogLine] | SyncNotFound]:
    """The lines of each checked request, ascending; ``SyncNotFound`` where the viewer has no such sync."""
    parts: dict[tuple[int | None, int], set[str]] = {}
    for request in requests:
        parts.setdefault((request.after, request.limit), set()).add(request.sync_id)
    found: dict[LogRequest, list[LogLine]] = {}
    logs = await logs_of(connection, parts, viewer.organization_id, only=viewer.sync_id)
    for (sync_id, after, limit), rows in logs.items():
        found[LogRequest(sync_id, after, limit)] = [log_line_of(sync_id, row) for row in rows]
    return {request: found.get(request, SyncNotFound()) for request in requests}


def check_limit(limit: int) -> None:
    """Raise if ``limit`` is out of range.

    Raises:
        BadInput: It is out of range.
    """
    if not 1 <= limit <= MAX_PAGE:
        raise BadInput(f"“limit” must be from 1 to {MAX_PAGE}.")


def check_after(after: int | None) -> None:
    """Raise if ``after`` can't be the number of a log line.

    Raises:
        BadInput: It is negative.
    """
    if after is not None and after < 0:
        raise BadInput("“after” is the number of a log line, 0 or more.")
