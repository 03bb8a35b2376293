"""The place of a patient in a list at a sync, from which an export continues."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.database.mirror import visible
from routiq_gql.database.patient_lists import Anchor, ListFilter
from routiq_gql.database.tables import LISTING


async def place_at(connection: AsyncConnection, wanted: ListFilter, patient: int) -> Anchor:
    """The place of a patient who is in the list at the sync, in the connection's transaction."""
    query = select(LISTING.c.id, LISTING.c.name_key, LISTING.c.last_at, LISTING.c.next_at).where(
        visible(LISTING, wanted.mirror, wanted.sync), LISTING.c.list == wanted.list, LISTING.c.id == patient
    )
    return Anchor(*(await connection.execute(query)).one())
