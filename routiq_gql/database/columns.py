"""Column types that both databases store alike, and expressions that both compute alike."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Self, TypeAlias, TypeVar

import orjson
from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    ColumnElement,
    DateTime,
    Dialect,
    Float,
    Integer,
    Select,
    Text,
    bindparam,
    cast,
    column,
    func,
    literal,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator, TypeEngine

_T = TypeVar("_T")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


AnyColumn: TypeAlias = ColumnElement[Any]
"""A column or expression of any type."""
AnySelect: TypeAlias = Select[*tuple[Any, ...]]
"""A SELECT of any columns."""


class UtcDateTime(TypeDecorator[datetime]):
    """A UTC time with a time zone. Refuses naive values, whose moment would depend on the machine."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("A time without a time zone cannot be stored.")
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class CompactTime(TypeDecorator[datetime]):
    """A UTC time with a time zone, cut to milliseconds. SQLite stores it as a number, which is smaller than a text."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(BigInteger() if dialect.name == "sqlite" else DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | int | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("A time without a time zone cannot be stored.")
        milliseconds = (value - _EPOCH) // timedelta(milliseconds=1)
        return milliseconds if dialect.name == "sqlite" else _EPOCH + timedelta(milliseconds=milliseconds)

    def process_result_value(self, value: datetime | int | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.astimezone(UTC) if isinstance(value, datetime) else _EPOCH + timedelta(milliseconds=value)


class milliseconds_between(FunctionElement[float]):  # noqa: N801 - named like the SQL functions that it stands for
    """An SQL expression: the exact milliseconds from its first argument, a time, to its second.

    0 if the second time is earlier, since the clock may have been set back in between.
    """

    type = Float()
    inherit_cache = True


@compiles(milliseconds_between, "sqlite")
def _on_sqlite(element: milliseconds_between, compiler: SQLCompiler, **options: object) -> str:
    start, end = (compiler.process(one, **options) for one in element.clauses)
    return f"max(0, round((julianday({end}) - julianday({start})) * 86400000))"  # days, to less than a millisecond


@compiles(milliseconds_between, "postgresql")
def _on_postgresql(element: milliseconds_between, compiler: SQLCompiler, **options: object) -> str:
    start, end = (compiler.process(one, **options) for one in element.clauses)
    return f"greatest(0, extract(epoch FROM {end} - {start}) * 1000)"


class _Numbers(TypeDecorator[list[int]]):
    """A list of integers as a single text parameter."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: list[int] | None, dialect: Dialect) -> str:
        numbers = orjson.dumps(value or []).decode()
        return numbers if dialect.name == "sqlite" else "{" + numbers[1:-1] + "}"


class among(FunctionElement[bool]):  # noqa: N801
    """An SQL condition: the column holds one of these integers. Its text is the same for any number of them."""

    type = Boolean()
    inherit_cache = True

    def __init__(self, column: ColumnElement[_T], numbers: Iterable[int] | str) -> None:
        """Takes the numbers, or the name of the parameter that holds a list of them."""
        if isinstance(numbers, str):
            given = bindparam(numbers, type_=_Numbers())
        else:
            given = bindparam(None, list(numbers), _Numbers(), unique=True)
        super().__init__(column, given)

    def self_group(self, against: object = None) -> Self:
        """Without the comparison ``= 1`` that SQLAlchemy adds for SQLite, which then uses no index."""
        return self


@compiles(among, "sqlite")
def _among_on_sqlite(element: among, compiler: SQLCompiler, **options: object) -> str:
    column, numbers = (compiler.process(one, **options) for one in element.clauses)
    return f"({column} IN (SELECT value FROM json_each({numbers})))"  # noqa: S608


@compiles(among, "postgresql")
def _among_on_postgresql(element: among, compiler: SQLCompiler, **options: object) -> str:
    column, numbers = (compiler.process(one, **options) for one in element.clauses)
    # The subquery is evaluated once. The cast of a text is not constant, and a scan would repeat it for every row.
    return f"({column} = ANY (CAST((SELECT CAST({numbers} AS BIGINT[])) AS BIGINT[])))"


def each_text(dialect: str, name: str) -> ColumnElement[str]:
    """An SQL expression: each text of a list, whose JSON is the parameter ``name``. Select from it as from a table."""
    given = bindparam(name, type_=Text)
    one_each = func.json_each(given) if dialect == "sqlite" else func.json_array_elements_text(cast(given, JSON))
    texts: ColumnElement[str] = one_each.table_valued(column("value", Text)).c.value
    return texts


class unindexed(FunctionElement[Any]):  # noqa: N801 - named like an SQL function
    """An SQL expression: a column that SQLite may not use to select an index.

    Without statistics it would often select rows by an index on a column that nearly all rows match. PostgreSQL
    decides by itself.
    """

    inherit_cache = True

    def __init__(self, column: AnyColumn) -> None:
        self.type = column.type
        super().__init__(column)


@compiles(unindexed, "sqlite")
def _unindexed_on_sqlite(element: unindexed, compiler: SQLCompiler, **options: object) -> str:
    return f"+{compiler.process(element.clauses, **options)}"  # https://sqlite.org/optoverview.html: unary "+"


@compiles(unindexed, "postgresql")
def _unindexed_on_postgresql(element: unindexed, compiler: SQLCompiler, **options: object) -> str:
    return compiler.process(element.clauses, **options)


class milliseconds_of(FunctionElement[int]):  # noqa: N801 - named like an SQL function
    """An SQL expression: a ``CompactTime`` in whole milliseconds since 1970."""

    type = BigInteger()
    inherit_cache = True

    def __init__(self, time: ColumnElement[datetime | None]) -> None:
        super().__init__(time)


@compiles(milliseconds_of, "sqlite")
def _milliseconds_on_sqlite(element: milliseconds_of, compiler: SQLCompiler, **options: object) -> str:
    return compiler.process(element.clauses, **options)


@compiles(milliseconds_of, "postgresql")
def _milliseconds_on_postgresql(element: milliseconds_of, compiler: SQLCompiler, **options: object) -> str:
    return f"CAST(extract(epoch FROM {compiler.process(element.clauses, **options)}) * 1000 AS BIGINT)"  # exact


class time_of(FunctionElement[datetime]):  # noqa: N801 - named like an SQL function
    """An SQL expression: the ``CompactTime`` of whole milliseconds since 1970."""

    type = CompactTime()
    inherit_cache = True

    def __init__(self, milliseconds: AnyColumn) -> None:
        super().__init__(milliseconds)


@compiles(time_of, "sqlite")
def _time_on_sqlite(element: time_of, compiler: SQLCompiler, **options: object) -> str:
    return compiler.process(element.clauses, **options)


@compiles(time_of, "postgresql")
def _time_on_postgresql(element: time_of, compiler: SQLCompiler, **options: object) -> str:
    return f"(timestamptz 'epoch' + {compiler.process(element.clauses, **options)} * interval '1 millisecond')"


class has_text(FunctionElement[bool]):  # noqa: N801 - named like an SQL function
    """An SQL condition: its first argument, a text, contains its second, whose characters all stand for themselves."""

    type = Boolean()
    inherit_cache = True

    def self_group(self, against: object = None) -> Self:
        """Without the comparison ``= 1`` that SQLAlchemy adds for SQLite."""
        return self


@compiles(has_text, "sqlite")
def _has_text_on_sqlite(element: has_text, compiler: SQLCompiler, **options: object) -> str:
    text, part = (compiler.process(one, **options) for one in element.clauses)
    return f"(instr({text}, {part}) > 0)"


@compiles(has_text, "postgresql")
def _has_text_on_postgresql(element: has_text, compiler: SQLCompiler, **options: object) -> str:
    text, part = (compiler.process(one, **options) for one in element.clauses)
    return f"(strpos({text}, {part}) > 0)"


class new_id(FunctionElement[str]):  # noqa: N801 - named like an SQL function
    """An SQL expression: an id that can't be guessed, with a prefix, another one for each row."""

    type = Text()
    inherit_cache = True

    def __init__(self, prefix: str) -> None:
        super().__init__(literal(prefix, Text()))


@compiles(new_id, "sqlite")
def _new_id_on_sqlite(element: new_id, compiler: SQLCompiler, **options: object) -> str:
    return f"({compiler.process(element.clauses, **options)} || lower(hex(randomblob(16))))"


@compiles(new_id, "postgresql")
def _new_id_on_postgresql(element: new_id, compiler: SQLCompiler, **options: object) -> str:
    prefix = compiler.process(element.clauses, **options)
    return f"(CAST({prefix} AS TEXT) || replace(CAST(gen_random_uuid() AS TEXT), '-', ''))"


RowKey = BigInteger().with_variant(Integer, "sqlite")
"""An automatically numbered key; SQLite numbers only columns of its plain INTEGER type."""
