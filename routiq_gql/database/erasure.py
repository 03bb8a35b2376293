"""Deletes rows by owner: all rows of an organization, or its patients only.

Called by the connection service. Every function iterates the metadata, so it covers a new table as soon as that exists.
A table without a known owner makes erasing fail, and a test with it.
"""

from sqlalchemy import ColumnElement, Table, delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.database.tables import METADATA, MIRROR, SYNC, Holds
from routiq_gql.database.webhook_events import forget_all_patients


def rows_of_organization(table: Table, organization_id: str) -> ColumnElement[bool] | None:
    """The condition that selects the organization's rows; ``None`` for a table of the processes.

    Rows belong to an organization by their ``organization_id``, to its mirror by number, or to a sync of it.

    Raises:
        LookupError: The owner of the table's rows is unknown.
    """
    if "holds" not in table.info:
        raise LookupError(f"The table {table.name} doesn't say what it holds.")
    if table.info["holds"] is Holds.PROCESSES:
        return None
    if "organization_id" in table.columns:
        return table.columns["organization_id"] == organization_id
    if "mirror" in table.primary_key.columns:
        own_mirror = select(MIRROR.c.number).where(MIRROR.c.organization_id == organization_id)
        return table.columns["mirror"].in_(own_mirror)
    own_syncs = select(SYNC.c.key).where(SYNC.c.organization_id == organization_id)
    to_sync = [column for column in table.columns if column.references(SYNC.c.key)]
    if len(to_sync) != 1:
        raise LookupError(f"The table {table.name} doesn't say whose its rows are.")
    return to_sync[0].in_(own_syncs)


async def erase_patients(connection: AsyncConnection, organization_id: str) -> None:
    """Delete everything that was read from Cliniko for the organization. Its syncs, their log and its webhooks stay.

    The row in ``mirrors`` is emptied and stays, since an organization that keeps the window of an earlier version must
    not store more days after a change of its account.
    """
    await _erase(connection, organization_id, {Holds.PATIENTS}, but=MIRROR)
    await forget_all_patients(connection, organization_id)
    empty: dict[str, object] = {column.name: None for column in MIRROR.columns if column.nullable}
    empty |= {"sync": 0, "oldest_kept": 0, "patients_in_cliniko": 0, "format": 0}
    await connection.execute(update(MIRROR).where(MIRROR.c.organization_id == organization_id).values(**empty))


async def erase_organization(connection: AsyncConnection, organization_id: str) -> None:
    """Delete every row of the organization: patients, syncs, their log, the audit log, and the connection."""
    await _erase(connection, organization_id, {Holds.PATIENTS, Holds.ORGANIZATION})


async def _erase(
    connection: AsyncConnection, organization_id: str, kinds: set[Holds], *, but: Table | None = None
) -> None:
    # Last: the rows of other tables are found through these.
    tables = sorted(METADATA.sorted_tables, key=lambda table: table in {SYNC, MIRROR})
    for table in tables:
        condition = rows_of_organization(table, organization_id)
        if condition is not None and table.info["holds"] in kinds and table is not but:
            await connection.execute(delete(table).where(condition))
