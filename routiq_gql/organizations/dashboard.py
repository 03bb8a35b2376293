"""The dashboard of an organization: current sync, last syncs, patient counts, connection and next scheduled sync.

``Dashboards`` reads it once for all callers of the same moment; see ``JoinedRead``. Watchers share a feed
(``dashboard_feeds``) and read nothing.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from weakref import WeakValueDictionary

from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.clock import utc_now
from routiq_gql.connections.state import ConnectionInfo, ConnectionState, info_of
from routiq_gql.database.activity import active_counts, patients_in_cliniko
from routiq_gql.database.connections import connection_of
from routiq_gql.database.engine import Database
from routiq_gql.database.history import newest_ended
from routiq_gql.database.organization_facts import facts_of
from routiq_gql.database.schedules import next_sync_at
from routiq_gql.database.syncs import active_sync
from routiq_gql.database.watched import Fingerprint, fingerprints_of
from routiq_gql.live.joined_read import JoinedRead
from routiq_gql.organizations.freshness import Freshness, freshness_of
from routiq_gql.settings import Settings
from routiq_gql.sync.forecast import Forecasts, NextSyncForecast
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
        current_sync: The running sync, ``None`` when idle, and while a sync runs in the background; see
            ``SyncSnapshot.is_in_background``.
        last_sync: The newest sync that has ended, whatever its outcome.
        last_successful_sync: The newest completed sync.
        sync_available: Whether the organization has an enabled connection.
        connection: Its access to Cliniko; ``None`` when it was never connected.
        next_sync_at: When its schedule starts the next sync; ``None`` without a schedule, or while it pauses.
        next_sync: The cost of a sync that is started now without a mode; ``None`` while that is unknown, and while a
            sync runs.
        freshness: How old the published data is; ``None`` before the first completed sync.
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
    freshness: Freshness | None = None

    @property
    def status(self) -> SyncState:
        return self.current_sync.status if self.current_sync else SyncState.IDLE

    @property
    def is_known(self) -> bool:
        """Whether there is such an organization: it has a connection or a sync."""
        return self.connection is not None or self.current_sync is not None or self.last_sync is not None


async def shown_sync(connection: AsyncConnection, organization_id: str) -> SyncSnapshot | None:
    """The organization's running sync, unless that runs in the background."""
    row = await active_sync(connection, organization_id)
    running = snapshot_of(row) if row is not None else None
    return None if running is None or running.is_in_background else running


async def read_dashboard(connection: AsyncConnection, organization_id: str) -> Dashboard:
    """The organization's dashboard as the connection's transaction sees it."""
    current = await shown_sync(connection, organization_id)
    last = await newest_ended(connection, organization_id)
    successful = await newest_ended(connection, organization_id, SyncState.COMPLETED)
    counts = await active_counts(connection, organization_id)
    access = await connection_of(connection, organization_id)
    return Dashboard(
        organization_id=organization_id,
        current_sync=current,
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


@dataclass(frozen=True, slots=True)
class Reading:
    """A dashboard as it was read.

    Attributes:
        number: Counts the reads of this process in the order in which they began.
        token: The change token from before the read.
        fingerprint: See ``database.watched``.
        forecast: The source of ``next_sync``; ``None`` if that is ``None`` at any time.
    """

    number: int
    token: int | None
    dashboard: Dashboard
    fingerprint: Fingerprint
    forecast: NextSyncForecast | None


class Dashboards:
    """Reads the dashboards of all organizations.

    Attributes:
        begun: How many reads have begun.
    """

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._settings = settings
        self._forecasts = Forecasts(settings)
        self._joined: WeakValueDictionary[str, JoinedRead[Reading]] = WeakValueDictionary()
        self.begun = 0

    async def read(self, organization_id: str) -> Reading:
        """The organization's dashboard, from a single moment after this call.

        Raises:
            StorageError: The database can't be read.
        """
        joined = self._joined.get(organization_id)
        if joined is None:
            joined = self._joined[organization_id] = JoinedRead(partial(self._read, organization_id), "dashboard")
        return await joined()

    async def _read(self, organization_id: str) -> Reading:
        self.begun += 1
        number, token = self.begun, self._database.change_token()
        async with self._database.reading() as connection:
            dashboard = await read_dashboard(connection, organization_id)
            fingerprints = await fingerprints_of(connection, [organization_id])
            forecast, newest = None, dashboard.last_successful_sync
            if dashboard.current_sync is None and dashboard.sync_available:
                newest_key = newest.key if newest is not None else None
                forecast = await self._forecasts.next_sync(connection, organization_id, newest_key)
            if newest is not None:
                facts = await facts_of(connection, [organization_id])
                dashboard = replace(
                    dashboard, freshness=freshness_of(facts[organization_id], self._settings, utc_now())
                )
        if forecast is not None:
            dashboard = replace(dashboard, next_sync=forecast.now())
        return Reading(number, token, dashboard, fingerprints[organization_id], forecast)
