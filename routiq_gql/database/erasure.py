"""Deletes rows by owner: all rows of an organization, its patients only, or an unused generation.

Called by the connection service and by housekeeping. Every function iterates the metadata, so it covers a new table as
soon as that exists. A table without a known owner makes erasing fail, and a test with it.
"""

from sqlalchemy import ColumnElement, Table, delete, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.database.tables import METADATA, MIRROR, SYNC, Holds


def generation_tables() -> list[Table]:
    """Tables whose rows belong to the sync that read or computed them: ``generation`` is in their primary key."""
    return [table for table in METADATA.sorted_tables if "generation" in table.primary_key.columns]


def rows_of_organization(table: Table, organization_id: str) -> ColumnElement[bool] | None:
    """The condition that selects the organization's rows; ``None`` for a table of the processes.

    Rows belong to an organization by their ``organization_id``, or to a sync of it by ``generation`` or a foreign key.

    Raises:
        LookupError: The owner of the table's rows is unknown.
    """
    if "holds" not in table.info:
        raise LookupError(f"The table {table.name} doesn't say what it holds.")
    if table.info["holds"] is Holds.PROCESSES:
        return None
    if "organization_id" in table.columns:
        return table.columns["organization_id"] == organization_id
    own_syncs = select(SYNC.c.key).where(SYNC.c.organization_id == organization_id)
    to_sync = [column for column in table.columns if column.references(SYNC.c.key)]
    if table in generation_tables():
        to_sync.append(table.columns["generation"])
    if len(to_sync) != 1:
        raise LookupError(f"The table {table.name} doesn't say whose its rows are.")
    return to_sync[0].in_(own_syncs)


async def erase_patients(connection: AsyncConnection, organization_id: str) -> None:
    """Delete everything that was read from Cliniko for the organization. Its syncs and their log stay."""
    await _erase(connection, organization_id, {Holds.PATIENTS})


async def erase_organization(connection: AsyncConnection, organization_id: str) -> None:
    """Delete every row of the organization: patients, syncs, their log, the audit log, and the connection."""
    await _erase(connection, organization_id, {Holds.PATIENTS, Holds.ORGANIZATION})


async def _erase(connection: AsyncConnection, organization_id: str, kinds: set[Holds]) -> None:
    # Syncs last: the rows of several tables are found through them.
    tables = sorted(METADATA.sorted_tables, key=lambda table: table is SYNC)
    for table in tables:
        condition = rows_of_organization(table, organization_id)
        if condition is not None and table.info["holds"] in kinds:
            await connection.execute(delete(table).where(condition))


async def drop_unused_rows(connection: AsyncConnection, batch_size: int) -> bool:
    """Delete up to ``batch_size`` rows of a generation that neither readers nor a running sync use.

    Returns whether there may be more. Small batches keep the write lock short.
    """
    unused = (
        select(SYNC.c.key)
        .where(SYNC.c.has_rows, SYNC.c.completed_at.is_not(None), SYNC.c.key.not_in(select(MIRROR.c.generation)))
        .order_by(SYNC.c.key)
        .limit(1)
        .with_for_update(skip_locked=True)  # another process may clean up too; each takes a different generation
    )
    generation = (await connection.execute(unused)).scalar_one_or_none()
    if generation is None:
        return False
    for table in generation_tables():
        keys = list(table.primary_key)
        batch = select(*keys).where(table.columns["generation"] == generation).limit(batch_size)
        removed = await connection.execute(delete(table).where(tuple_(*keys).in_(batch)))
        if removed.rowcount:
            return True
    await connection.execute(update(SYNC).where(SYNC.c.key == generation).values(has_rows=False))
    return True
