"""Statements on versions, in the values that the driver stores.

The types of ``tables`` convert each value of each row, which takes longer than the statement itself. ``merging``
compares and writes stored values instead: on SQLite a ``CompactTime`` is its milliseconds, and a boolean is 0 or 1.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from operator import itemgetter
from typing import Any

import orjson
from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Insert,
    String,
    TableValuedAlias,
    Update,
    bindparam,
    cast,
    func,
    insert,
    select,
    type_coerce,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.types import TypeEngine

from routiq_gql.database.columns import AnyColumn, AnySelect, CompactTime, among
from routiq_gql.database.drafts import Draft
from routiq_gql.database.mirror import MirrorList
from routiq_gql.database.tables import CURRENT

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)

Content = tuple[object, ...]
"""The stored values of ``MirrorList.read_columns`` without ``updated_at``, in their order."""


def _stored_type(kind: TypeEngine[Any], dialect: str) -> TypeEngine[Any]:
    if isinstance(kind, CompactTime):
        return BigInteger() if dialect == "sqlite" else DateTime(timezone=True)
    if isinstance(kind, Boolean) and dialect == "sqlite":
        return BigInteger()
    return kind


@cache
def content_names(target: MirrorList) -> tuple[str, ...]:
    """The columns whose change makes a new version."""
    return tuple(name for name in target.read_columns if name != "updated_at")


def stored_time(value: datetime, dialect: str) -> object:
    """A time as ``CompactTime`` stores it."""
    if dialect == "sqlite":
        return (value - _EPOCH) // _MILLISECOND
    return value.replace(microsecond=value.microsecond // 1000 * 1000)


def stored_rows(
    target: MirrorList, rows: Iterable[Mapping[str, Any]], dialect: str
) -> dict[int, tuple[object, Content]]:
    """The rows as stored values by id: ``updated_at``, and the content. The last of several rows with an id counts."""
    names = content_names(target)
    values_of: Callable[[Mapping[str, object]], Content] = itemgetter("updated_at", *names)
    times = [place for place, name in enumerate(names, 1) if isinstance(target.table.columns[name].type, CompactTime)]
    found: dict[int, tuple[object, Content]] = {}
    for row in rows:
        values = list(values_of(row))
        for place in (0, *times):
            value = values[place]
            if isinstance(value, datetime):
                values[place] = stored_time(value, dialect)
        found[row["id"]] = (values[0], tuple(values[1:]))
    return found


@cache
def select_range(target: MirrorList, dialect: str) -> AnySelect:
    """A SELECT of ``StoredVersion`` values with an id above ``:above`` and up to ``:up_to``; see ``select_among``."""
    ids = target.table.c.id
    return _select(target, dialect).where(ids > bindparam("above"), ids <= bindparam("up_to"))


@cache
def select_among(target: MirrorList, dialect: str) -> AnySelect:
    """The same with the ids ``:ids``. Both select versions of ``:mirror`` that were not closed at ``:base``.

    The values are id, ``from_sync``, ``to_sync``, ``is_stub``, ``is_suppressed``, ``updated_at``, and the content.
    """
    return _select(target, dialect).where(among(target.table.c.id, "ids"))


def _select(target: MirrorList, dialect: str) -> AnySelect:
    names = ("id", "from_sync", "to_sync", "is_stub", "is_suppressed", "updated_at", *content_names(target))
    columns = target.table.columns
    values = (type_coerce(columns[name], _stored_type(columns[name].type, dialect)) for name in names)
    condition = target.of(bindparam("mirror", type_=BigInteger))
    return select(*values).where(condition, columns["to_sync"] > bindparam("base"))


async def insert_versions(
    connection: AsyncConnection,
    draft: Draft,
    target: MirrorList,
    rows: Mapping[int, tuple[object, Content]],
    stubs: Sequence[int],
    suppressed: Mapping[int, Content],
) -> None:
    """Insert rows, stubs with these ids, and stubs of erased persons, as versions of the draft."""
    contents = content_names(target)
    names = ("mirror", "from_sync", "to_sync", *(() if target.kind is None else ("kind",)))
    names += ("id", "is_stub", "is_suppressed", "updated_at", *contents)
    same = (draft.mirror, draft.sync, CURRENT, *(() if target.kind is None else (target.kind,)))
    values = [(*same, row_id, False, False, updated_at, *content) for row_id, (updated_at, content) in rows.items()]
    values += [(*same, row_id, True, False, None, *[None] * len(contents)) for row_id in stubs]
    values += [(*same, row_id, True, True, None, *content) for row_id, content in suppressed.items()]
    if not values:
        return
    if connection.dialect.name == "postgresql":
        objects = orjson.dumps([dict(zip(names, one, strict=True)) for one in values]).decode()
        await connection.execute(_insert_from_json(target, names), {"rows": objects})
    else:  # SQLAlchemy's preparation of each row takes longer than its INSERT
        places = ", ".join("?" * len(names))
        statement = f"INSERT INTO {target.table.name} ({', '.join(names)}) VALUES ({places})"  # noqa: S608
        await connection.exec_driver_sql(statement, values)


async def touch_versions(
    connection: AsyncConnection, draft: Draft, target: MirrorList, times: Mapping[int, object]
) -> None:
    """Overwrite ``updated_at`` of the rows with these ids, whose content is the same."""
    if not times:
        return
    values = [{"row_id": row_id, "moment": moment} for row_id, moment in times.items()]
    if connection.dialect.name == "postgresql":
        statement = _touch_from_json(target).where(target.in_draft(draft))
        await connection.execute(statement, {"rows": orjson.dumps(values).decode()})
    else:
        await connection.execute(_touch(target).where(target.in_draft(draft)), values)


@cache
def _insert_from_json(target: MirrorList, names: tuple[str, ...]) -> Insert:
    columns = target.table.columns
    rows = given_rows([Column(name, _stored_type(columns[name].type, "postgresql")) for name in names])
    return insert(target.table).from_select(list(names), select(*(rows.c[name] for name in names)))


@cache
def _touch(target: MirrorList) -> Update:
    table = target.table
    moment = bindparam("moment", type_=_stored_type(table.c.updated_at.type, "sqlite"))
    return update(table).values(updated_at=moment).where(table.c.id == bindparam("row_id"))


@cache
def _touch_from_json(target: MirrorList) -> Update:
    table = target.table
    rows = given_rows(
        [Column("row_id", BigInteger), Column("moment", _stored_type(table.c.updated_at.type, "postgresql"))]
    )
    return update(table).values(updated_at=rows.c.moment).where(table.c.id == rows.c.row_id)


def given_rows(columns: Sequence[AnyColumn]) -> TableValuedAlias:
    """Rows that are a single parameter. A page of 100 rows takes a fraction of the time of 100 statements."""
    given = cast(bindparam("rows", type_=String()), JSON)
    return func.json_to_recordset(given).table_valued(*columns, name="given").render_derived(with_types=True)
