"""Counts and lists the rows of a draft. Called outside write transactions: counting takes a time that grows with them.

Only the sync that writes a draft changes it, so its counts stay right after the reading transaction.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    CompoundSelect,
    ScalarSelect,
    and_,
    bindparam,
    func,
    literal,
    select,
    union_all,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.database.columns import unindexed
from routiq_gql.database.drafts import Covered, Draft, ListChanges
from routiq_gql.database.mirror import MirrorList, belongs, closed_by
from routiq_gql.database.tables import APPOINTMENT, ATTENDEE, CURRENT


@dataclass(frozen=True, slots=True)
class ListFigures:
    """The figures of a list in a draft.

    Attributes:
        rows: Its rows, stubs included.
        stubs: Its unreadable rows that were never readable.
        changes: How its rows differ from the base.
    """

    rows: int
    stubs: int
    changes: ListChanges


async def list_figures(connection: AsyncConnection, draft: Draft) -> dict[MirrorList, ListFigures]:
    """The figures of every list. Counting rows takes a time that grows with them, counting changes does not."""
    rows = await connection.execute(_figures(), {"mirror": draft.mirror, "sync": draft.sync})
    return {
        MirrorList[name]: ListFigures(count, stubs, ListChanges(written - updated, updated, closed - updated))
        for name, count, stubs, written, closed, updated in rows
    }


@cache
def _figures() -> CompoundSelect[str, int, int, int, int, int]:
    return union_all(*(select(literal(target.name), *_figures_of(target)) for target in MirrorList))


def _figures_of(target: MirrorList) -> list[ScalarSelect[int]]:
    """Counts of rows, of stubs, and of versions: written by the draft, closed by it, and replaced by it."""
    columns = target.table.c
    mirror, sync = bindparam("mirror", type_=BigInteger()), bindparam("sync", type_=BigInteger())
    current = target.of(mirror) & (columns.to_sync == CURRENT)
    ended = target.of(mirror) & closed_by(target.table, sync)
    own = target.table.alias("own")
    replaced = select(own.c.id).where(
        own.c.mirror == mirror, own.c.id == columns.id, own.c.to_sync == CURRENT, own.c.from_sync == sync
    )
    if target.kind is not None:
        replaced = replaced.where(own.c.kind == target.kind)
    conditions = (
        current,
        current & columns.is_stub,
        target.of(mirror) & (columns.from_sync == sync),
        ended,
        ended & replaced.exists(),
    )
    return [
        select(func.count()).select_from(target.table).where(condition).scalar_subquery() for condition in conditions
    ]


async def count_visible(
    connection: AsyncConnection, draft: Draft, target: MirrorList, covered: Covered | None = None
) -> int:
    """The number of a list's rows in the draft, stubs included; with ``covered``, of rows in that part of the list."""
    return await _count(connection, target, target.in_draft(draft) & belongs(target.table, covered))


async def count_listed(connection: AsyncConnection, draft: Draft, target: MirrorList) -> int:
    """The number of a list's rows in the draft that Cliniko lists by default: not archived, not cancelled; no stubs."""
    columns = target.table.c
    hidden = [columns[name] for name in ("archived_at", "cancelled_at") if name in columns]
    listed = and_(~columns.is_stub, *(column.is_(None) for column in hidden))
    return await _count(connection, target, target.in_draft(draft) & listed)


async def count_unassigned(connection: AsyncConnection, draft: Draft, target: MirrorList) -> int:
    """The number of visits in the draft that name no patient; 0 for lists that are not of patients' visits."""
    if target not in {MirrorList.INDIVIDUAL_APPOINTMENTS, MirrorList.ATTENDEES}:
        return 0
    columns = target.table.c
    return await _count(connection, target, target.in_draft(draft) & ~columns.is_stub & columns.patient_id.is_(None))


async def _count(connection: AsyncConnection, target: MirrorList, condition: ColumnElement[bool]) -> int:
    return (await connection.execute(select(func.count()).select_from(target.table).where(condition))).scalar_one()


async def greatest_id(connection: AsyncConnection, draft: Draft, target: MirrorList) -> int:
    """The greatest id of a list's rows in the draft; 0 without rows."""
    ids = target.table.c.id
    query = select(ids).where(target.in_draft(draft)).order_by(ids.desc()).limit(1)
    return (await connection.execute(query)).scalar_one_or_none() or 0


async def ids_within(
    connection: AsyncConnection, draft: Draft, target: MirrorList, covered: Covered | None, limit: int
) -> list[int]:
    """At most ``limit`` ids of a list's rows in the draft that belong to the covered part, ascending."""
    ids = target.table.c.id
    query = select(ids).where(target.in_draft(draft), belongs(target.table, covered)).order_by(ids).limit(limit)
    return list((await connection.execute(query)).scalars())


async def stub_ids(connection: AsyncConnection, draft: Draft, target: MirrorList, limit: int) -> list[int]:
    """At most ``limit`` ids of unreadable rows in the draft that were never readable, ascending."""
    ids = target.table.c.id
    query = select(ids).where(target.in_draft(draft), target.table.c.is_stub).order_by(ids).limit(limit)
    return list((await connection.execute(query)).scalars())


async def classes_to_read(connection: AsyncConnection, draft: Draft, after: int, limit: int) -> list[int]:
    """Ids of at most ``limit`` classes in the draft above ``after``, ascending."""
    return await ids_within(connection, draft, MirrorList.GROUP_APPOINTMENTS, Covered(above=after), limit)


async def classes_opened(connection: AsyncConnection, draft: Draft, after: int, limit: int) -> list[int]:
    """Ids of at most ``limit`` classes above ``after`` that are in the draft and not in its base, ascending.

    They are new, restored, or moved into the horizon. Their attendees may not have changed, so no mark finds them.
    """
    classes = MirrorList.GROUP_APPOINTMENTS
    base = APPOINTMENT.alias("base")
    in_base = select(base.c.id).where(
        base.c.mirror == draft.mirror,
        base.c.kind == classes.kind,
        base.c.id == APPOINTMENT.c.id,
        base.c.to_sync == draft.sync,  # closed by the draft, or it would be the visible version itself
    )
    query = (
        select(APPOINTMENT.c.id)
        .where(classes.in_draft(draft), APPOINTMENT.c.from_sync == draft.sync, APPOINTMENT.c.id > after)
        .where(~in_base.exists())
        .order_by(APPOINTMENT.c.id)
        .limit(limit)
    )
    return list((await connection.execute(query)).scalars())


async def attendees_of_closed_classes(connection: AsyncConnection, draft: Draft, limit: int) -> list[int]:
    """Ids of at most ``limit`` attendees in the draft whose class is not in it.

    Only attendees that the draft wrote, and those of classes that it closed, can be: the base has no others.
    """
    group = MirrorList.GROUP_APPOINTMENTS
    open_class = APPOINTMENT.alias("open_class")
    has_class = (
        select(open_class.c.id)
        .where(
            open_class.c.mirror == draft.mirror,
            open_class.c.kind == group.kind,
            open_class.c.id == ATTENDEE.c.booking_id,
            open_class.c.to_sync == CURRENT,
        )
        .exists()
    )
    attendees = MirrorList.ATTENDEES.in_draft(draft)
    closed = select(APPOINTMENT.c.id).where(group.of(draft.mirror), closed_by(APPOINTMENT, draft.sync))
    candidates: Sequence[ColumnElement[bool]] = (
        ATTENDEE.c.booking_id.in_(closed),
        (ATTENDEE.c.from_sync == draft.sync) & unindexed(ATTENDEE.c.booking_id).is_not(None),
    )
    found: list[int] = []
    for candidate in candidates:
        query = select(ATTENDEE.c.id).where(attendees, candidate, ~has_class).limit(limit - len(found))
        found += (await connection.execute(query)).scalars()
        if len(found) == limit:
            break
    return sorted(set(found))
