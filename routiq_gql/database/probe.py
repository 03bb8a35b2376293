"""A small write that shows whether the database accepts changes. ``/readyz`` runs it."""

from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.clock import utc_now
from routiq_gql.database.tables import PROBE
from routiq_gql.database.upserts import upsert_rows


async def write_probe(connection: AsyncConnection) -> None:
    """Update the row of the probe."""
    await upsert_rows(connection, PROBE, [{"id": 1, "written_at": utc_now()}])
