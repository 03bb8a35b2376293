"""The history of an organization: a page of its syncs and totals over all of them, from a single transaction."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.database.history import average_duration, counts_by_status, history_page, newest_ended
from routiq_gql.organizations.cursors import history_cursor
from routiq_gql.organizations.live_updates import LiveUpdates, read_live_updates
from routiq_gql.sync.mapping import snapshot_of
from routiq_gql.sync.model import SyncSnapshot, SyncState


@dataclass(frozen=True, slots=True)
class History:
    """A page of an organization's syncs, newest first, and totals over all of them.

    Attributes:
        failed_syncs: Failed syncs; cancelled syncs are counted separately.
        average_sync_duration_seconds: Over completed syncs; ``None`` before the first.
        next_cursor: Opaque; pass as ``after`` for the next page. ``None`` on the last page.
        live_updates: The syncs of looks between the syncs of this page.
    """

    organization_id: str
    total_syncs: int
    successful_syncs: int
    failed_syncs: int
    cancelled_syncs: int
    last_sync_at: datetime | None
    last_successful_sync_at: datetime | None
    average_sync_duration_seconds: float | None
    recent_syncs: list[SyncSnapshot]
    next_cursor: str | None
    live_updates: list[LiveUpdates]

    @property
    def unsuccessful_syncs(self) -> int:
        """Failed and cancelled ones."""
        return self.failed_syncs + self.cancelled_syncs


async def read_history(
    connection: AsyncConnection,
    organization_id: str,
    limit: int,
    before: int | None,
    outcomes: Collection[SyncState],
) -> History:
    """A page of the organization's syncs with numbers below ``before``, and totals over all of them."""
    rows = await history_page(connection, organization_id, limit + 1, before, [outcome.value for outcome in outcomes])
    counts = await counts_by_status(connection, organization_id)
    newest = await history_page(connection, organization_id, 1)
    successful = await newest_ended(connection, organization_id, SyncState.COMPLETED)
    average = await average_duration(connection, organization_id, SyncState.COMPLETED)
    page = [snapshot_of(row) for row in rows[:limit]]
    return History(
        organization_id=organization_id,
        total_syncs=sum(counts.values()),
        successful_syncs=counts.get(SyncState.COMPLETED, 0),
        failed_syncs=counts.get(SyncState.FAILED, 0),
        cancelled_syncs=counts.get(SyncState.CANCELLED, 0),
        last_sync_at=newest[0].started_at if newest else None,
        last_successful_sync_at=successful.completed_at if successful else None,
        average_sync_duration_seconds=round(average.total_seconds(), 3) if average is not None else None,
        recent_syncs=page,
        next_cursor=history_cursor(page[-1].key) if len(rows) > limit else None,
        live_updates=await read_live_updates(connection, organization_id, page),
    )
