"""The object types of the list of organizations, from which a person chooses one."""

from datetime import datetime
from typing import Self

import strawberry
from strawberry import ID

from routiq_gql.api.graphql import examples
from routiq_gql.api.graphql.enums import ConnectionState, SyncState
from routiq_gql.api.graphql.overview import Freshness
from routiq_gql.organizations import summaries


@strawberry.type(description="An organization in the list.")
class OrganizationSummary:
    id: ID = strawberry.field(description=f"The same as `organizationId`, {examples.ORGANIZATION}.")
    organization_id: ID = strawberry.field(description=f"The organization, {examples.ORGANIZATION}.")
    name: str | None = strawberry.field(description="The clinic's name in Cliniko; null until the API key was checked.")
    connection_state: ConnectionState | None = strawberry.field(
        description="Whether its connection to Cliniko may be used; null if it was never connected."
    )
    status: SyncState = strawberry.field(description="The status of the running sync, or IDLE.")
    last_successful_sync_at: datetime | None = strawberry.field(
        description="When the newest completed sync ended; null before the first."
    )
    freshness: Freshness | None = strawberry.field(
        description="How old its published data is; null before the first completed sync."
    )

    @classmethod
    def of(cls, summary: summaries.OrganizationSummary) -> Self:
        state = summary.connection_state
        return cls(
            id=ID(summary.organization_id),
            organization_id=ID(summary.organization_id),
            name=summary.name,
            connection_state=ConnectionState[state.name] if state else None,
            status=SyncState[summary.status.name],
            last_successful_sync_at=summary.last_successful_sync_at,
            freshness=Freshness.of(summary.freshness) if summary.freshness else None,
        )


@strawberry.type(description="One page of the organizations that the caller may see, ordered by name.")
class OrganizationList:
    organizations: list[OrganizationSummary] = strawberry.field(
        description="The organizations of this page, by name and then by id. Without a name, the id takes its place."
    )
    next_cursor: str | None = strawberry.field(
        description=f"Pass as `after` for the next page, {examples.ORGANIZATION_CURSOR}; null on the last one."
    )

    @classmethod
    def of(cls, page: summaries.OrganizationList) -> Self:
        return cls(
            organizations=[OrganizationSummary.of(one) for one in page.organizations], next_cursor=page.next_cursor
        )
