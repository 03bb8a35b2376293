"""Reads a page of a list of patients at a sync by keyset: along an index, and not past the rows of other pages.

A list that is sorted by a time has two segments, the patients with such a time and those without, which come last in
both directions. Each segment is read along the index and limited, so a page costs the same anywhere in the list. A
search or a practitioner's filter reads the whole list once. A page by its position, for people who scroll far, passes
over the entries of the index before it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from functools import cache

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Executable,
    Integer,
    Text,
    and_,
    bindparam,
    case,
    literal_column,
    or_,
    select,
    true,
    tuple_,
    union_all,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.database.columns import AnyColumn, AnySelect, CompactTime, among, unindexed
from routiq_gql.database.mirror import visible
from routiq_gql.database.patient_lists import (
    MIRROR_NUMBER,
    SYNC_NUMBER,
    Anchor,
    ListFilter,
    SortKey,
    in_list,
    matches,
)
from routiq_gql.database.tables import LISTING, PATIENT


@dataclass(frozen=True, slots=True)
class Window:
    """The part of a list to read: at most ``limit`` patients between two places, from its start or its end.

    Attributes:
        skip: How many patients to pass over from the start.
        with_value: How many patients of the list have a value to sort by; needed with ``skip``, without a filter.
    """

    key: SortKey
    is_descending: bool
    is_backward: bool
    limit: int
    after: Anchor | None = None
    before: Anchor | None = None
    skip: int = 0
    with_value: int = 0


@dataclass(frozen=True, slots=True)
class PatientRow:
    """A patient at a sync, as Cliniko has it."""

    id: int
    first_name: str | None
    last_name: str | None
    preferred_first_name: str | None
    email: str | None
    phone: str | None
    archived_at: datetime | None
    merged_with_id: int | None
    created_at: datetime | None


_DETAILS = (
    PATIENT.c.first_name,
    PATIENT.c.last_name,
    PATIENT.c.preferred_first_name,
    PATIENT.c.email,
    PATIENT.c.phone,
    PATIENT.c.archived_at,
    PATIENT.c.merged_with_id,
    PATIENT.c.created_at,
)


async def page_of_list(connection: AsyncConnection, wanted: ListFilter, window: Window) -> list[PatientRow]:
    """The patients of the window, in the order of the list."""
    shape = _Shape(
        key=window.key,
        is_descending=window.is_descending,
        is_backward=window.is_backward,
        after=_segment_of(window.after, window.key),
        before=_segment_of(window.before, window.key),
        words=len(wanted.words),
        has_practitioner=wanted.practitioner is not None,
        skips=window.skip > 0,
    )
    given = wanted.parameters | {"limit": window.limit}
    for name, anchor in (("after", window.after), ("before", window.before)):
        if anchor is not None:
            given |= {f"{name}_id": anchor.id, f"{name}_value": anchor.value(window.key)}
    if window.skip:
        given |= {_Segment.VALUES.skipped: window.skip, _Segment.NULLS.skipped: max(0, window.skip - window.with_value)}
    query = page_statement(shape)
    if query is None:
        return []
    rows = [PatientRow(*row) for row in await connection.execute(query, given)]
    return rows[::-1] if window.is_backward else rows


class _Segment(Enum):
    VALUES = 0
    NULLS = 1

    @property
    def skipped(self) -> str:
        """The parameter for the number of its patients to pass over."""
        return f"skip_{self.value}"


def _segment_of(anchor: Anchor | None, key: SortKey) -> "_Segment | None":
    if anchor is None:
        return None
    return _Segment.NULLS if anchor.value(key) is None else _Segment.VALUES


@dataclass(frozen=True, slots=True)
class _Shape:
    """What decides the text of the statement."""

    key: SortKey
    is_descending: bool
    is_backward: bool
    after: _Segment | None
    before: _Segment | None
    words: int
    has_practitioner: bool
    skips: bool

    @property
    def is_filtered(self) -> bool:
        return bool(self.words) or self.has_practitioner

    @property
    def reads_down(self) -> bool:
        """Whether the values are read from the greatest."""
        return self.is_descending is not self.is_backward

    @property
    def segments(self) -> list[_Segment]:
        """The segments that the window has a part of."""
        possible = list(_Segment) if self.key.may_be_null else [_Segment.VALUES]
        first = self.after.value if self.after is not None else 0
        last = self.before.value if self.before is not None else 1
        return [one for one in possible if first <= one.value <= last]


@cache
def page_statement(shape: _Shape) -> Executable | None:
    """The statement for a page; ``None`` if no patient can be on it."""
    if not shape.segments:
        return None
    if shape.is_filtered:
        page = _scanned(shape).subquery("page")
    else:
        parts = [_segment(shape, one).subquery(f"segment_{one.value}") for one in shape.segments]
        page = union_all(*(select(part) for part in parts)).subquery("page")
    return (
        select(page.c.id, *_DETAILS)
        .select_from(page.join(PATIENT, and_(visible(PATIENT, MIRROR_NUMBER, SYNC_NUMBER), PATIENT.c.id == page.c.id)))
        .order_by(*_order(shape, page.c.segment, page.c.value, page.c.id))
        .limit(bindparam("limit", type_=Integer))
    )


def _order(shape: _Shape, segment: AnyColumn, value: AnyColumn, patient: AnyColumn) -> tuple[AnyColumn, ...]:
    # The segment without values comes last in both directions of the list, so only paging backward reverses it.
    segment = segment.desc() if shape.is_backward else segment
    return (segment, value.desc(), patient.desc()) if shape.reads_down else (segment, value, patient)


def _scanned(shape: _Shape) -> AnySelect:
    """The page of a list with a filter: the list is read once in the order of its key, and the matches are sorted.

    Along the index of the order, a search that matches few patients would fetch each row of the list separately.
    """
    value, patient = unindexed(LISTING.c[shape.key.value]), LISTING.c.id
    segment = case((value.is_(None), 1), else_=0)
    within = [and_(*_bounds(shape, one, value, patient)) for one in shape.segments]
    return (
        select(patient, value.label("value"), segment.label("segment"))
        .where(in_list(LISTING), matches(LISTING, shape.words, shape.has_practitioner), or_(*within))
        .order_by(*_order(shape, segment, value, patient))
        .limit(bindparam("limit", type_=Integer))
        .offset(_offset(shape, _Segment.VALUES))
    )


def _segment(shape: _Shape, segment: _Segment) -> AnySelect:
    """The patients of a segment within the window, along the index, as far as the page may have them."""
    value, patient = LISTING.c[shape.key.value], LISTING.c.id
    order = (value.desc(), patient.desc()) if shape.reads_down else (value, patient)
    number: ColumnElement[int] = literal_column(str(segment.value)).label("segment")
    return (
        select(patient, value.label("value"), number)
        .where(in_list(LISTING), *_bounds(shape, segment, value, patient))
        .order_by(*order)
        .limit(bindparam("limit", type_=Integer))
        .offset(_offset(shape, segment))
    )


def _offset(shape: _Shape, segment: _Segment) -> ColumnElement[int] | None:
    return bindparam(segment.skipped, type_=BigInteger) if shape.skips else None


def _bounds(
    shape: _Shape, segment: _Segment, value: AnyColumn, patient: ColumnElement[int]
) -> list[ColumnElement[bool]]:
    """The conditions that a patient is in a segment, and between the places of the window."""
    conditions: list[ColumnElement[bool]] = [true()]
    if shape.key.may_be_null:
        conditions.append(value.is_not(None) if segment is _Segment.VALUES else value.is_(None))
    for name, place, is_above in (
        ("after", shape.after, not shape.is_descending),
        ("before", shape.before, shape.is_descending),
    ):
        if place is not segment:
            continue
        id_ = bindparam(f"{name}_id", type_=BigInteger)
        if segment is _Segment.NULLS:
            conditions.append(patient > id_ if is_above else patient < id_)
            continue
        type_ = CompactTime() if shape.key.may_be_null else Text()
        theirs, own = tuple_(bindparam(f"{name}_value", type_=type_), id_), tuple_(value, patient)
        conditions.append(own > theirs if is_above else own < theirs)
    return conditions


async def patients_at(connection: AsyncConnection, mirror: int, sync: int, ids: Sequence[int]) -> list[PatientRow]:
    """Those of these patients who exist at a sync and can be read, archived ones included."""
    rows = await connection.execute(_PATIENTS, {"mirror": mirror, "sync": sync, "ids": list(ids)})
    return [PatientRow(*row) for row in rows]


_PATIENTS = select(PATIENT.c.id, *_DETAILS).where(
    visible(PATIENT, MIRROR_NUMBER, SYNC_NUMBER), among(PATIENT.c.id, "ids"), PATIENT.c.is_stub.is_(False)
)
