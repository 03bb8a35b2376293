"""Queries on the audit log."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.database.tables import AuditRow, Base

AUDIT = Base.metadata.tables[AuditRow.__tablename__]


async def insert_audit(connection: AsyncConnection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Add entries."""
    await connection.execute(insert(AUDIT), rows)


async def audit_entries(
    connection: AsyncConnection, limit: int, organization_id: str | None, since: datetime | None
) -> Sequence[Row[Any]]:
    """The newest entries first, in the order in which they were written, whatever the clock said."""
    query = select(AUDIT).order_by(AUDIT.c.key.desc()).limit(limit)
    if organization_id is not None:
        query = query.where(AUDIT.c.organization_id == organization_id)
    if since is not None:
        query = query.where(AUDIT.c.time >= since)
    return (await connection.execute(query)).all()
