"""Counts and lists the rows of a draft. Called outside write transactions: counting takes a time that grows with them.

Only the sync that writes a draft changes it, so its counts stay right after the reading transaction.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Integer,
    ScalarSelect,
    Select,
    bindparam,
    func,
    literal,
    select,
    union_all,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.database.columns import unindexed
from routiq_gql.database.drafts import Covered, Draft, ListChanges
from routiq_gql.database.mirror import DRAFT_SYNC, MIRROR_NUMBER, MirrorList, belongs, closed_by
from routiq_gql.database.tables import APPOINTMENT, ATTENDEE, CURRENT


@dataclass(frozen=True, slots=True)
class ListFigures:
    """The figures of a list in a draft.

    Attributes:
        rows: Its rows, stubs included.
        stubs: Its unreadable rows that were never readable.
        suppressed: Its rows of erased persons.
        changes: How its rows differ from the base.
    """

    rows: int
    stubs: int
    suppressed: int
    changes: ListChanges


async def list_figures(connection: AsyncConnection, draft: Draft) -> dict[MirrorList, ListFigures]:
    """The figures of every list. Counting rows takes a time that grows with them, counting changes does not."""
    rows = await connection.execute(_figures(), draft.parameters)
    return {
        MirrorList[name]: ListFigures(
            count, stubs, suppressed, ListChanges(written - updated, updated, closed - updated)
        )
        for name, count, stubs, suppressed, written, closed, updated in rows
    }


@cache
def _figures() -> CompoundSelect[str, int, int, int, int, int, int]:
    return union_all(*(select(literal(target.name), *_figures_of(target)) for target in MirrorList))


def _figures_of(target: MirrorList) -> list[ScalarSelect[int]]:
    """Counts of rows, stubs and erased persons' rows, and of versions: written, closed and replaced by the draft."""
    columns = target.table.c
    current = target.current()
    ended = target.of(MIRROR_NUMBER) & closed_by(target.table, DRAFT_SYNC)
    own = target.table.alias("own")
    replaced = select(own.c.id).where(
        own.c.mirror == MIRROR_NUMBER,
        own.c.id == columns.id,
        own.c.to_sync == CURRENT,
        own.c.from_sync == DRAFT_SYNC,
    )
    if target.kind is not None:
        replaced = replaced.where(own.c.kind == target.kind)
    conditions = (
        current,
        current & columns.is_stub & ~columns.is_suppressed,
        current & columns.is_suppressed,
        target.of(MIRROR_NUMBER) & (columns.from_sync == DRAFT_SYNC),
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
    query = _visible_rows(target)
    if covered is not None:
        query = query.where(belongs(target.table, covered))
    return (await connection.execute(query, draft.parameters)).scalar_one()


async def count_listed(connection: AsyncConnection, draft: Draft, target: MirrorList) -> int:
    """The number of a list's rows in the draft that Cliniko lists by default: not archived, not cancelled.

    Stubs are left out, except for those of erased persons: Cliniko counts these, so the figure does too.
    """
    return (await connection.execute(_listed_rows(target), draft.parameters)).scalar_one()


async def count_unassigned(connection: AsyncConnection, draft: Draft, target: MirrorList) -> int:
    """The number of visits in the draft that name no patient; 0 for lists that are not of patients' visits."""
    if target not in {MirrorList.INDIVIDUAL_APPOINTMENTS, MirrorList.ATTENDEES}:
        return 0
    return (await connection.execute(_unassigned_rows(target), draft.parameters)).scalar_one()


@cache
def _visible_rows(target: MirrorList) -> Select[int]:
    return select(func.count()).select_from(target.table).where(target.current())


@cache
def _listed_rows(target: MirrorList) -> Select[int]:
    columns = target.table.c
    hidden = [columns[name] for name in ("archived_at", "cancelled_at") if name in columns]
    return _visible_rows(target).where(
        ~columns.is_stub | columns.is_suppressed, *(column.is_(None) for column in hidden)
    )


@cache
def _unassigned_rows(target: MirrorList) -> Select[int]:
    return _visible_rows(target).where(~target.table.c.is_stub, target.table.c.patient_id.is_(None))


async def greatest_id(connection: AsyncConnection, draft: Draft, target: MirrorList) -> int:
    """The greatest id of a list's rows, also of those that are no longer in the draft; 0 without rows.

    A hidden row that comes back without a trace is then counted, though its id is above those of all others.
    """
    return (await connection.execute(_greatest_id(target), draft.parameters)).scalar_one_or_none() or 0


@cache
def _greatest_id(target: MirrorList) -> Select[int]:
    ids = target.table.c.id
    return select(ids).where(target.of(MIRROR_NUMBER)).order_by(ids.desc()).limit(1)


async def ids_within(
    connection: AsyncConnection, draft: Draft, target: MirrorList, covered: Covered | None, limit: int
) -> list[int]:
    """At most ``limit`` ids of a list's rows in the draft that belong to the covered part, ascending."""
    ids = target.table.c.id
    query = select(ids).where(target.in_draft(draft), belongs(target.table, covered)).order_by(ids).limit(limit)
    return list((await connection.execute(query)).scalars())


async def stub_ids(connection: AsyncConnection, draft: Draft, target: MirrorList, limit: int) -> list[int]:
    """At most ``limit`` ids of unreadable rows in the draft that were never readable, ascending."""
    return list((await connection.execute(_stubs(target), {**draft.parameters, "most": limit})).scalars())


@cache
def _stubs(target: MirrorList) -> Select[int]:
    ids = target.table.c.id
    query = select(ids).where(target.current(), target.table.c.is_stub, ~target.table.c.is_suppressed).order_by(ids)
    return query.limit(bindparam("most", type_=Integer))


async def attendees_of_closed_classes(connection: AsyncConnection, draft: Draft, limit: int) -> list[int]:
    """Ids of at most ``limit`` attendees in the draft whose class is not in it.

    Only attendees that the draft wrote, and those of classes that it closed, can be: the base has no others.
    """
    found: list[int] = []
    for query in _attendees_of_closed_classes():
        given = {**draft.parameters, "most": limit - len(found)}
        found += (await connection.execute(query, given)).scalars()
        if len(found) == limit:
            break
    return sorted(set(found))


@cache
def _attendees_of_closed_classes() -> list[Select[int]]:
    group = MirrorList.GROUP_APPOINTMENTS
    open_class = APPOINTMENT.alias("open_class")
    has_class = (
        select(open_class.c.id)
        .where(
            open_class.c.mirror == MIRROR_NUMBER,
            open_class.c.kind == group.kind,
            open_class.c.id == ATTENDEE.c.booking_id,
            open_class.c.to_sync == CURRENT,
        )
        .exists()
    )
    closed = select(APPOINTMENT.c.id).where(group.of(MIRROR_NUMBER), closed_by(APPOINTMENT, DRAFT_SYNC))
    candidates: Sequence[ColumnElement[bool]] = (
        ATTENDEE.c.booking_id.in_(closed),
        (ATTENDEE.c.from_sync == DRAFT_SYNC) & unindexed(ATTENDEE.c.booking_id).is_not(None),
    )
    most = bindparam("most", type_=Integer)
    attendees = select(ATTENDEE.c.id).where(MirrorList.ATTENDEES.current(), ~has_class).limit(most)
    return [attendees.where(candidate) for candidate in candidates]
