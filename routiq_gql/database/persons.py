"""Erases the rows of persons from an organization's mirror: from every version, and from a running sync's draft.

Rows about the patient are deleted. Current bookings become stubs without any content, since Cliniko still counts them:
without these, the next sync would search for every missing row. Earlier versions of bookings are deleted.

All functions iterate ``VERSIONED``, so they cover a new table as soon as it exists. A table that does not say which
column holds its patient makes erasing fail, and a test with it.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Column, Table, bindparam, delete, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.database.columns import among
from routiq_gql.database.mirror import MirrorList
from routiq_gql.database.tables import LOG, PATIENT, SYNC, VERSIONED
from routiq_gql.database.webhook_events import forget_patients

MARKED = datetime(1970, 1, 1, tzinfo=UTC)
"""Stands for the time of an archiving or a cancellation, since Cliniko's counts depend on whether there is one."""


@dataclass(frozen=True, slots=True)
class ErasedRows:
    """What was erased.

    Attributes:
        patients: The ids of the patients that were stored.
        bookings: How many appointments and places in classes became stubs.
        events: How many events for webhooks were deleted, with their deliveries.
        ids: The ids of all erased rows as texts, patients and bookings.
    """

    patients: frozenset[int]
    bookings: int
    events: int
    ids: frozenset[str]


def patient_column(table: Table) -> Column[int] | None:
    """The column of a table of versions that holds the patient's id; ``None`` if its rows are about no patient.

    Raises:
        LookupError: The table does not say it.
    """
    if "patient" not in table.info:
        raise LookupError(f"The table {table.name} doesn't say which column holds the patient.")
    name = table.info["patient"]
    return None if name is None else table.columns[name]


def suppressed_row(target: MirrorList, row: Mapping[str, object]) -> dict[str, object]:
    """The stub that stands for a row of an erased person, by column.

    It has what Cliniko's counts depend on: whether the row is archived or cancelled, the day of an appointment, and the
    class of an attendee.
    """
    return {"id": row["id"]} | {name: _kept(name, row.get(name)) for name in target.read_columns}


def _kept(name: str, value: object) -> object:
    if name in {"archived_at", "cancelled_at"}:
        return None if value is None else MARKED
    if name == "starts_at" and isinstance(value, datetime):
        return value.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return value if name == "booking_id" else None


async def same_persons(connection: AsyncConnection, mirror: int, patient_id: int) -> set[int]:
    """The patient's id, with those of patients who were merged with this one, in whichever direction."""
    found: set[int] = set()
    added = {patient_id}
    columns = PATIENT.c
    while added:
        found |= added
        query = select(columns.id, columns.merged_with_id).where(
            columns.mirror == mirror,
            columns.merged_with_id.is_not(None),
            or_(among(columns.id, added), among(columns.merged_with_id, added)),
        )
        added = {one for row in await connection.execute(query) for one in row if one is not None} - found
    return found


async def erase_persons(connection: AsyncConnection, mirror: int, patients: Collection[int]) -> ErasedRows:
    """Erase the rows of these patients from every table of versions, and the events for webhooks about them.

    Call it in a transaction that has locked the row of a running sync, so that no page is stored meanwhile.
    """
    known = select(PATIENT.c.id).where(PATIENT.c.mirror == mirror, among(PATIENT.c.id, patients)).distinct()
    stored = frozenset((await connection.execute(known)).scalars())
    bookings = 0
    ids = {str(one) for one in patients}
    for table in VERSIONED:
        column = patient_column(table)
        if column is None:
            continue
        of_person = (table.c.mirror == mirror) & among(column, patients)
        if column is not table.c.id:
            ids |= {str(one) for one in (await connection.execute(select(table.c.id).where(of_person))).scalars()}
            bookings += await _make_stubs(connection, table, mirror, patients)
        await connection.execute(delete(table).where(of_person))
    events = await forget_patients(connection, mirror, patients)
    return ErasedRows(stored, bookings, events, frozenset(ids))


async def _make_stubs(connection: AsyncConnection, table: Table, mirror: int, patients: Collection[int]) -> int:
    """Turn the current bookings of these patients into stubs, which name no patient any more."""
    column = patient_column(table)
    made = 0
    for target in MirrorList:
        if target.table is not table or column is None or column.name not in target.read_columns:
            continue
        kept = [name for name in target.read_columns if _kept(name, MARKED) is not None]
        query = select(table.c.id, *(table.columns[name] for name in kept)).where(
            target.current(mirror), among(column, patients)
        )
        rows = (await connection.execute(query)).mappings()
        stubs = [suppressed_row(target, {str(name): row[name] for name in row}) for row in rows]
        if stubs:
            values: dict[str, object] = {name: bindparam(f"new_{name}") for name in target.read_columns}
            statement = (
                update(table)
                .where(target.current(mirror), table.c.id == bindparam("row_id"))
                .values(**values, is_stub=True, is_suppressed=True)
            )
            names = target.read_columns
            given = [{"row_id": stub["id"], **{f"new_{name}": stub[name] for name in names}} for stub in stubs]
            await connection.execute(statement, given)
        made += len(stubs)
    return made


async def scrub_syncs(connection: AsyncConnection, organization_id: str, ids: Collection[str]) -> None:
    """Remove the ids of erased rows from the receipts, checkpoints and logs of syncs that have ended.

    These name rows that could not be read. A running sync forgets them itself, when its lists are read.
    """
    own = (SYNC.c.organization_id == organization_id) & SYNC.c.completed_at.is_not(None)
    syncs = await connection.execute(select(SYNC.c.key, SYNC.c.receipt, SYNC.c.checkpoint).where(own))
    for key, receipt, checkpoint in list(syncs):
        values = {"receipt": _without(receipt, ids), "checkpoint": _without(checkpoint, ids)}
        if values != {"receipt": receipt, "checkpoint": checkpoint}:
            await connection.execute(update(SYNC).where(SYNC.c.key == key).values(**values))
    keys = select(SYNC.c.key).where(SYNC.c.organization_id == organization_id)
    lines = select(LOG.c.sync_key, LOG.c.seq, LOG.c.message).where(
        LOG.c.sync_key.in_(keys), LOG.c.message.like("%row %")
    )
    for sync_key, seq, message in list(await connection.execute(lines)):
        text = _ROW.sub(lambda found: "a row" if found[1] in ids else found[0], message)
        if text != message:
            line = (LOG.c.sync_key == sync_key) & (LOG.c.seq == seq)
            await connection.execute(update(LOG).where(line).values(message=text))


_ROW = re.compile(r"\brow ([0-9]+)\b")
"""How a log names a row; see ``sync/findings.py``."""


def _without(value: object, ids: Collection[str]) -> object:
    """The stored JSON with nothing in place of these ids."""
    if isinstance(value, Mapping):
        return {name: _without(one, ids) for name, one in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [_without(one, ids) for one in value if isinstance(one, bool) or not _is_number_of(one, ids)]
    return None if isinstance(value, str) and value in ids else value


def _is_number_of(value: object, ids: Collection[str]) -> bool:
    return isinstance(value, int) and str(value) in ids
