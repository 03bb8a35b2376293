"""Reads the query of a list (``q[]``, ``sort``, ``order``, ``page``, ``per_page``) as documented by Cliniko.

The server calls ``read_query`` with a client's parameters and responds to ``BadQuery`` with 400. A filter on a
column that hides rows takes the place of the default that leaves them out; the documentation says so of
``*`` only, and is silent on the others. ``matching`` finds the rows.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from routiq_gql.emulator.resources import Column, Kind, ListPath, Resource

NONE = -(2**63)
"""Stands for "no value" in a column of integers; no id and no time is as small."""

DEFAULT_PER_PAGE = 50
MOST_PER_PAGE = 100
NOT_SEARCHABLE = "This column is not searchable."

FILTER = re.compile(r"([a-z_]+):(>=|<=|!=|!\?|~~|>|<|=|~|\?|\*)(.*)", re.DOTALL)
"""A ``q[]``: field, operator, value."""

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_NUMBER = re.compile(r"-?\d{1,19}")  # as many digits as an int64
_OPERATORS = {
    Kind.TIME: {">=", ">", "<=", "<", "?", "!?", "*"},
    Kind.NUMBER: {"=", "!=", ">", ">=", "<", "<=", "?", "!?"},
    Kind.TEXT: {"=", "!=", "~", "~~", "?", "!?"},
    Kind.FLAG: set[str](),
}


class BadQuery(Exception):
    """The query is malformed; the text is that of Cliniko's ``message``."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One ``q[]``. ``operand`` is the seconds of a time, a number, a list of numbers, or a text."""

    column: str
    operator: str
    operand: int | tuple[int, ...] | str | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """One column of ``sort``."""

    column: str
    descending: bool = False


@dataclass(frozen=True, slots=True)
class ListQuery:
    """The query of a request. ``conditions`` includes the default that hides rows."""

    conditions: tuple[Condition, ...]
    order: tuple[Order, ...]
    page: int
    per_page: int


def read_query(path: ListPath, parameters: Sequence[tuple[str, str]], *, also_hiding: Iterable[str] = ()) -> ListQuery:
    """The query of a list in ``parameters`` (decoded name and value, repeated for lists).

    Args:
        path: The list.
        parameters: The parameters of the request.
        also_hiding: Columns that hide rows beside those of the list; columns that it doesn't have are ignored.

    Raises:
        BadQuery: A column can't be searched, or a value is not of the documented form.
    """
    resource = path.resource
    conditions = [read_condition(resource, value) for name, value in parameters if name == "q[]"]
    named = {condition.column for condition in conditions}
    hiding = dict.fromkeys((*resource.hiding, *(name for name in also_hiding if name in resource.columns)))
    hidden = [Condition(column, "!?") for column in hiding if column not in named]
    fixed = [Condition(column, "=", value) for column, value in path.fixed.items()]
    last = dict(parameters)
    return ListQuery(
        conditions=tuple(condition for condition in (*fixed, *conditions, *hidden) if condition.operator != "*"),
        order=_read_order(resource, last.get("sort", "created_at"), last.get("order", "asc")),
        page=_read_positive("page", last.get("page", "1")),
        per_page=min(_read_positive("per_page", last.get("per_page", str(DEFAULT_PER_PAGE))), MOST_PER_PAGE),
    )


def read_condition(resource: Resource, text: str) -> Condition:
    """The condition of a ``FIELD:OPERATORVALUE``.

    Raises:
        BadQuery: As for ``read_query``.
    """
    match = FILTER.fullmatch(text)
    if match is None:
        raise BadQuery("The filter is not of the form FIELD:OPERATORVALUE.")
    name, operator, value = match.groups()
    column = resource.columns.get(name)
    if column is None or not column.searchable:
        raise BadQuery(NOT_SEARCHABLE)
    if operator not in _OPERATORS[column.kind]:
        raise BadQuery(f"The operator {operator} does not apply to {name}.")
    return Condition(name, operator, _read_operand(column, operator, value))


def seconds_of(moment: datetime) -> int:
    """``moment`` as stored in a column of times: whole seconds since 1970, UTC."""
    return int(moment.timestamp())


def text_of_seconds(seconds: int) -> str:
    """The form of a time on Cliniko's wire, ``2016-07-21T03:45:00Z``."""
    return f"{datetime.fromtimestamp(seconds, UTC).isoformat()[:19]}Z"


def _read_operand(column: Column, operator: str, value: str) -> int | tuple[int, ...] | str | None:
    if operator in {"?", "!?", "*"}:
        if value:
            raise BadQuery(f"The operator {operator} takes no value.")
        return None
    if column.kind is Kind.TEXT:
        return value
    if column.kind is Kind.TIME:
        return _read_time(column, value)
    numbers = value.split(",")
    if not all(_NUMBER.fullmatch(number) for number in numbers):
        raise BadQuery(f"The value of {column.name} must be a whole number.")
    if operator == "=":
        return tuple(int(number) for number in numbers)
    if len(numbers) > 1:
        raise BadQuery(f"The operator {operator} takes one number.")
    return int(value)


def _read_time(column: Column, value: str) -> int:
    try:
        if _TIME.fullmatch(value):
            return seconds_of(datetime.fromisoformat(value))
    except ValueError:
        pass
    raise BadQuery(f"The value of {column.name} must be a time such as 2016-07-21T03:45:00Z.")


def _read_order(resource: Resource, sort: str, direction: str) -> tuple[Order, ...]:
    if direction not in {"asc", "desc"}:
        raise BadQuery("The order must be asc or desc.")
    order = []
    for part in sort.split(","):
        name, _, own = part.partition(":")
        if name not in resource.columns or own not in {"", "asc", "desc"}:
            raise BadQuery("This column is not sortable.")
        order.append(Order(name, (own or direction) == "desc"))
    return tuple(order)


def _read_positive(name: str, value: str) -> int:
    if not re.fullmatch(r"[1-9]\d{0,8}", value):
        raise BadQuery(f"{name} must be a whole number from 1.")
    return int(value)
