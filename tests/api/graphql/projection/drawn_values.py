"""Random values of the product's models, made from the annotations of their fields."""

from collections.abc import Callable
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime, timedelta, timezone
from enum import Enum
from random import Random
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

from routiq_gql.connections.state import ConnectionProblem
from routiq_gql.sync.model import FailureCode, SyncStep
from routiq_gql.sync.step_times import StepEntry

TEXTS = ("Storing patient data…", "Ærø “Physio” \\ 100 %", "%s %d {0}", "", "\x7f\x00\n\ud800\U0001f600", "300 of 641")
NUMBERS = (0, 1, -1, 641, 2**31 - 1, -(2**31))
FRACTIONS = (0.0, -0.0, 0.1, 12.345, 1e16, 1e-7, 1e300, 5e-324)
ZONES = (UTC, UTC, timezone(timedelta(hours=10)), timezone(timedelta(minutes=-210)))
EDGES = (datetime(1, 1, 2), datetime(9999, 12, 30, 23, 59, 59, 999_999), datetime(999, 2, 3))  # noqa: DTZ001


def drawn(random: Random, annotation: Any) -> Any:
    """A value of an annotation: of a dataclass, an enum, a union, a homogeneous tuple, or a plain type."""
    if annotation in _LEAVES:
        return _LEAVES[annotation](random)
    if get_origin(annotation) is UnionType:
        return drawn(random, random.choice(get_args(annotation)))
    if get_origin(annotation) is tuple:
        return tuple(drawn(random, get_args(annotation)[0]) for _ in range(random.randrange(3)))
    if is_dataclass(annotation):
        hints = get_type_hints(annotation)
        return annotation(**{one.name: drawn(random, hints[one.name]) for one in fields(annotation)})  # type: ignore[operator]
    assert issubclass(annotation, Enum)
    return random.choice(list(annotation))


def _text(random: Random) -> str:
    return random.choice([*TEXTS, "".join(chr(random.randrange(0x11_0000)) for _ in range(6))])


def _time(random: Random) -> datetime:
    ordinary = datetime(2026, 1, 1) + timedelta(microseconds=random.randrange(10**15))  # noqa: DTZ001
    return random.choice([ordinary, ordinary, *EDGES]).replace(tzinfo=random.choice(ZONES))


_LEAVES: dict[Any, Callable[[Random], Any]] = {
    str: _text,
    bool: lambda random: random.random() < 0.5,
    int: lambda random: random.choice([*NUMBERS, random.randrange(10**6)]),
    float: lambda random: random.choice([*FRACTIONS, random.uniform(0, 1e5)]),
    datetime: _time,
    type(None): lambda _random: None,
    StepEntry: lambda random: StepEntry(random.choice(list(SyncStep)), _time(random), random.choice(FRACTIONS)),
    ConnectionProblem: lambda random: ConnectionProblem(random.choice(list(FailureCode)), _text(random), _text(random)),
}
