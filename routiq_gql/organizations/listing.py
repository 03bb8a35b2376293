"""The list of connected organizations that an operator sees, with the state of each connection and its last sync."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.connections.state import ConnectionInfo, info_of
from routiq_gql.database.connections import all_connections
from routiq_gql.database.history import newest_ended
from routiq_gql.database.rows import ConnectionRow
from routiq_gql.organizations.dashboard import shown_sync
from routiq_gql.security.viewer import Viewer
from routiq_gql.sync.mapping import snapshot_of
from routiq_gql.sync.model import SyncSnapshot, SyncState


@dataclass(frozen=True, slots=True)
class OrganizationState:
    """An organization as an operator sees it.

    Attributes:
        last_sync: Its newest sync that has ended.
        last_success: Its newest completed sync.
    """

    organization_id: str
    connection: ConnectionInfo
    current_sync: SyncSnapshot | None
    last_sync: SyncSnapshot | None
    last_success: SyncSnapshot | None

    @property
    def last_success_at(self) -> datetime | None:
        """When the newest completed sync ended."""
        return self.last_success.completed_at if self.last_success else None


async def read_organizations(connection: AsyncConnection, viewer: Viewer) -> list[OrganizationState]:
    """Every organization with a connection that the viewer may read, by id."""
    rows = await all_connections(connection)
    return [await _state_of(connection, row) for row in rows if viewer.organization_id in {None, row.organization_id}]


async def _state_of(connection: AsyncConnection, row: ConnectionRow) -> OrganizationState:
    organization_id = row.organization_id
    current = await shown_sync(connection, organization_id)
    last = await newest_ended(connection, organization_id)
    successful = await newest_ended(connection, organization_id, SyncState.COMPLETED)
    return OrganizationState(
        organization_id=organization_id,
        connection=info_of(row),
        current_sync=current,
        last_sync=snapshot_of(last) if last else None,
        last_success=snapshot_of(successful) if successful else None,
    )
