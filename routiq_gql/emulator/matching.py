"""Decides which values fulfil a condition of a query: one value at a time, a whole column at once, or a range of ids.

``table`` uses the first as a row changes, and the second for a query that is new. A column of 200,000 values takes
about ten milliseconds.
"""

import re
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable

from routiq_gql.emulator.filters import NONE, Condition


def places_of(condition: Condition, column: "array[int]", places: list[int] | None = None) -> list[int]:
    """The places in ``column``, all or those of ``places``, whose values fulfil ``condition``, in their order."""
    pairs: Iterable[tuple[int, int]]
    pairs = enumerate(column) if places is None else zip(places, map(column.__getitem__, places), strict=True)
    operator, operand = condition.operator, condition.operand
    # The frequent ones are inlined: a call for each value takes three times as long.
    if operator == "!?":
        return [place for place, value in pairs if value == NONE]
    if isinstance(operand, tuple):
        allowed = frozenset(operand)
        return [place for place, value in pairs if value in allowed]
    if operator == ">=" and isinstance(operand, int):
        return [place for place, value in pairs if value >= operand]
    if operator == "<=" and isinstance(operand, int):
        return [place for place, value in pairs if NONE < value <= operand]
    test = condition_test(condition)
    return [place for place, value in pairs if test(value)]


def range_of(ids: "array[int]", conditions: Iterable[Condition]) -> tuple[int, int]:
    """Where the ids that fulfil all ``conditions``, bounds on ``id``, begin and end in ``ids``, which is ascending."""
    low, high = 0, len(ids)
    for condition in conditions:
        bound = condition.operand
        if not isinstance(bound, int):
            raise TypeError(f"{condition} is not a bound.")
        match condition.operator:
            case ">":
                low = max(low, bisect_right(ids, bound))
            case ">=":
                low = max(low, bisect_left(ids, bound))
            case "<":
                high = min(high, bisect_left(ids, bound))
            case _:
                high = min(high, bisect_right(ids, bound))
    return low, max(low, high)


def condition_test(condition: Condition) -> Callable[[int], bool]:
    """Whether a value of an integer column (``NONE`` for no value) fulfils ``condition``."""
    operator, operand = condition.operator, condition.operand
    if operator == "?":
        return lambda value: value != NONE
    if operator == "!?":
        return lambda value: value == NONE
    if isinstance(operand, tuple):
        allowed = frozenset(operand)
        return lambda value: value in allowed
    if not isinstance(operand, int):
        raise TypeError(f"{condition} is not a condition on a number.")
    return _comparison(operator, operand)


def text_test(condition: Condition) -> Callable[[str | None], bool]:
    """Whether a text fulfils ``condition``. Case matters to ``=`` only, as in a database's LIKE."""
    operand = str(condition.operand)
    if condition.operator == "?":
        return lambda value: bool(value)
    if condition.operator == "!?":
        return lambda value: not value
    if condition.operator == "=":
        return lambda value: value == operand
    if condition.operator == "!=":
        return lambda value: value != operand
    if condition.operator == "~":
        folded = operand.casefold()
        return lambda value: value is not None and folded in value.casefold()
    pattern = re.compile(".*".join(re.escape(part) for part in operand.split("%")), re.IGNORECASE | re.DOTALL)
    return lambda value: value is not None and pattern.fullmatch(value) is not None


def _comparison(operator: str, operand: int) -> Callable[[int], bool]:
    match operator:
        case ">":
            return lambda value: value > operand
        case ">=":
            return lambda value: value >= operand
        case "<":
            return lambda value: NONE < value < operand
        case "<=":
            return lambda value: NONE < value <= operand
        case "!=":
            return lambda value: value != operand
        case _:
            return lambda value: value == operand
