"""INSERTs that replace the row which is there already, in the words of the connection's database."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Table, bindparam, cast, column, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection


def upsert(connection: AsyncConnection, table: Table) -> Any:
    """An INSERT for the connection's database that can be told what to do on conflict."""
    return _insert(table, connection.dialect.name)


async def upsert_rows(connection: AsyncConnection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows, each with a value for every column, or replace those with the same primary key."""
    if connection.dialect.name != "postgresql":
        await connection.execute(_replacing(_insert(table, "sqlite"), table), rows)
        return
    # A statement may touch no row twice.
    unique = {tuple(row[key.name] for key in table.primary_key): row for row in rows}
    arrays = {one.name: [row[one.name] for row in unique.values()] for one in table.columns}
    await connection.execute(_from_arrays(table), arrays)


def _insert(table: Table, dialect: str) -> Any:
    return (postgresql if dialect == "postgresql" else sqlite).insert(table)


def _replacing(statement: Any, table: Table) -> Any:
    changed = {one.name: statement.excluded[one.name] for one in table.columns if not one.primary_key}
    return statement.on_conflict_do_update(index_elements=[key.name for key in table.primary_key], set_=changed)


@cache
def _from_arrays(table: Table) -> Any:
    """An INSERT of any number of rows that is one short statement, with an array for each column.

    A page of 100 rows takes half the time of 100 statements, for the server as well.
    """
    arrays = (cast(bindparam(one.name, type_=_array(one)), _array(one)) for one in table.columns)
    names = [one.name for one in table.columns]
    rows = func.unnest(*arrays).table_valued(*map(column, names)).render_derived()
    insert = _insert(table, "postgresql").from_select(names, select(*(rows.c[name] for name in names)))
    return _replacing(insert, table)


def _array(one: Any) -> Any:
    return postgresql.ARRAY(one.type)
