"""Selects the patients that differ between two syncs of an organization, from the versions of patients and of lists.

A *span* is two syncs of a mirror: readers saw ``before`` earlier, and see ``after`` later. For the changes of one sync
``before`` is its base. The versions that began or ended within the span hold every difference, and both have an index,
so the cost grows with the changes and not with the clinic. Appointments are not read: they change lists.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    CompoundSelect,
    FromClause,
    Integer,
    Select,
    and_,
    bindparam,
    except_,
    exists,
    func,
    literal,
    select,
    union,
    union_all,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.database.columns import among, unindexed
from routiq_gql.database.mirror import MirrorList, is_closed
from routiq_gql.database.tables import LISTING, PATIENT

CONTENT = tuple(name for name in MirrorList.PATIENTS.read_columns if name != "updated_at")
"""The columns of a patient whose change is shown. ``updated_at`` alone is no change."""

_MIRROR = bindparam("mirror", type_=BigInteger)
_BEFORE = bindparam("before", type_=BigInteger)
_AFTER = bindparam("after", type_=BigInteger)


@dataclass(frozen=True, slots=True)
class Span:
    """Two syncs of a mirror, by number; ``before`` is the earlier."""

    mirror: int
    before: int
    after: int

    @property
    def parameters(self) -> dict[str, int]:
        """The parameters of the statements of this module."""
        return {"mirror": self.mirror, "before": self.before, "after": self.after}


@dataclass(frozen=True, slots=True)
class Difference:
    """A patient that differs between the syncs of a span.

    Attributes:
        before: The readable content before; ``None`` if the patient could not be read then.
        after: The same after.
        joined: The numbers of the lists that the patient is in after, and was not in before.
        left: The numbers of the lists that the patient was in before, and is not in after.
    """

    id: int
    before: Mapping[str, object] | None
    after: Mapping[str, object] | None
    joined: frozenset[int]
    left: frozenset[int]

    @property
    def changed(self) -> tuple[str, ...]:
        """The columns whose values differ, if the patient could be read both times."""
        if self.before is None or self.after is None:
            return ()
        return tuple(name for name in CONTENT if self.before[name] != self.after[name])

    @property
    def is_empty(self) -> bool:
        """Whether nothing differs, as after a change and its reversal."""
        is_same = (self.before is None) == (self.after is None) and not self.changed
        return is_same and not self.joined and not self.left


@dataclass(frozen=True, slots=True)
class DifferenceCounts:
    """How many patients differ between the syncs of a span. Only in ``patients`` each counts once."""

    patients: int
    added: int
    changed: int
    vanished: int
    joined: Mapping[int, int]
    """Patients that joined a list, by its number."""
    left: Mapping[int, int]


async def differing_patients(connection: AsyncConnection, span: Span, above: int, limit: int) -> list[int]:
    """At most ``limit`` ids above ``above``, ascending, that hold every difference of the span. A few may hold none."""
    given = {**span.parameters, "above": above, "most": limit}
    return list((await connection.execute(_differing(), given)).scalars())


async def next_patients(connection: AsyncConnection, span: Span, above: int, limit: int) -> list[int]:
    """The next ``limit`` patients with ids above ``above``, ascending, whether they differ or not.

    If most patients differ, ``differences`` finds them faster among these than among all that differ.
    """
    given = {"mirror": span.mirror, "above": above, "most": limit}
    return list((await connection.execute(_NEXT, given)).scalars())


async def differences(
    connection: AsyncConnection, span: Span, ids: Collection[int], list_numbers: Collection[int]
) -> list[Difference]:
    """The differences of these patients in these lists, ascending by id; patients without one are left out."""
    content: dict[int, list[Mapping[str, object] | None]] = {one: [None, None] for one in ids}
    lists: dict[int, list[set[int]]] = {one: [set(), set()] for one in ids}
    given: dict[str, object] = {**span.parameters, "ids": list(ids), "lists": list(list_numbers)}
    for row in await connection.execute(_contents(), given):
        values = {name: getattr(row, name) for name in CONTENT}
        for number in _sides(row.from_sync, row.to_sync, span):
            content[row.id][number] = values
    for list_number, patient_id, from_sync, to_sync in await connection.execute(_listings(), given):
        for number in _sides(from_sync, to_sync, span):
            lists[patient_id][number].add(list_number)
    found = []
    for one in sorted(ids):
        (before, after), (was_in, is_in) = content[one], lists[one]
        found.append(Difference(one, before, after, frozenset(is_in - was_in), frozenset(was_in - is_in)))
    return [one for one in found if not one.is_empty]


async def count_differences(connection: AsyncConnection, span: Span) -> DifferenceCounts:
    """The counts of a span whose syncs follow each other. ``after`` may be a draft: call it outside of writes."""
    counts = {"patients": 0, "added": 0, "changed": 0, "vanished": 0}
    joined: dict[int, int] = {}
    left: dict[int, int] = {}
    for kind, number, count in await connection.execute(_counts(), {**span.parameters, "above": 0}):
        if kind in counts:
            counts[kind] = count
        else:
            (joined if kind == "joined" else left)[number] = count
    return DifferenceCounts(**counts, joined=joined, left=left)


@cache
def joined_list() -> CompoundSelect[int]:
    """The patients who joined the list ``list`` within a span, as a SELECT with the span's parameters.

    A patient who is in the list after, by a version that began within the span, was in it before if such a version
    ended within the span. A difference of sets needs no statistics: without these PostgreSQL may read the whole list
    for each patient of a join, which took 43 s for 10,000.
    """
    return except_(_listed(_began(LISTING)), _listed(_ended(LISTING)))


@cache
def left_list() -> CompoundSelect[int]:
    """The patients who left the list, likewise."""
    return except_(_listed(_ended(LISTING)), _listed(_began(LISTING)))


def _listed(condition: ColumnElement[bool]) -> Select[int]:
    return select(LISTING.c.id).where(LISTING.c.list == bindparam("list", type_=Integer), condition)


def _sides(from_sync: int, to_sync: int, span: Span) -> list[int]:
    """0 if a version was visible before, 1 if it is visible after."""
    return [number for number, sync in enumerate((span.before, span.after)) if from_sync <= sync < to_sync]


def _began(table: FromClause) -> ColumnElement[bool]:
    """The versions that began within the span and are visible after it. The index on ``from_sync`` finds them."""
    own = and_(table.c.mirror == _MIRROR, table.c.from_sync > _BEFORE, table.c.from_sync <= _AFTER)
    return and_(own, unindexed(table.c.to_sync) > _AFTER)


def _ended(table: FromClause) -> ColumnElement[bool]:
    """The versions that were visible before the span and ended within it. The index on closed ones finds them."""
    own = and_(table.c.mirror == _MIRROR, table.c.to_sync > _BEFORE, table.c.to_sync <= _AFTER, is_closed(table))
    return and_(own, unindexed(table.c.from_sync) <= _BEFORE)


def _shown(table: FromClause, sync: ColumnElement[int]) -> ColumnElement[bool]:
    """The versions that are visible at a sync and can be read, in a lookup by the key."""
    visible = and_(table.c.mirror == _MIRROR, table.c.to_sync > sync, unindexed(table.c.from_sync) <= sync)
    return and_(visible, ~table.c.is_stub) if "is_stub" in table.c else visible


def _counterpart(table: FromClause, sync: ColumnElement[int]) -> ColumnElement[bool]:
    """Whether a readable version of the same row is visible at a sync."""
    other = table.alias("other")
    same = [other.c[name] == table.c[name] for name in ("id", "list") if name in table.c]
    return exists(select(literal(1)).select_from(other).where(*same, _shown(other, sync)))


_NEXT = (
    select(PATIENT.c.id)
    .where(PATIENT.c.mirror == _MIRROR, PATIENT.c.id > bindparam("above", type_=BigInteger))
    .distinct()
    .order_by(PATIENT.c.id)
    .limit(bindparam("most", type_=Integer))
)


@cache
def _differing() -> Select[int]:
    ids = _ids().subquery()
    return select(ids.c.id).order_by(ids.c.id).limit(bindparam("most", type_=Integer))


def _ids() -> CompoundSelect[int]:
    above = bindparam("above", type_=BigInteger)
    return union(
        select(PATIENT.c.id).where(_began(PATIENT), ~PATIENT.c.is_stub, unindexed(PATIENT.c.id) > above),
        select(PATIENT.c.id).where(_ended(PATIENT), ~PATIENT.c.is_stub, unindexed(PATIENT.c.id) > above),
        select(LISTING.c.id).where(_began(LISTING), ~_counterpart(LISTING, _BEFORE), unindexed(LISTING.c.id) > above),
        select(LISTING.c.id).where(_ended(LISTING), ~_counterpart(LISTING, _AFTER), unindexed(LISTING.c.id) > above),
    )


@cache
def _contents() -> Select[int, int, int]:
    columns = PATIENT.c
    query = select(columns.id, columns.from_sync, columns.to_sync, *(PATIENT.columns[name] for name in CONTENT))
    return query.where(
        columns.mirror == _MIRROR,
        among(columns.id, "ids"),
        columns.to_sync > _BEFORE,
        unindexed(columns.from_sync) <= _AFTER,
        ~columns.is_stub,
    )


@cache
def _listings() -> Select[int, int, int, int]:
    columns = LISTING.c
    return select(columns.list, columns.id, columns.from_sync, columns.to_sync).where(
        columns.mirror == _MIRROR,
        among(columns.list, "lists"),  # the key begins with the list
        among(columns.id, "ids"),
        columns.to_sync > _BEFORE,
        unindexed(columns.from_sync) <= _AFTER,
    )


@cache
def _counts() -> CompoundSelect[str, int, int]:
    patients = (
        ("added", and_(_began(PATIENT), ~_counterpart(PATIENT, _BEFORE))),
        ("changed", and_(_began(PATIENT), _counterpart(PATIENT, _BEFORE))),
        ("vanished", and_(_ended(PATIENT), ~_counterpart(PATIENT, _AFTER))),
    )
    lists = (
        ("joined", and_(_began(LISTING), ~_counterpart(LISTING, _BEFORE))),
        ("left", and_(_ended(LISTING), ~_counterpart(LISTING, _AFTER))),
    )
    return union_all(
        select(literal("patients").label("kind"), literal(0).label("number"), func.count().label("count")).select_from(
            _ids().subquery()
        ),
        *(
            select(literal(kind), literal(0), func.count()).select_from(PATIENT).where(condition, ~PATIENT.c.is_stub)
            for kind, condition in patients
        ),
        *(
            select(literal(kind), LISTING.c.list, func.count()).where(condition).group_by(LISTING.c.list)
            for kind, condition in lists
        ),
    )
