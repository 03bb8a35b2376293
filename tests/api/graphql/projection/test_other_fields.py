"""Fields that our subscriptions do not have yet: selections with them are not compiled, or rendered alike."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
import strawberry
from strawberry.permission import BasePermission
from strawberry.schema.config import StrawberryConfig

from tests.api.graphql.projection.rendering import Operation, encoded


class _Allowed(BasePermission):
    def has_permission(self, *_: Any, **__: Any) -> bool:
        return True


@strawberry.interface(name="Named")
class _Named:
    name: str


@strawberry.type(name="Clinic")
class _Clinic(_Named):
    city: str


@strawberry.type(name="Plan")
class _Plan:
    weeks: int


@strawberry.type(name="Event")
class _Event:
    kind: str = strawberry.field(name="type")
    tables: list[list[int | None]]
    plans: list[_Plan | None] | None
    old: str = strawberry.field(deprecation_reason="Use `type`.")
    price: Decimal
    secret: str = strawberry.field(permission_classes=[_Allowed])
    clinic: _Clinic
    named: _Named
    either: _Clinic | _Plan

    @strawberry.field
    def shout(self) -> str:
        return self.kind.upper()


@strawberry.type
class _Query:
    name: str


@strawberry.type
class _Subscription:
    @strawberry.subscription
    async def events(self) -> AsyncGenerator[_Event, None]:
        yield EVENT


CLINIC = _Clinic(name="Øst", city="Perth")
EVENT = _Event(
    kind="sync",
    tables=[[1, None], [], [3]],
    plans=[_Plan(weeks=2), None],
    old="sync",
    price=Decimal("1.50"),
    secret="s",
    clinic=CLINIC,
    named=CLINIC,
    either=CLINIC,
)
SCHEMA = strawberry.Schema(_Query, subscription=_Subscription)._schema


@dataclass
class _Reader:
    """A default resolver of another kind."""

    def __call__(self, source: object, name: str) -> object:
        return getattr(source, name)


def test_kinds_of_plain_fields_are_rendered_alike():
    """A renamed or deprecated field, lists with gaps, and objects with interfaces are rendered the quick way."""
    operation = Operation(
        SCHEMA, "subscription { events { type tables plans { weeks } old clinic { city ... on Named { name } } } }"
    )
    assert operation.projection is not None
    assert operation.projection(EVENT) == encoded(operation.executed(EVENT))
    assert b'"type":"sync","tables":[[1,null],[],[3]],"plans":[{"weeks":2},null]' in operation.projection(EVENT)


@pytest.mark.parametrize(
    "part",
    ["shout", "secret", "price", "named { name }", "either { ... on Plan { weeks } }"],
)
def test_other_kinds_of_fields_are_left_to_the_executor(part: str):
    """Computed and protected fields, unknown scalars, interfaces and unions stay with the ordinary way."""
    operation = Operation(SCHEMA, f"subscription {{ events {{ type {part} }} }}")
    assert operation.projection is None
    assert operation.executed(EVENT).errors is None


def test_another_default_resolver_is_left_to_the_executor():
    """If plain fields were read in another way than as attributes, nothing would be compiled."""
    other = strawberry.Schema(
        _Query, subscription=_Subscription, config=StrawberryConfig(default_resolver=_Reader())
    )._schema
    try:
        assert Operation(other, "subscription { events { type } }").projection is None
    finally:
        strawberry.Schema(_Query, subscription=_Subscription)  # the fields keep the resolver of the newest schema
