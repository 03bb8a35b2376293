"""Queries that write, count and delete the mirrored lists of a generation; see ``tables.mirror`` for generations."""

from collections.abc import Mapping, Sequence
from enum import Enum

from sqlalchemy import ColumnElement, Table, and_, delete, func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.database.tables import APPOINTMENT, APPOINTMENT_TYPE, ATTENDEE, PATIENT
from routiq_gql.database.upserts import upsert_rows


class MirrorList(Enum):
    """The mirrored lists: Cliniko's name, the table and, where two lists share a table, the ``kind`` of its rows.

    Every list is named here and in ``RESOURCES`` of the Cliniko package; a test compares the two.
    """

    PATIENTS = ("patients", PATIENT, None)
    INDIVIDUAL_APPOINTMENTS = ("individual_appointments", APPOINTMENT, "individual")
    GROUP_APPOINTMENTS = ("group_appointments", APPOINTMENT, "group")
    ATTENDEES = ("attendees", ATTENDEE, None)
    APPOINTMENT_TYPES = ("appointment_types", APPOINTMENT_TYPE, None)

    def __init__(self, resource: str, table: Table, kind: str | None) -> None:
        self.resource = resource
        self.table = table
        self.kind = kind

    @property
    def fixed_values(self) -> dict[str, str | None]:
        """Columns that are the same in every row of the list. A group appointment names no patient itself."""
        values: dict[str, str | None] = {} if self.kind is None else {"kind": self.kind}
        if self is MirrorList.GROUP_APPOINTMENTS:
            values |= {"patient_id": None, "did_not_arrive": None, "cancelled_at": None}
        return values

    def rows_of(self, generation: int) -> ColumnElement[bool]:
        """The condition that selects this list's rows of a generation."""
        own = self.table.c.generation == generation
        return own if self.kind is None else and_(own, self.table.c.kind == self.kind)


BY_RESOURCE = {one.resource: one for one in MirrorList}
"""The lists by Cliniko's name."""


async def save_rows(
    connection: AsyncConnection, target: MirrorList, generation: int, records: Sequence[Mapping[str, object]]
) -> None:
    """Insert a page of records, or replace those that this generation already holds.

    Record keys are column names; ``generation`` and the list's fixed values are added here.
    """
    if records:
        fixed = {"generation": generation, **target.fixed_values}
        await upsert_rows(connection, target.table, [{**record, **fixed} for record in records])


async def drop_list(connection: AsyncConnection, target: MirrorList, generation: int) -> None:
    """Delete a list's rows of this generation, before that list is read from its beginning again."""
    await connection.execute(delete(target.table).where(target.rows_of(generation)))


async def drop_attendees(connection: AsyncConnection, generation: int, booking_ids: Sequence[str]) -> None:
    """Delete the attendees of these group appointments from this generation."""
    table = MirrorList.ATTENDEES.table
    await connection.execute(
        delete(table).where(MirrorList.ATTENDEES.rows_of(generation), table.c.booking_id.in_(booking_ids))
    )


async def count_rows(connection: AsyncConnection, target: MirrorList, generation: int) -> int:
    """The number of a list's rows in this generation."""
    query = select(func.count()).select_from(target.table).where(target.rows_of(generation))
    return (await connection.execute(query)).scalar_one()


async def count_unassigned(connection: AsyncConnection, target: MirrorList, generation: int) -> int:
    """The number of visits in this generation that name no patient; 0 for lists that are not of patients' visits."""
    if target not in {MirrorList.INDIVIDUAL_APPOINTMENTS, MirrorList.ATTENDEES}:
        return 0
    query = select(func.count()).where(target.rows_of(generation), target.table.c.patient_id.is_(None))
    return (await connection.execute(query)).scalar_one()


async def group_ids_after(connection: AsyncConnection, generation: int, after: str, limit: int) -> list[str]:
    """Ids of at most ``limit`` group appointments above ``after`` ("" for all), ascending as integers.

    Ids have no leading zeros, so a longer id is larger, and ids of equal length compare as text.
    """
    ids = APPOINTMENT.c.id
    order = (func.length(ids), ids)
    query = select(ids).where(MirrorList.GROUP_APPOINTMENTS.rows_of(generation)).order_by(*order).limit(limit)
    if after:
        query = query.where(tuple_(*order) > tuple_(len(after), after))
    return list((await connection.execute(query)).scalars())
