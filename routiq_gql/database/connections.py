"""Queries on connections. Keys come and go encrypted; see ``keys``."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.clock import utc_now
from routiq_gql.database.mirror import upsert
from routiq_gql.database.tables import Base, Connection

CONNECTION = Base.metadata.tables[Connection.__tablename__]


async def connection_of(connection: AsyncConnection, organization_id: str) -> Row[Any] | None:
    """The organization's connection."""
    query = select(CONNECTION).where(CONNECTION.c.organization_id == organization_id)
    return (await connection.execute(query)).one_or_none()


async def save_connection(connection: AsyncConnection, organization_id: str, values: Mapping[str, Any]) -> None:
    """Insert the organization's connection, or replace the one it has."""
    now = utc_now()
    changed = {**values, "updated_at": now}
    statement = upsert(connection, CONNECTION).values(organization_id=organization_id, created_at=now, **changed)
    await connection.execute(statement.on_conflict_do_update(index_elements=["organization_id"], set_=changed))
