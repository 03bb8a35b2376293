"""Pages of an organization's syncs by cursors, for connections. ``history`` has pages with totals over all syncs."""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.database.history import HistoryWindow, surroundings_of, window_page
from routiq_gql.organizations.live_updates import LiveUpdates, read_live_updates
from routiq_gql.paging import PageArguments, Scope
from routiq_gql.sync.mapping import snapshot_of
from routiq_gql.sync.model import SyncSnapshot, SyncState

DEFAULT_SYNCS = 10
"""Syncs of a page without ``first`` and ``last``: as ``history`` has, and few enough for a page of each log."""
_REFUSAL = (
    "“{name}” is not a cursor of these syncs. Use the cursors of an earlier page of the same organization with the "
    "same “status”."
)


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """Syncs of an organization, newest first.

    Attributes:
        cursors: Of the syncs, in their order.
        total_count: How many syncs there are on all pages; ``None`` if it was not asked for.
        live_updates: The syncs of looks between the syncs of this page; ``None`` likewise.
    """

    syncs: list[SyncSnapshot]
    cursors: list[str]
    has_next: bool
    has_previous: bool
    total_count: int | None
    live_updates: list[LiveUpdates] | None


async def read_history_page(
    connection: AsyncConnection,
    organization_id: str,
    page: PageArguments,
    outcomes: Collection[SyncState],
    *,
    counts: bool,
    live_updates: bool,
) -> HistoryPage:
    """A page of the organization's syncs with these outcomes, or of all.

    Raises:
        BadInput: An argument is out of range, or a cursor is not of these syncs.
    """
    page.check_size()
    statuses = sorted(outcome.value for outcome in outcomes)
    scope = Scope("sync", [organization_id, *statuses], _REFUSAL)
    after, before = scope.read_cursors(page)
    window = HistoryWindow(organization_id, statuses, below=after, above=before)
    rows = await window_page(connection, window, page.size, is_backward=page.is_backward)
    around = await surroundings_of(connection, window, rows, counts=counts)
    syncs = [snapshot_of(row) for row in rows]
    return HistoryPage(
        syncs=syncs,
        cursors=[scope.cursor_of(row.key) for row in rows],
        has_next=around.has_older,
        has_previous=around.has_newer,
        total_count=around.total,
        live_updates=await read_live_updates(connection, organization_id, syncs) if live_updates else None,
    )
