"""What readers ask about an organization: its dashboard and its history, each read in one transaction.

Plain values that the doors render; the service checks who asks.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.database.active_patients import active_counts, patients_in_cliniko
from routiq_gql.database.connections import all_connections, connection_of
from routiq_gql.database.schedules import next_sync_at
from routiq_gql.database.syncs import active_sync, average_duration, counts_by_status, history_page, newest_ended
from routiq_gql.sync.connection_state import ConnectionInfo, ConnectionState, info_of
from routiq_gql.sync.cursors import history_cursor
from routiq_gql.sync.progress import SyncSnapshot, SyncState
from routiq_gql.sync.store import snapshot_of
from routiq_gql.viewer import Viewer


@dataclass(frozen=True, slots=True)
class PatientStats:
    """Counts of an organization's patients as of ``last_sync_time``.

    Attributes:
        total_patients: Stored active patients, including those no longer active. Not the number of patients in Cliniko.
        active_patients: Those active now.
        patients_with_upcoming: Active ones with an appointment ahead; may overlap with ``patients_with_recent``.
        patients_with_recent: Active ones with an appointment in the recent past.
        patients_in_cliniko: Patients that Cliniko listed in the newest completed sync.
        last_sync_time: When the newest completed sync ended; ``None`` before the first.
    """

    total_patients: int
    active_patients: int
    patients_with_upcoming: int
    patients_with_recent: int
    patients_in_cliniko: int
    last_sync_time: datetime | None


@dataclass(frozen=True, slots=True)
class Dashboard:
    """An overview of one organization.

    Attributes:
        current_sync: The running sync, ``None`` when idle.
        last_sync: The newest sync that has ended, whatever its outcome.
        last_successful_sync: The newest completed sync.
        sync_available: Whether the organization has an enabled connection.
        connection: Its access to Cliniko; ``None`` when it was never connected.
        next_sync_at: When its schedule starts the next sync; ``None`` without one, or while it pauses.
    """

    organization_id: str
    current_sync: SyncSnapshot | None
    patient_stats: PatientStats
    last_sync: SyncSnapshot | None
    last_successful_sync: SyncSnapshot | None
    sync_available: bool
    connection: ConnectionInfo | None
    next_sync_at: datetime | None

    @property
    def status(self) -> SyncState:
        return self.current_sync.status if self.current_sync else SyncState.IDLE


@dataclass(frozen=True, slots=True)
class History:
    """One page of an organization's syncs, newest first, and totals over all of them.

    Attributes:
        failed_syncs: Failed ones; cancelled ones are counted apart.
        average_sync_duration_seconds: Over completed syncs; ``None`` before the first.
        next_cursor: Opaque; pass as ``after`` for the next page. ``None`` on the last page.
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


@dataclass(frozen=True, slots=True)
class OrganizationState:
    """One organization as an operator sees it.

    Attributes:
        last_success_at: When its newest completed sync ended.
        last_sync: Its newest sync that has ended.
    """

    organization_id: str
    connection: ConnectionInfo
    current_sync: SyncSnapshot | None
    last_sync: SyncSnapshot | None
    last_success_at: datetime | None


async def read_dashboard(connection: AsyncConnection, organization_id: str) -> Dashboard:
    """The organization's dashboard as the connection's transaction sees it."""
    current = await active_sync(connection, organization_id)
    last = await newest_ended(connection, organization_id)
    successful = await newest_ended(connection, organization_id, SyncState.COMPLETED)
    counts = await active_counts(connection, organization_id)
    access = await connection_of(connection, organization_id)
    return Dashboard(
        organization_id=organization_id,
        current_sync=snapshot_of(current) if current else None,
        patient_stats=PatientStats(
            total_patients=counts.stored,
            active_patients=counts.active,
            patients_with_upcoming=counts.with_upcoming,
            patients_with_recent=counts.with_recent,
            patients_in_cliniko=await patients_in_cliniko(connection, organization_id),
            last_sync_time=successful.completed_at if successful else None,
        ),
        last_sync=snapshot_of(last) if last else None,
        last_successful_sync=snapshot_of(successful) if successful else None,
        sync_available=access is not None and access.state != ConnectionState.DISABLED,
        connection=info_of(access) if access is not None else None,
        next_sync_at=await next_sync_at(connection, organization_id),
    )


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
    )


async def read_organizations(connection: AsyncConnection, viewer: Viewer) -> list[OrganizationState]:
    """Every organization within the viewer's reach that has a connection, by id."""
    rows = await all_connections(connection)
    return [await _state_of(connection, row) for row in rows if viewer.organization_id in {None, row.organization_id}]


async def _state_of(connection: AsyncConnection, row: Row[Any]) -> OrganizationState:
    organization_id = row.organization_id
    current = await active_sync(connection, organization_id)
    last = await newest_ended(connection, organization_id)
    successful = await newest_ended(connection, organization_id, SyncState.COMPLETED)
    return OrganizationState(
        organization_id=organization_id,
        connection=info_of(row),
        current_sync=snapshot_of(current) if current else None,
        last_sync=snapshot_of(last) if last else None,
        last_success_at=successful.completed_at if successful else None,
    )
