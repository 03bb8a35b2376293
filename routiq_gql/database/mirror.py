"""Writing, counting and dropping what was read from Cliniko, by generation. See ``tables`` for what that is."""

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any

from sqlalchemy import ColumnElement, Table, and_, delete, func, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.database.tables import (
    Base,
    IdentifiedPatient,
    Mirror,
    MirroredAppointment,
    MirroredAppointmentType,
    MirroredAttendee,
    MirroredPatient,
    Sync,
)
from routiq_gql.database.upserts import upsert_rows

APPOINTMENT = Base.metadata.tables[MirroredAppointment.__tablename__]


class MirrorList(Enum):
    """The lists that are mirrored, each with its table and, where two share one, what tells them apart."""

    PATIENTS = (MirroredPatient, None)
    INDIVIDUAL_APPOINTMENTS = (MirroredAppointment, "individual")
    GROUP_APPOINTMENTS = (MirroredAppointment, "group")
    ATTENDEES = (MirroredAttendee, None)
    APPOINTMENT_TYPES = (MirroredAppointmentType, None)

    @property
    def table(self) -> Table:
        return Base.metadata.tables[self.value[0].__tablename__]

    def rows_of(self, generation: int) -> ColumnElement[bool]:
        """The condition that selects this list's rows of a generation."""
        own = self.table.c.generation == generation
        kind = self.value[1]
        return own if kind is None else and_(own, self.table.c.kind == kind)


async def save_rows(
    connection: AsyncConnection, target: MirrorList, generation: int, records: Sequence[Mapping[str, Any]]
) -> None:
    """Insert a page of records, or replace those that this generation already holds.

    Record keys are column names; ``generation`` and the kind are added here.
    """
    if not records:
        return
    kind = target.value[1]
    fixed: dict[str, Any] = {"generation": generation} if kind is None else {"generation": generation, "kind": kind}
    if target is MirrorList.GROUP_APPOINTMENTS:
        fixed |= {"patient_id": None, "did_not_arrive": None, "cancelled_at": None}
    await upsert_rows(connection, target.table, [{**record, **fixed} for record in records])


async def drop_list(connection: AsyncConnection, target: MirrorList, generation: int) -> None:
    """Remove what this generation holds of one list, before that list is read from its beginning again."""
    await connection.execute(delete(target.table).where(target.rows_of(generation)))


async def drop_attendees(connection: AsyncConnection, generation: int, booking_ids: Sequence[str]) -> None:
    """Remove what this generation holds of who comes to these group appointments."""
    table = MirrorList.ATTENDEES.table
    await connection.execute(
        delete(table).where(MirrorList.ATTENDEES.rows_of(generation), table.c.booking_id.in_(booking_ids))
    )


async def count_rows(connection: AsyncConnection, target: MirrorList, generation: int) -> int:
    """How many rows this generation holds of one list."""
    query = select(func.count()).select_from(target.table).where(target.rows_of(generation))
    return (await connection.execute(query)).scalar_one()


async def count_unassigned(connection: AsyncConnection, target: MirrorList, generation: int) -> int:
    """How many rows this generation holds of a list of one patient's visits that name no patient; 0 for other lists."""
    if target not in {MirrorList.INDIVIDUAL_APPOINTMENTS, MirrorList.ATTENDEES}:
        return 0
    query = select(func.count()).where(target.rows_of(generation), target.table.c.patient_id.is_(None))
    return (await connection.execute(query)).scalar_one()


async def group_ids_after(connection: AsyncConnection, generation: int, after: str, limit: int) -> list[str]:
    """Ids of at most ``limit`` group appointments above ``after`` ("" for all), ascending as integers.

    Ids have no leading zeros, so the longer one is the larger and equal lengths compare as text.
    """
    ids = APPOINTMENT.c.id
    order = (func.length(ids), ids)
    query = select(ids).where(MirrorList.GROUP_APPOINTMENTS.rows_of(generation)).order_by(*order).limit(limit)
    if after:
        query = query.where(tuple_(*order) > tuple_(len(after), after))
    return list((await connection.execute(query)).scalars())


async def drop_unused_rows(connection: AsyncConnection, batch_size: int) -> bool:
    """Remove up to ``batch_size`` rows of one generation that neither readers nor a running sync use.

    Returns whether there may be more. Small batches keep the write lock short.
    """
    sync, mirror = Base.metadata.tables[Sync.__tablename__], Base.metadata.tables[Mirror.__tablename__]
    unused = (
        select(sync.c.key)
        .where(sync.c.has_rows, sync.c.completed_at.is_not(None), sync.c.key.not_in(select(mirror.c.generation)))
        .order_by(sync.c.key)
        .limit(1)
        .with_for_update(skip_locked=True)  # another process may tidy too; each takes a generation of its own
    )
    generation = (await connection.execute(unused)).scalar_one_or_none()
    if generation is None:
        return False
    for model in (MirroredPatient, MirroredAppointment, MirroredAttendee, MirroredAppointmentType, IdentifiedPatient):
        table = Base.metadata.tables[model.__tablename__]
        keys = list(table.primary_key)
        batch = select(*keys).where(table.c.generation == generation).limit(batch_size)
        removed = await connection.execute(delete(table).where(tuple_(*keys).in_(batch)))
        if removed.rowcount:
            return True
    await connection.execute(update(sync).where(sync.c.key == generation).values(has_rows=False))
    return True
