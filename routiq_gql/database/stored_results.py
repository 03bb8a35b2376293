"""Results of the analysis as versions: reads those of some patients, and writes what differs from the draft's base.

For both tables of results, in the values that the driver stores, and times in whole milliseconds; see
``stored_versions``. A slice of the analysis that is repeated writes the same again: each result is compared with the
version that was visible at the base, and a version of an earlier run is replaced or removed.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, TypeAlias

import orjson
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Insert,
    Table,
    Text,
    and_,
    bindparam,
    delete,
    insert,
    select,
    type_coerce,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.database.columns import AnyColumn, AnySelect, CompactTime, among, milliseconds_of, time_of, unindexed
from routiq_gql.database.drafts import Draft
from routiq_gql.database.patient_bookings import PatientRange, of_patients, parameters_of
from routiq_gql.database.stored_versions import given_rows
from routiq_gql.database.tables import CURRENT

Key: TypeAlias = tuple[int, ...]
"""The id of a patient; in a list, the number of the list and the id."""
Content: TypeAlias = tuple[object, ...]
"""The values of ``content_names``, in their order."""

_NOT_CONTENT = ("mirror", "from_sync", "to_sync")


@dataclass(slots=True)
class StoredResult:
    """The versions of a result: the base's, if there is one, and the draft's."""

    base: Content | None = None
    is_base_open: bool = False
    own: Content | None = None


@cache
def content_names(table: Table) -> tuple[str, ...]:
    """The columns of a table of results whose change makes a new version."""
    return tuple(str(one.name) for one in table.columns if one.name not in {*_NOT_CONTENT, *key_names(table)})


@cache
def key_names(table: Table) -> tuple[str, ...]:
    """The columns that name a result, without the mirror and the version; the patient's id is the last."""
    return tuple(str(one.name) for one in table.primary_key if one.name not in _NOT_CONTENT)


async def stored_results(
    connection: AsyncConnection,
    draft: Draft,
    table: Table,
    patients: PatientRange | Sequence[int],
    lists: Sequence[int] = (),
) -> dict[Key, StoredResult]:
    """The stored results of these patients at the draft's base and in the draft.

    Args:
        lists: The numbers of all lists, for a table that has a row for each list.
    """
    query = _select(table, tuple(lists), by_ids=not isinstance(patients, tuple))
    values = {"mirror": draft.mirror, "base": draft.base, **parameters_of(patients)}
    size = len(key_names(table))
    found: dict[Key, StoredResult] = {}
    for row in await connection.execute(query, values):
        key = tuple(row[2 : 2 + size])
        result = found.get(key)
        if result is None:
            result = found[key] = StoredResult()
        if row[0] == draft.sync:
            result.own = tuple(row[2 + size :])
        else:
            result.base, result.is_base_open = tuple(row[2 + size :]), row[1] == CURRENT
    return found


@cache
def _select(table: Table, lists: tuple[int, ...], *, by_ids: bool) -> AnySelect:
    columns = table.columns
    values = [_plain(columns[name]) for name in (*key_names(table), *content_names(table))]
    query = select(columns["from_sync"], columns["to_sync"], *values).where(
        columns["mirror"] == bindparam("mirror", type_=BigInteger()),
        columns["to_sync"] > bindparam("base", type_=BigInteger()),
        of_patients(columns["id"], by_ids=by_ids),
    )
    return query.where(columns["list"].in_(lists)) if lists else query


def _plain(column: AnyColumn) -> AnyColumn:
    if isinstance(column.type, CompactTime):
        return milliseconds_of(column)
    return type_coerce(column, BigInteger()) if isinstance(column.type, Boolean) else column


@dataclass(slots=True)
class _Writes:
    removed: list[Key] = field(default_factory=list)
    closed: list[Key] = field(default_factory=list)
    reopened: list[Key] = field(default_factory=list)
    inserted: list[tuple[object, ...]] = field(default_factory=list)


async def write_results(
    connection: AsyncConnection,
    draft: Draft,
    table: Table,
    results: Mapping[Key, Content],
    stored: Mapping[Key, StoredResult],
) -> None:
    """Make the draft show exactly these results of the patients whose stored results were read."""
    writes = _Writes()
    same = (draft.mirror, draft.sync, CURRENT)
    for key, content in results.items():
        found = stored.get(key)
        if found is None:
            writes.inserted.append((*same, *key, *content))
        elif found.base == content:
            if found.own is not None:
                writes.removed.append(key)
            if not found.is_base_open:
                writes.reopened.append(key)
        elif found.own != content:
            if found.own is not None:
                writes.removed.append(key)
            if found.is_base_open:
                writes.closed.append(key)
            writes.inserted.append((*same, *key, *content))
    for key, found in stored.items():
        if key not in results:
            if found.own is not None:
                writes.removed.append(key)
            if found.is_base_open:
                writes.closed.append(key)
    await _apply(connection, draft, table, writes)


async def _apply(connection: AsyncConnection, draft: Draft, table: Table, writes: _Writes) -> None:
    columns = table.columns
    is_own = and_(columns["to_sync"] == CURRENT, unindexed(columns["from_sync"]) == draft.sync)
    of_base = unindexed(columns["from_sync"]) <= draft.base
    is_open, was_closed = and_(columns["to_sync"] == CURRENT, of_base), and_(columns["to_sync"] == draft.sync, of_base)
    for rows in _rows_of(table, draft, writes.removed):
        await connection.execute(delete(table).where(rows, is_own))
    for rows in _rows_of(table, draft, writes.closed):
        await connection.execute(update(table).where(rows, is_open).values(to_sync=draft.sync))
    for rows in _rows_of(table, draft, writes.reopened):
        await connection.execute(update(table).where(rows, was_closed).values(to_sync=CURRENT))
    if not writes.inserted:
        return
    names = ("mirror", "from_sync", "to_sync", *key_names(table), *content_names(table))
    if connection.dialect.name == "postgresql":
        objects = [dict(zip(names, one, strict=True)) for one in writes.inserted]
        await connection.execute(_insert_from_json(table, names), {"rows": orjson.dumps(objects).decode()})
    else:  # SQLAlchemy's preparation of each row takes longer than its INSERT
        places = ", ".join("?" * len(names))
        statement = f"INSERT INTO {table.name} ({', '.join(names)}) VALUES ({places})"  # noqa: S608
        await connection.exec_driver_sql(statement, writes.inserted)


def _rows_of(table: Table, draft: Draft, keys: Iterable[Key]) -> list[ColumnElement[bool]]:
    """The conditions that select these results, one for each list."""
    of_list: defaultdict[Key, list[int]] = defaultdict(list)
    for *others, patient in keys:
        of_list[tuple(others)].append(patient)
    columns, names = table.columns, key_names(table)
    return [
        and_(
            columns["mirror"] == draft.mirror,
            *(columns[name] == value for name, value in zip(names, others, strict=False)),
            among(columns["id"], patients),
        )
        for others, patients in of_list.items()
    ]


@cache
def _insert_from_json(table: Table, names: tuple[str, ...]) -> Insert:
    rows = given_rows([Column(name, _given_type(table.columns[name])) for name in names])
    values = [
        time_of(rows.c[name]) if isinstance(table.columns[name].type, CompactTime) else rows.c[name] for name in names
    ]
    return insert(table).from_select(list(names), select(*values))


def _given_type(column: AnyColumn) -> Any:
    if isinstance(column.type, CompactTime):
        return BigInteger()
    return Text() if isinstance(column.type, Text) else column.type
