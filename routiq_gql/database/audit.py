"""Queries on the audit log."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.database.audit_rows import AuditRow, AuditValues
from routiq_gql.database.rows import as_rows
from routiq_gql.database.tables import AUDIT


async def insert_audit(connection: AsyncConnection, rows: Sequence[AuditValues]) -> None:
    """Add entries."""
    await connection.execute(insert(AUDIT), rows)


async def insert_one(connection: AsyncConnection, row: AuditValues) -> int:
    """Add an entry, and return its key."""
    key: int = (await connection.execute(insert(AUDIT).values(row).returning(AUDIT.c.key))).scalar_one()
    return key


async def add_to(connection: AsyncConnection, key: int, more: AuditValues) -> bool:
    """Add the times and the count of an equal entry to one, with the newer time; false if it is not there any more."""
    same = (AUDIT.c.action, AUDIT.c.organization_id, AUDIT.c.subject, AUDIT.c.address, AUDIT.c.list)
    changed = await connection.execute(
        update(AUDIT)
        # SQLite gives the key of an erased entry to the next one.
        .where(AUDIT.c.key == key, *(column.is_not_distinct_from(more.get(column.name)) for column in same))
        .values(
            time=more["time"],
            times=AUDIT.c.times + more["times"],
            count=func.coalesce(AUDIT.c.count, 0) + (more["count"] or 0),
        )
    )
    return changed.rowcount == 1


async def audit_entries(
    connection: AsyncConnection, limit: int, organization_id: str | None, since: datetime | None
) -> list[AuditRow]:
    """The newest entries first. The order is that of writing, even if the clock was changed.

    An entry to which equal reads were added stays where the first of them was written.
    """
    query = select(AUDIT).order_by(AUDIT.c.key.desc()).limit(limit)
    if organization_id is not None:
        query = query.where(AUDIT.c.organization_id == organization_id)
    if since is not None:
        query = query.where(AUDIT.c.time >= since)
    return as_rows(AuditRow, await connection.execute(query))
