"""The JSON objects of the list of organizations, from which a person chooses one."""

from pydantic import Field

from routiq_gql.api.json_objects import JsonObject, Time
from routiq_gql.api.rest.freshness import FreshnessOfData
from routiq_gql.api.rest.objects import OrganizationId, Status
from routiq_gql.connections.state import ConnectionState


class OrganizationSummary(JsonObject):
    """An organization in the list."""

    organization_id: OrganizationId
    name: str | None = Field(description="The clinic's name in Cliniko; null until the API key was checked.")
    connection_state: str | None = Field(
        description="Whether its connection may be used; null if it was never connected.",
        json_schema_extra={"enum": [*(state.value for state in ConnectionState), None]},
    )
    status: Status
    last_successful_sync_at: Time | None = Field(description="When the newest completed sync ended.")
    freshness: FreshnessOfData


class OrganizationList(JsonObject):
    """One page of the organizations that the caller may see, ordered by name."""

    organizations: list[OrganizationSummary] = Field(description="This page, by name, or by id without a name.")
    next_cursor: str | None = Field(description="Pass as `after` for the next page; null on the last one.")


ORGANIZATION_OBJECTS = (OrganizationSummary, OrganizationList)
"""All of them, in the order of the OpenAPI document."""
