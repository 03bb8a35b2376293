"""The root types of the schema: queries, mutations and subscriptions. Each field calls the service and renders.

A subscription reads the sync or organization before it returns its stream, so that an unknown id is an error of the
operation and not a first result.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import datetime
from typing import Annotated, Self

import strawberry
from strawberry import ID, UNSET

from routiq_gql.api.graphql import examples
from routiq_gql.api.graphql.arguments import OrganizationId, SyncId
from routiq_gql.api.graphql.connections import ConnectionPayload
from routiq_gql.api.graphql.context import Context, Info
from routiq_gql.api.graphql.enums import SyncMode, SyncState
from routiq_gql.api.graphql.history_queries import HistoryQueries
from routiq_gql.api.graphql.node_queries import NodeQueries
from routiq_gql.api.graphql.organizations import OrganizationList
from routiq_gql.api.graphql.overview import Dashboard, SyncHistory
from routiq_gql.api.graphql.patient_changes import ChangeQueries, ChangeSubscriptions
from routiq_gql.api.graphql.patient_queries import PatientQueries
from routiq_gql.api.graphql.payloads import CancelSyncPayload, StartSyncPayload
from routiq_gql.api.graphql.sync_log import SyncLogEntry
from routiq_gql.api.graphql.types import After, SyncStatus, given
from routiq_gql.api.graphql.webhook_operations import WebhookMutations, WebhookQueries
from routiq_gql.connections.state import ConnectionProblem, not_set_up
from routiq_gql.errors import SettingsError
from routiq_gql.security import stream_tokens
from routiq_gql.sync import model

Mode = Annotated[SyncMode, strawberry.argument(description="How much to read. A running sync keeps its mode.")]
PageLimit = Annotated[int, strawberry.argument(description="How many syncs on a page, 1 to 100.")]
ListLimit = Annotated[int, strawberry.argument(description="How many organizations on a page, 1 to 100.")]
Search = Annotated[
    str | None,
    strawberry.argument(
        description="Only organizations whose name or id contains this text, whatever the case; at most 100 characters."
    ),
]
Outcome = Annotated[
    SyncState | None,
    strawberry.argument(
        description="Only syncs with this final status: COMPLETED, FAILED or CANCELLED. Totals still cover all."
    ),
]
ApiKey = Annotated[str, strawberry.argument(description="A Cliniko API key, as copied from Cliniko under My Info.")]
HistoryCursor = Annotated[
    str | None, strawberry.argument(description=f"`nextCursor` of the previous page, {examples.HISTORY_CURSOR}.")
]
OrganizationCursor = Annotated[
    str | None, strawberry.argument(description=f"`nextCursor` of the previous page, {examples.ORGANIZATION_CURSOR}.")
]


@strawberry.type(description="A token for following one sync.")
class StreamToken:
    token: str = strawberry.field(description="The token for the URL. Keep it secret.")
    sync_id: ID = strawberry.field(description=f"The sync, {examples.SYNC}.")
    expires_at: datetime = strawberry.field(
        description="The latest time at which it expires: after 24 hours, or with the token that created it. It "
        "expires with its sync if that is sooner."
    )

    @classmethod
    def of(cls, made: stream_tokens.StreamToken) -> Self:
        return cls(token=made.token, sync_id=ID(made.sync_id), expires_at=made.expires_at)


@strawberry.type(description="Reads.")
class Query(HistoryQueries, PatientQueries, ChangeQueries, WebhookQueries, NodeQueries):
    @strawberry.field(description="One sync now; null with the error SYNC_NOT_FOUND if there is none with this id.")
    async def sync_status(self, info: Info, sync_id: SyncId) -> SyncStatus | None:
        return SyncStatus.of(await info.context.syncs.status(info.context.viewer, sync_id))

    @strawberry.field(description="An overview of one organization.")
    async def dashboard(self, info: Info, organization_id: OrganizationId) -> Dashboard:
        return Dashboard.of(await info.context.syncs.dashboard(info.context.viewer, organization_id))

    @strawberry.field(description="An organization's syncs, newest first, a running one included.")
    async def history(
        self,
        info: Info,
        organization_id: OrganizationId,
        limit: PageLimit = 10,
        after: HistoryCursor = UNSET,
        status: Outcome = UNSET,
    ) -> SyncHistory:
        cursor = None if after is UNSET else after
        outcomes = [model.SyncState[status.name]] if status else []
        return SyncHistory.of(
            await info.context.syncs.history(
                info.context.viewer, organization_id, limit=limit, after=cursor, outcomes=outcomes
            )
        )

    @strawberry.field(
        description="The organizations that the caller may see, ordered by name: without authentication all that were "
        "connected or synced, with a token its own."
    )
    async def organizations(
        self, info: Info, limit: ListLimit = 50, after: OrganizationCursor = UNSET, search: Search = UNSET
    ) -> OrganizationList:
        return OrganizationList.of(
            await info.context.syncs.organizations(
                info.context.viewer,
                limit=limit,
                after=None if after is UNSET else after,
                search=None if search is UNSET else search,
            )
        )


@strawberry.type(
    description="Changes. An outcome that a caller can act on is the `problem` of the payload. A request that can't be "
    "executed is an error, with a code of `ErrorCode`."
)
class Mutation(WebhookMutations):
    @strawberry.mutation(
        description="Start a sync; if one runs already, that one is the answer. Without a usable connection the sync "
        "fails in its second step, and `problem` says so at once."
    )
    async def start_sync(
        self, info: Info, organization_id: OrganizationId, mode: Mode = SyncMode.AUTO
    ) -> StartSyncPayload:
        wanted = model.SyncMode[mode.name]
        return StartSyncPayload.of(await info.context.syncs.start(info.context.viewer, organization_id, wanted))

    @strawberry.mutation(
        description="End a running sync; one that has ended stays as it is, with `problem` ALREADY_ENDED."
    )
    async def cancel_sync(self, info: Info, sync_id: SyncId) -> CancelSyncPayload:
        return CancelSyncPayload.of(await info.context.syncs.cancel(info.context.viewer, sync_id))

    @strawberry.mutation(
        description="A token for following one sync by `GET /api/v1/sync/stream/{syncId}?token=…`, for `EventSource`, "
        "which can't send a header. It reads this sync and nothing else."
    )
    async def create_stream_token(self, info: Info, sync_id: SyncId) -> StreamToken:
        context = info.context
        return StreamToken.of(await context.stream_tokens.make(context.viewer, sync_id, context.parent))

    @strawberry.mutation(
        description="Connect an organization to Cliniko, or replace its API key by another one of the same account. "
        "The key is checked first, stored encrypted, and never returned."
    )
    async def connect_cliniko(self, info: Info, organization_id: OrganizationId, api_key: ApiKey) -> ConnectionPayload:
        context = info.context
        try:
            connected = await context.connections.connect(context.viewer, organization_id, api_key)
        except ConnectionProblem as problem:
            return ConnectionPayload.refused(organization_id, problem)
        except SettingsError as error:
            return ConnectionPayload.refused(organization_id, not_set_up(error))
        return ConnectionPayload.of("Connected", connected.connection)

    @strawberry.mutation(description="Check the stored API key as a sync would, and store the result.")
    async def test_connection(self, info: Info, organization_id: OrganizationId) -> ConnectionPayload:
        context = info.context
        try:
            tested = await context.connections.test(context.viewer, organization_id)
        except ConnectionProblem as problem:
            return ConnectionPayload.refused(organization_id, problem)
        return ConnectionPayload.of("The connection works", tested)

    @strawberry.mutation(
        description="Switch an organization's connection off: its API key is removed and a running sync ends. "
        "Stored patients stay."
    )
    async def disconnect_cliniko(self, info: Info, organization_id: OrganizationId) -> ConnectionPayload:
        context = info.context
        try:
            disabled = await context.connections.disconnect(context.viewer, organization_id)
        except ConnectionProblem as problem:
            return ConnectionPayload.refused(organization_id, problem)
        return ConnectionPayload.of("Disconnected", disabled)


@strawberry.type(description="Live updates.")
class Subscription(ChangeSubscriptions):
    @strawberry.subscription(
        description="A sync: its state now, then every newer one; completes after the state in which it ended."
    )
    async def sync_progress(self, info: Info, sync_id: SyncId) -> AsyncGenerator[SyncStatus, None]:
        context = info.context
        if (shared := context.shared) is not None:
            return await shared.source(
                info, lambda: context.syncs.follow_progress(context.viewer, sync_id, shared), SyncStatus.of
            )
        await _require_room(context, sync_id)
        return _progress(info, sync_id)

    @strawberry.subscription(
        description="A sync's log: every line once and in order, old ones first; completes after the sync's end."
    )
    async def sync_log(self, info: Info, sync_id: SyncId, after: After = UNSET) -> AsyncGenerator[SyncLogEntry, None]:
        context = info.context
        if (shared := context.shared) is not None:
            return await shared.source(
                info, lambda: context.syncs.follow_log(context.viewer, sync_id, given(after)), SyncLogEntry.of
            )
        await context.syncs.log(context.viewer, sync_id, after=given(after), limit=1)
        await _require_room(context, sync_id)
        return _log(info, sync_id, given(after))

    @strawberry.subscription(
        description="An organization: its dashboard now, then after every change, whoever started the sync; "
        "never completes."
    )
    async def dashboard_updated(self, info: Info, organization_id: OrganizationId) -> AsyncGenerator[Dashboard, None]:
        context = info.context
        if (shared := context.shared) is not None:
            return await shared.source(
                info, lambda: context.syncs.follow_dashboard(context.viewer, organization_id, shared), Dashboard.of
            )
        await context.syncs.dashboard(context.viewer, organization_id)
        context.syncs.subscriptions.require_room(organization_id)
        return _dashboards(info, organization_id)


async def _require_room(context: Context, sync_id: str) -> None:
    """Refuse a subscription before it begins, so that it is an error of the operation and no result."""
    sync = await context.syncs.status(context.viewer, sync_id)
    context.syncs.subscriptions.require_room(sync.organization_id)


async def _progress(info: Info, sync_id: str) -> AsyncGenerator[SyncStatus, None]:
    context = info.context
    async with aclosing(context.syncs.watch(context.viewer, sync_id)) as snapshots:
        async for snapshot in snapshots:
            yield SyncStatus.of(snapshot)


async def _log(info: Info, sync_id: str, after: int | None) -> AsyncGenerator[SyncLogEntry, None]:
    context = info.context
    async with aclosing(context.syncs.watch_log(context.viewer, sync_id, after)) as lines:
        async for line in lines:
            yield SyncLogEntry.of(line)


async def _dashboards(info: Info, organization_id: str) -> AsyncGenerator[Dashboard, None]:
    context = info.context
    async with aclosing(context.syncs.watch_dashboard(context.viewer, organization_id)) as dashboards:
        async for dashboard in dashboards:
            yield Dashboard.of(dashboard)
