"""Finds appointments and attendees of a draft by the state of their patients, for the comparison with Cliniko."""

from collections.abc import Collection
from functools import cache

from sqlalchemy import BigInteger, Integer, Select, and_, bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.database.columns import among
from routiq_gql.database.drafts import Draft
from routiq_gql.database.mirror import DRAFT_SYNC, MIRROR_NUMBER, MirrorList
from routiq_gql.database.tables import APPOINTMENT, CURRENT, PATIENT


async def rows_of_closed_patients(
    connection: AsyncConnection, draft: Draft, target: MirrorList, above: int, limit: int
) -> list[int]:
    """Ids of at most ``limit`` appointments or attendees above ``above`` whose patient the draft has closed, ascending.

    The rows themselves are in the draft.
    """
    given = {**draft.parameters, "above": above, "most": limit}
    return list((await connection.execute(_of_closed_patients(target), given)).scalars())


@cache
def _of_closed_patients(target: MirrorList) -> Select[int]:
    columns = target.table.c
    current = PATIENT.alias("current")
    is_open = select(current.c.id).where(
        current.c.mirror == MIRROR_NUMBER, current.c.id == PATIENT.c.id, current.c.to_sync == CURRENT
    )
    closed = select(PATIENT.c.id).where(
        PATIENT.c.mirror == MIRROR_NUMBER, PATIENT.c.to_sync == DRAFT_SYNC, PATIENT.c.to_sync < CURRENT
    )
    return (
        select(columns.id)
        .where(target.current(), columns.id > bindparam("above", type_=BigInteger))
        .where(columns.patient_id.in_(closed.where(~is_open.exists())))
        .order_by(columns.id)
        .limit(bindparam("most", type_=Integer))
    )


async def absent_patients_of(connection: AsyncConnection, draft: Draft, ids: Collection[int]) -> list[int]:
    """The patients of those individual appointments that the draft has closed and does not replace.

    Only patients who are archived or not in the draft, as Cliniko deletes no others.
    """
    if not ids:
        return []
    appointments = MirrorList.INDIVIDUAL_APPOINTMENTS
    columns = APPOINTMENT.c
    replaced = APPOINTMENT.alias("replaced")
    is_replaced = select(replaced.c.id).where(
        replaced.c.mirror == draft.mirror,
        replaced.c.kind == appointments.kind,
        replaced.c.id == columns.id,
        replaced.c.to_sync == CURRENT,
    )
    is_present = select(PATIENT.c.id).where(
        and_(
            PATIENT.c.mirror == draft.mirror,
            PATIENT.c.id == columns.patient_id,
            PATIENT.c.to_sync == CURRENT,
            PATIENT.c.archived_at.is_(None),
        )
    )
    query = (
        select(columns.patient_id)
        .distinct()
        .where(appointments.of(draft.mirror), columns.to_sync == draft.sync, among(columns.id, ids))
        .where(columns.patient_id.is_not(None), ~is_replaced.exists(), ~is_present.exists())
    )
    return sorted(row_id for row_id in (await connection.execute(query)).scalars() if row_id is not None)
