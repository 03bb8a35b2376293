"""The dashboard of an organization: current sync, last syncs, patient counts, connection and next scheduled sync.

``Dashboards`` reads it once for all callers of the same moment, since a running sync wakes every watcher of its
organization ten times a second. A caller joins a read that has not begun yet, never a read in progress, so it never
gets a state older than its request.
"""

import asyncio
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.connections.state import ConnectionInfo, ConnectionState, info_of
from routiq_gql.database.activity import active_counts, patients_in_cliniko
from routiq_gql.database.connections import connection_of
from routiq_gql.database.engine import Database
from routiq_gql.database.schedules import next_sync_at
from routiq_gql.database.syncs import active_sync, newest_ended
from routiq_gql.settings import Settings
from routiq_gql.sync.forecast import Forecasts
from routiq_gql.sync.mapping import snapshot_of
from routiq_gql.sync.model import NextSync, SyncSnapshot, SyncState


@dataclass(frozen=True, slots=True)
class PatientStats:
    """Counts of an organization's patients as of ``last_sync_time``.

    Attributes:
        total_patients: Stored active patients, including those no longer active. Not the number of patients in Cliniko.
        active_patients: Patients that are active now.
        patients_with_upcoming: Active patients with an appointment ahead; may overlap with ``patients_with_recent``.
        patients_with_recent: Active patients with an appointment in the recent past.
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
    """An overview of an organization.

    Attributes:
        current_sync: The running sync, ``None`` when idle.
        last_sync: The newest sync that has ended, whatever its outcome.
        last_successful_sync: The newest completed sync.
        sync_available: Whether the organization has an enabled connection.
        connection: Its access to Cliniko; ``None`` when it was never connected.
        next_sync_at: When its schedule starts the next sync; ``None`` without a schedule, or while it pauses.
        next_sync: The cost of a sync that is started now without a mode; ``None`` while that is unknown, before the
            first completed sync, and while a sync runs.
    """

    organization_id: str
    current_sync: SyncSnapshot | None
    patient_stats: PatientStats
    last_sync: SyncSnapshot | None
    last_successful_sync: SyncSnapshot | None
    sync_available: bool
    connection: ConnectionInfo | None
    next_sync_at: datetime | None
    next_sync: NextSync | None = None

    @property
    def status(self) -> SyncState:
        return self.current_sync.status if self.current_sync else SyncState.IDLE


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


class Dashboards:
    """Reads the dashboards of all organizations."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._forecasts = Forecasts(settings)
        self._about_to_be_read: dict[str, asyncio.Task[Dashboard]] = {}

    async def read(self, organization_id: str) -> Dashboard:
        """The organization's dashboard, from a single moment.

        Raises:
            StorageError: The database can't be read.
        """
        reading = self._about_to_be_read.get(organization_id)
        if reading is None:
            reading = asyncio.create_task(self._read_soon(organization_id), name="dashboard")
            self._about_to_be_read[organization_id] = reading
            reading.add_done_callback(_note_failure)
        return await asyncio.shield(reading)  # a caller that is cancelled does not cancel the read for the others

    async def _read_soon(self, organization_id: str) -> Dashboard:
        await asyncio.sleep(0)  # all callers that were woken together join first
        del self._about_to_be_read[organization_id]
        async with self._database.reading() as connection:
            dashboard = await read_dashboard(connection, organization_id)
            newest = dashboard.last_successful_sync
            if newest is None or dashboard.current_sync is not None or not dashboard.sync_available:
                return dashboard  # a running sync wakes readers often
            forecast = await self._forecasts.next_sync(connection, organization_id, newest.key)
            return replace(dashboard, next_sync=forecast)


def _note_failure(reading: asyncio.Task[Dashboard]) -> None:
    """Retrieve the error of a read whose callers have all left; asyncio would log it with its statement."""
    if not reading.cancelled():
        reading.exception()
