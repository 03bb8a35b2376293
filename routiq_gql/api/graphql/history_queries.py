"""``historyConnection``: an organization's syncs as a connection. ``operations.Query`` inherits it."""

from typing import Annotated, Self

import strawberry
from strawberry import UNSET

from routiq_gql.api.graphql import examples
from routiq_gql.api.graphql.arguments import OrganizationId
from routiq_gql.api.graphql.connection_pages import (
    Last,
    PageInfo,
    may_select,
    page_arguments,
)
from routiq_gql.api.graphql.context import Info
from routiq_gql.api.graphql.enums import SyncState
from routiq_gql.api.graphql.live_updates import LIVE_UPDATES, LiveUpdates
from routiq_gql.api.graphql.types import SyncStatus
from routiq_gql.organizations import history_pages
from routiq_gql.organizations.history_pages import DEFAULT_SYNCS
from routiq_gql.sync import model

Outcome = Annotated[
    SyncState | None,
    strawberry.argument(description="Only syncs with this final status: COMPLETED, FAILED or CANCELLED."),
]


AfterCursor = Annotated[
    str | None, strawberry.argument(description=f"Only those after this cursor, {examples.SYNC_CURSOR}.")
]
BeforeCursor = Annotated[
    str | None, strawberry.argument(description=f"Only those before this cursor, {examples.SYNC_CURSOR}.")
]
First = Annotated[
    int | None,
    strawberry.argument(description=f"How many after `after`, 1 to 100; {DEFAULT_SYNCS} without `first` and `last`."),
]


@strawberry.type(description="A sync in a history.")
class SyncEdge:
    node: SyncStatus = strawberry.field(description="The sync.")
    cursor: str = strawberry.field(
        description="Pass as `after` or `before` for another page of the same organization and `status`, "
        f"{examples.SYNC_CURSOR}. It stays valid when its sync is deleted."
    )


@strawberry.type(description="A page of an organization's syncs, newest first.")
class SyncConnection:
    edges: list[SyncEdge] = strawberry.field(description="The syncs of the page with their cursors.")
    nodes: list[SyncStatus] = strawberry.field(description="The same syncs without cursors.")
    page_info: PageInfo = strawberry.field(
        description="What lies before and after the page. New syncs come before the first cursor."
    )
    counted: strawberry.Private[int | None]
    updates: strawberry.Private[list[LiveUpdates] | None]

    @strawberry.field(description="How many syncs there are on all pages, with the same `status`.")
    def total_count(self) -> int:
        if self.counted is None:
            raise RuntimeError("The syncs were not counted, although the operation selects their number.")
        return self.counted

    @strawberry.field(description=LIVE_UPDATES)
    def live_updates(self) -> list[LiveUpdates]:
        if self.updates is None:
            raise RuntimeError("The live updates were not read, although the operation selects them.")
        return self.updates

    @classmethod
    def of(cls, page: history_pages.HistoryPage) -> Self:
        updates = page.live_updates
        nodes = [SyncStatus.of(sync) for sync in page.syncs]
        return cls(
            edges=[SyncEdge(node=node, cursor=cursor) for node, cursor in zip(nodes, page.cursors, strict=True)],
            nodes=nodes,
            page_info=PageInfo.of(page.cursors, has_next=page.has_next, has_previous=page.has_previous),
            counted=page.total_count,
            updates=[LiveUpdates.of(one) for one in updates] if updates is not None else None,
        )


@strawberry.type
class HistoryQueries:
    @strawberry.field(
        description="An organization's syncs as a connection, newest first, a running one included. `history` has "
        "totals over all of them."
    )
    async def history_connection(
        self,
        info: Info,
        organization_id: OrganizationId,
        status: Outcome = UNSET,
        first: First = UNSET,
        after: AfterCursor = UNSET,
        last: Last = UNSET,
        before: BeforeCursor = UNSET,
    ) -> SyncConnection:
        context = info.context
        page = await context.syncs.history_page(
            context.viewer,
            organization_id,
            page_arguments(first, after, last, before, DEFAULT_SYNCS),
            [model.SyncState[status.name]] if status else [],
            counts=may_select(info, "totalCount"),
            live_updates=may_select(info, "liveUpdates"),
        )
        return SyncConnection.of(page)
