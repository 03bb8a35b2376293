"""Lists of patients at a sync: the conditions that select their rows, and how many there are.

``patient_pages`` reads a page of one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from functools import cache

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    FromClause,
    Integer,
    SmallInteger,
    Text,
    and_,
    bindparam,
    func,
    literal,
    or_,
    select,
    true,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.database.columns import AnyColumn, AnySelect, has_text, unindexed
from routiq_gql.database.mirror import visible
from routiq_gql.database.tables import LISTING

MIRROR_NUMBER = bindparam("mirror", type_=BigInteger)
SYNC_NUMBER = bindparam("sync", type_=BigInteger)
_LIST = bindparam("list", type_=SmallInteger)


class SortKey(Enum):
    """The columns that lists are sorted by; each is followed by the id."""

    NAME = "name_key"
    LAST = "last_at"
    NEXT = "next_at"

    @property
    def may_be_null(self) -> bool:
        return self is not SortKey.NAME


@dataclass(frozen=True, slots=True)
class ListFilter:
    """A list of an organization at a sync, and which of its patients.

    Attributes:
        list: The number of the list.
        words: Folded texts that the patient's searchable text has to contain, all of them.
        practitioner: The practitioner of the last or the next appointment; ``None`` for any.
    """

    mirror: int
    sync: int
    list: int
    words: tuple[str, ...] = ()
    practitioner: int | None = None

    @property
    def parameters(self) -> dict[str, object]:
        words = {f"word_{number}": word for number, word in enumerate(self.words)}
        return {
            "mirror": self.mirror, "sync": self.sync, "list": self.list, "practitioner": self.practitioner, **words
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Anchor:
    """A patient's place in a list: the values of the columns that lists are sorted by."""

    id: int
    name_key: str
    last_at: datetime | None
    next_at: datetime | None

    def value(self, key: SortKey) -> str | datetime | None:
        return {SortKey.NAME: self.name_key, SortKey.LAST: self.last_at, SortKey.NEXT: self.next_at}[key]


@dataclass(frozen=True, slots=True)
class Counted:
    """The number of patients of a list with and without its filter, and the places that were asked for.

    Attributes:
        with_value: How many of ``whole`` have a value to sort by; ``None`` unless asked for.
        anchors: By the patient's id; patients who are not in the list at this sync are missing.
    """

    matching: int
    whole: int
    with_value: int | None
    anchors: dict[int, Anchor]


async def count_list(
    connection: AsyncConnection, wanted: ListFilter, anchors: Sequence[int] = (), key: SortKey | None = None
) -> Counted:
    """How many patients the list has, and the places of at most two of them; in one statement.

    Args:
        key: Count the patients with a value to sort by, too.
    """
    is_filtered = bool(wanted.words) or wanted.practitioner is not None
    given = wanted.parameters | {f"anchor_{number}": patient for number, patient in enumerate(anchors)}
    query = _count(is_filtered, len(wanted.words), wanted.practitioner is not None, len(anchors), key)
    whole, matching, with_value, *places = (await connection.execute(query, given)).one()
    found = [Anchor(*places[start : start + 4]) for start in range(0, len(places), 4)]
    return Counted(
        matching if is_filtered else whole, whole, with_value, {one.id: one for one in found if one.id is not None}
    )


@cache
def _count(is_filtered: bool, words: int, has_practitioner: bool, anchors: int, key: SortKey | None) -> AnySelect:
    counted: list[ColumnElement[int]] = [func.count().label("whole")]
    matching = func.count().filter(matches(LISTING, words, has_practitioner)) if is_filtered else literal(None, Integer)
    with_value = func.count(LISTING.c[key.value]) if key is not None else literal(None, Integer)
    counted += [matching.label("matching"), with_value.label("with_value")]
    # One pass for both numbers: PostgreSQL would read the list once for each.
    numbers = select(*counted).where(in_list(LISTING)).subquery("numbers")
    source: FromClause = numbers
    columns: list[AnyColumn] = [numbers.c.whole, numbers.c.matching, numbers.c.with_value]
    for number in range(anchors):
        place = LISTING.alias(f"anchor_{number}")
        is_place = place.c.id == bindparam(f"anchor_{number}", type_=BigInteger)
        source = source.outerjoin(
            place, and_(visible(place, MIRROR_NUMBER, SYNC_NUMBER), place.c.list == _LIST, is_place)
        )
        columns += [place.c.id, place.c.name_key, place.c.last_at, place.c.next_at]
    return select(*columns).select_from(source)


async def count_lists(connection: AsyncConnection, mirror: int, sync: int) -> dict[int, int]:
    """The number of patients in each list at a sync, by the list's number; lists without patients are missing."""
    rows = await connection.execute(_COUNTS, {"mirror": mirror, "sync": sync})
    return {row[0]: row[1] for row in rows}


def _is_visible(table: FromClause) -> ColumnElement[bool]:
    # Rows are found by list and order. Nearly all of them are visible, so SQLite shall not select by these columns.
    return and_(
        table.c.mirror == MIRROR_NUMBER,
        unindexed(table.c.from_sync) <= SYNC_NUMBER,
        unindexed(table.c.to_sync) > SYNC_NUMBER,
    )


def in_list(table: FromClause) -> ColumnElement[bool]:
    return and_(_is_visible(table), table.c.list == _LIST)


_COUNTS = select(LISTING.c.list, func.count()).where(_is_visible(LISTING)).group_by(LISTING.c.list)


def matches(table: FromClause, words: int, has_practitioner: bool) -> ColumnElement[bool]:
    conditions: list[ColumnElement[bool]] = [
        has_text(table.c.search, bindparam(f"word_{number}", type_=Text)) for number in range(words)
    ]
    if has_practitioner:
        practitioner = bindparam("practitioner", type_=BigInteger)
        of_last, of_next = table.c.last_practitioner_id, table.c.next_practitioner_id
        conditions.append(or_(of_last == practitioner, of_next == practitioner))
    return and_(true(), *conditions)
