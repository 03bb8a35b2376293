"""Queries on the audit log."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.database.rows import AuditRow, AuditValues, as_rows
from routiq_gql.database.tables import AUDIT


async def insert_audit(connection: AsyncConnection, rows: Sequence[AuditValues]) -> None:
    """Add entries."""
    await connection.execute(insert(AUDIT), rows)


async def audit_entries(
    connection: AsyncConnection, limit: int, organization_id: str | None, since: datetime | None
) -> list[AuditRow]:
    """The newest entries first. The order is that of writing, even if the clock was changed."""
    query = select(AUDIT).order_by(AUDIT.c.key.desc()).limit(limit)
    if organization_id is not None:
        query = query.where(AUDIT.c.organization_id == organization_id)
    if since is not None:
        query = query.where(AUDIT.c.time >= since)
    return as_rows(AuditRow, await connection.execute(query))
