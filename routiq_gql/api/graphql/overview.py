"""The object types about an organization: its dashboard, its freshness and its history."""

from datetime import datetime
from typing import Annotated, Self, cast

import strawberry
from strawberry import ID, UNSET

from routiq_gql.api.graphql import examples
from routiq_gql.api.graphql.connections import ClinikoConnection
from routiq_gql.api.graphql.context import Info
from routiq_gql.api.graphql.enums import FreshnessMode, SyncMode, SyncState
from routiq_gql.api.graphql.live_updates import LIVE_UPDATES, LiveUpdates
from routiq_gql.api.graphql.nodes import Node
from routiq_gql.api.graphql.projection import WITHOUT_ARGUMENTS
from routiq_gql.api.graphql.types import SyncStatus
from routiq_gql.organizations import dashboard as dashboards
from routiq_gql.organizations import freshness as freshnesses
from routiq_gql.organizations import history as histories
from routiq_gql.sync import model

AsOf = Annotated[
    ID | None,
    strawberry.argument(
        description="A completed sync of the organization that is kept, instead of the newest one, "
        f"{examples.SYNC}. An error names the oldest that is kept."
    ),
]


@strawberry.type(description="Counts of an organization's patients as of `lastSyncTime`; all 0 before the first sync.")
class PatientStats:
    total_patients: int = strawberry.field(
        description="Stored active patients, including those no longer active. Not the patients in Cliniko."
    )
    active_patients: int = strawberry.field(description="Patients who are active now.")
    patients_with_upcoming: int = strawberry.field(description="Active patients with an appointment ahead.")
    patients_with_recent: int = strawberry.field(
        description="Active patients with an appointment in the recent past; some may have one ahead too."
    )
    patients_in_cliniko: int = strawberry.field(
        description="Patients that Cliniko listed in the newest completed sync."
    )
    last_sync_time: datetime | None = strawberry.field(
        description="When the newest completed sync ended: as of when these counts are, also after a sync that "
        "failed or was cancelled. Null before the first. "
        "Named like the documented key `last_sync_time`."
    )

    @classmethod
    def of(cls, stats: dashboards.PatientStats) -> Self:
        return cls(
            total_patients=stats.total_patients,
            active_patients=stats.active_patients,
            patients_with_upcoming=stats.patients_with_upcoming,
            patients_with_recent=stats.patients_with_recent,
            patients_in_cliniko=stats.patients_in_cliniko,
            last_sync_time=stats.last_sync_time,
        )


@strawberry.type(description="What the next sync would do, if it were started now without a mode.")
class NextSync:
    mode: SyncMode = strawberry.field(description="FULL or INCREMENTAL.")
    requests: int = strawberry.field(description="How many requests to Cliniko it will probably need.")
    seconds: float = strawberry.field(description="How many seconds it will probably take, waits included.")

    @classmethod
    def of(cls, next_sync: model.NextSync) -> Self:
        return cls(mode=SyncMode[next_sync.mode.name], requests=next_sync.requests, seconds=next_sync.seconds)


@strawberry.type(description="How old the published data is. It is late when `freshUntil` has passed.")
class Freshness:
    checked_at: datetime = strawberry.field(
        description="As of when the data is: when the newest completed sync compared it with Cliniko."
    )
    fresh_until: datetime | None = strawberry.field(
        description="When the next scheduled sync should have completed; null without a schedule, and while the "
        "connection is switched off. A sync that fails does not change it. In modes with looks: when the next "
        "comparison should have completed."
    )
    mode: FreshnessMode = strawberry.field(description="How the data is kept up to date.")
    requests_per_minute: int | None = strawberry.field(
        description="Requests to Cliniko that looks and their syncs may send within a minute, for all organizations "
        "with the API key; null in other modes, and while requests are not paced. Less for a while after "
        "Cliniko's rate limit was reached."
    )
    look_interval_seconds: int | None = strawberry.field(
        description="Seconds between two looks; null in modes without looks. More while other organizations with the "
        "same API key are kept live, after looks or their syncs have failed, up to 900, and for a while after "
        "Cliniko's rate limit was reached."
    )

    @classmethod
    def of(cls, freshness: freshnesses.Freshness) -> Self:
        return cls(
            checked_at=freshness.checked_at,
            fresh_until=freshness.fresh_until,
            mode=FreshnessMode[freshness.mode.name],
            requests_per_minute=freshness.requests_per_minute,
            look_interval_seconds=freshness.look_interval_seconds,
        )


@strawberry.type(description="A consistent overview of one organization.")
class Dashboard(Node):
    id: ID = strawberry.field(description=f"The same as `organizationId`, {examples.ORGANIZATION}.")
    organization_id: ID = strawberry.field(description=f"The organization, {examples.ORGANIZATION}.")
    status: SyncState = strawberry.field(description="The status of the running sync, or IDLE.")
    current_sync: SyncStatus | None = strawberry.field(
        description="The running sync; null when idle. Syncs of looks are left out, unless they read everything."
    )
    last_sync: SyncStatus | None = strawberry.field(
        description="The newest sync that has ended, whatever the outcome; null before the first. Syncs of looks are "
        "left out, as the history does not list them."
    )
    last_successful_sync: SyncStatus | None = strawberry.field(
        description="The newest completed sync; null before the first."
    )
    sync_available: bool = strawberry.field(
        description="Whether the organization has an enabled connection to Cliniko."
    )
    connection: ClinikoConnection | None = strawberry.field(
        description="Its access to Cliniko; null if it was never connected."
    )
    next_sync_at: datetime | None = strawberry.field(
        description="When its schedule starts the next sync; null without a schedule, and while the connection can't "
        "be used."
    )
    next_sync: NextSync | None = strawberry.field(
        description="What the next sync would do; null while that is unknown, while a sync runs, and while the "
        "connection can't be used."
    )
    freshness: Freshness | None = strawberry.field(
        description="How old the published data is; null before the first completed sync. It does not change when it "
        "becomes late: compare `freshUntil` with the time."
    )

    newest_stats: strawberry.Private[PatientStats]

    @strawberry.field(
        description="Counts of its patients: the newest ones, or those of a kept sync.",
        metadata={WITHOUT_ARGUMENTS: "newest_stats"},
    )
    def patient_stats(self, info: Info, as_of: AsOf = UNSET) -> PatientStats:
        if not as_of:
            return self.newest_stats
        return cast(PatientStats, _stats_of(info, self.organization_id, as_of))  # the executor awaits it

    @classmethod
    def of(cls, dashboard: dashboards.Dashboard) -> Self:
        return cls(
            id=ID(dashboard.organization_id),
            organization_id=ID(dashboard.organization_id),
            status=SyncState[dashboard.status.name],
            current_sync=_status(dashboard.current_sync),
            newest_stats=PatientStats.of(dashboard.patient_stats),
            last_sync=_status(dashboard.last_sync),
            last_successful_sync=_status(dashboard.last_successful_sync),
            sync_available=dashboard.sync_available,
            connection=ClinikoConnection.of(dashboard.connection) if dashboard.connection else None,
            next_sync_at=dashboard.next_sync_at,
            next_sync=NextSync.of(dashboard.next_sync) if dashboard.next_sync else None,
            freshness=Freshness.of(dashboard.freshness) if dashboard.freshness else None,
        )


@strawberry.type(description="One page of an organization's syncs, newest first, and totals over all of them.")
class SyncHistory:
    organization_id: ID = strawberry.field(description=f"The organization, {examples.ORGANIZATION}.")
    total_syncs: int = strawberry.field(description="All its syncs, a running one included.")
    successful_syncs: int = strawberry.field(description="Completed syncs.")
    failed_syncs: int = strawberry.field(description="Failed syncs, without the cancelled ones.")
    cancelled_syncs: int = strawberry.field(description="Cancelled syncs.")
    last_sync_at: datetime | None = strawberry.field(
        description="When the newest sync was started; null before the first."
    )
    last_successful_sync_at: datetime | None = strawberry.field(
        description="When the newest completed sync ended; null before the first."
    )
    average_sync_duration_seconds: float | None = strawberry.field(
        description="How long completed syncs took on average, in seconds; null before the first."
    )
    recent_syncs: list[SyncStatus] = strawberry.field(description="The syncs of this page, newest first.")
    next_cursor: str | None = strawberry.field(
        description=f"Pass as `after` for the next page, {examples.HISTORY_CURSOR}; null on the last one."
    )
    live_updates: list[LiveUpdates] = strawberry.field(description=LIVE_UPDATES)

    @classmethod
    def of(cls, history: histories.History) -> Self:
        return cls(
            organization_id=ID(history.organization_id),
            total_syncs=history.total_syncs,
            successful_syncs=history.successful_syncs,
            failed_syncs=history.failed_syncs,
            cancelled_syncs=history.cancelled_syncs,
            last_sync_at=history.last_sync_at,
            last_successful_sync_at=history.last_successful_sync_at,
            average_sync_duration_seconds=history.average_sync_duration_seconds,
            recent_syncs=[SyncStatus.of(sync) for sync in history.recent_syncs],
            next_cursor=history.next_cursor,
            live_updates=[LiveUpdates.of(one) for one in history.live_updates],
        )


async def _stats_of(info: Info, organization_id: str, as_of: str) -> PatientStats:
    context = info.context
    return PatientStats.of(await context.patient_reader.stats(context.reader, organization_id, as_of))


def _status(sync: model.SyncSnapshot | None) -> SyncStatus | None:
    return SyncStatus.of(sync) if sync is not None else None
