"""The behaviour of Strawberry and graphql-core that projections rely on.

If an upgrade changes it, selections are no longer compiled and the executor renders every event: slower, not wrong.
These tests then say which assumption no longer holds.
"""

from graphql import (
    GraphQLBoolean,
    GraphQLEnumType,
    GraphQLFloat,
    GraphQLID,
    GraphQLInt,
    GraphQLObjectType,
    GraphQLString,
    get_named_type,
)
from strawberry.types.field import StrawberryField

from routiq_gql.api.graphql.schema import make_schema
from routiq_gql.clock import format_time

SCHEMA = make_schema()
CORE = SCHEMA._schema
SHOWN = {
    *("SyncStatus", "SyncFailure", "CompletionRange", "SyncReceipt", "ListReceipt", "Dashboard", "PatientStats"),
    *("NextSync", "Freshness", "ClinikoConnection", "ConnectionProblem", "StepTiming", "SyncActor"),
    "SyncChangeCounts",
}
RESOLVED = {"SyncStatus.log", "SyncStatus.logConnection", "SyncReceipt.unreadableRows", "Dashboard.patientStats"}
"""All fields of ``SHOWN`` with a resolver of ours."""


def _object(name: str) -> GraphQLObjectType:
    type_ = CORE.type_map[name]
    assert isinstance(type_, GraphQLObjectType)
    return type_


def test_a_field_without_a_resolver_reads_one_attribute():
    """Strawberry resolves a plain field by ``getattr`` with the field's Python name, and nothing else."""

    class Source:
        def __getattr__(self, name: str) -> str:
            return f"attribute {name}"

    others = set()
    for name in SHOWN:
        for field_name, field in _object(name).fields.items():
            definition = field.extensions["strawberry-definition"]
            assert isinstance(definition, StrawberryField)
            if f"{name}.{field_name}" in RESOLVED:
                continue
            others.add(field_name)
            assert definition.is_basic_field
            assert definition.default_resolver is getattr
            assert field.resolve is not None
            assert field.resolve.__name__ == "_get_basic_result"
            assert field.resolve(Source(), None) == f"attribute {definition.python_name}"  # type: ignore[arg-type]
    assert len(others) > 50


def test_a_field_with_a_resolver_is_not_taken_for_a_plain_one():
    """Fields that read the database have a resolver with another name."""
    for one in RESOLVED:
        type_name, name = one.split(".")
        field = _object(type_name).fields[name]
        assert field.resolve is not None
        assert field.resolve.__name__ != "_get_basic_result"
        assert not field.extensions["strawberry-definition"].is_basic_field


def test_the_types_of_shown_objects():
    """Each object has its class, which alone is checked, and their leaves are of the known scalars and enums."""
    leaves = set()
    for name in SHOWN:
        type_ = _object(name)
        assert isinstance(type_.extensions["strawberry-definition"].origin, type)
        assert {one.name for one in type_.interfaces} <= {"Node", "Problem"}
        is_type_of = type_.is_type_of
        assert (is_type_of is None) == (not type_.interfaces)
        if is_type_of is not None:  # Strawberry accepts objects of the class
            origin = type_.extensions["strawberry-definition"].origin
            assert is_type_of(origin.__new__(origin), None)  # type: ignore[arg-type]
            assert not is_type_of(object(), None)  # type: ignore[arg-type]
        for field_name, field in type_.fields.items():
            inner = get_named_type(field.type)
            if f"{name}.{field_name}" in RESOLVED:
                continue
            if isinstance(inner, GraphQLObjectType):
                assert inner.name in SHOWN
            elif isinstance(inner, GraphQLEnumType):
                members = inner.wrapped_cls  # type: ignore[attr-defined]
                assert {inner.coerce_output_value(one) for one in members} == set(inner.values)
            else:
                leaves.add(inner)
    assert leaves == {GraphQLString, GraphQLID, GraphQLInt, GraphQLFloat, GraphQLBoolean, CORE.type_map["DateTime"]}
    assert CORE.type_map["DateTime"].coerce_output_value is format_time  # type: ignore[attr-defined]


def test_the_value_of_a_root_field_is_the_event():
    """An event of a subscription is the value of its root field, and no extension changes values of fields."""
    assert CORE.subscription_type is not None
    for name in ("syncProgress", "dashboardUpdated"):
        field, event = CORE.subscription_type.fields[name], object()
        assert field.resolve is not None
        assert field.resolve(event, None, syncId="1") is event  # type: ignore[arg-type]
    assert SCHEMA._get_middleware_manager(SCHEMA.get_extensions()).middlewares == ()
    assert {one.name for one in CORE.directives} >= {"skip", "include"}
    assert not {one.name for one in CORE.directives} & {"defer", "stream"}
