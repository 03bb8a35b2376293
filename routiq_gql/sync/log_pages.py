"""Pages of the logs of syncs by cursors, for connections. ``log_requests`` has the lists of lines without cursors."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Self

from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.database.log_pages import LogPageRows, LogWindow, log_pages_of
from routiq_gql.database.sync_log import MAX_SEQ
from routiq_gql.errors import SyncNotFound
from routiq_gql.paging import PageArguments, Scope
from routiq_gql.security.viewer import Viewer
from routiq_gql.sync.mapping import log_line_of
from routiq_gql.sync.model import LogLine

_REFUSAL = "“{name}” is not a cursor of the log of this sync. Use the cursors of an earlier page of the same log."


@dataclass(frozen=True, slots=True)
class LogPageRequest:
    """A page of a sync's log, checked."""

    sync_id: str
    window: LogWindow

    @classmethod
    def of(cls, sync_id: str, page: PageArguments) -> Self:
        """The request for a page.

        Raises:
            BadInput: An argument is out of range, or a cursor is not of this log.
        """
        page.check_size()
        after, before = _scope(sync_id).read_cursors(page)
        return cls(sync_id, LogWindow(after, before, page.size, page.is_backward))


@dataclass(frozen=True, slots=True)
class LogPage:
    """Lines of a log, ascending.

    Attributes:
        cursors: Of the lines, in their order.
        total_count: How many lines the whole log has now.
    """

    lines: list[LogLine]
    cursors: list[str]
    has_next: bool
    has_previous: bool
    total_count: int


async def read_log_pages(
    connection: AsyncConnection, viewer: Viewer, requests: Collection[LogPageRequest]
) -> dict[LogPageRequest, LogPage | SyncNotFound]:
    """The page of each request, in one statement; ``SyncNotFound`` where the viewer has no such sync."""
    windows: dict[LogWindow, set[str]] = {}
    for request in requests:
        windows.setdefault(request.window, set()).add(request.sync_id)
    found = await log_pages_of(connection, windows, viewer.organization_id, only=viewer.sync_id)
    pages = {LogPageRequest(sync_id, window): _page(sync_id, window, rows) for (sync_id, window), rows in found.items()}
    return {request: pages.get(request, SyncNotFound()) for request in requests}


def _page(sync_id: str, window: LogWindow, rows: LogPageRows) -> LogPage:
    oldest, newest = rows.oldest, rows.newest
    if rows.lines:
        begin, end = rows.lines[0].seq, rows.lines[-1].seq
    else:  # an empty page lies between the cursors
        begin = (window.after or 0) + 1
        end = (window.before or MAX_SEQ + 1) - 1
    scope = _scope(sync_id)
    return LogPage(
        lines=[log_line_of(sync_id, row) for row in rows.lines],
        cursors=[scope.cursor_of(row.seq) for row in rows.lines],
        has_next=newest is not None and newest > end,
        has_previous=oldest is not None and oldest < begin,
        total_count=newest - oldest + 1 if oldest is not None and newest is not None else 0,
    )


def _scope(sync_id: str) -> Scope:
    return Scope("line", [sync_id], _REFUSAL, MAX_SEQ)
