"""JSON texts of scalars and enum values, as the executor and ``encode_json`` write them.

Each function accepts the exact Python type that the product's fields have. It leaves any other value to the executor,
which may accept it (a number for a string), or report an error.
"""

from collections.abc import Callable
from datetime import datetime
from enum import Enum
from json.encoder import encode_basestring_ascii
from math import isfinite

from graphql import (
    GRAPHQL_MAX_INT,
    GRAPHQL_MIN_INT,
    GraphQLBoolean,
    GraphQLEnumType,
    GraphQLFloat,
    GraphQLID,
    GraphQLInt,
    GraphQLLeafType,
    GraphQLScalarType,
    GraphQLString,
)

from routiq_gql.api.graphql.projection.selections import Ineligible
from routiq_gql.clock import format_time

Render = Callable[[object], str]
"""A value to its JSON in ASCII.

Raises:
    NotProjected: The value is left to the executor.
"""


class NotProjected(Exception):
    """The executor has to render this value: it would report an error, or convert a value of another type."""


def render_of(leaf: GraphQLLeafType) -> Render:
    """The function for the values of a scalar or an enum.

    Raises:
        Ineligible: The scalar is neither built in nor our ``DateTime``.
    """
    if isinstance(leaf, GraphQLEnumType):
        return _enum(leaf)
    for known, render in _BUILT_IN:
        if leaf is known:
            return render
    if leaf.coerce_output_value is format_time:
        return _time
    raise Ineligible(leaf.name)


def _string(value: object) -> str:
    if type(value) is not str:
        raise NotProjected
    return encode_basestring_ascii(value)


def _int(value: object) -> str:
    if type(value) is not int or not GRAPHQL_MIN_INT <= value <= GRAPHQL_MAX_INT:
        raise NotProjected
    return str(value)


def _float(value: object) -> str:
    if type(value) is not float or not isfinite(value):
        raise NotProjected
    return repr(value)


def _boolean(value: object) -> str:
    if value is True:
        return "true"
    if value is False:
        return "false"
    raise NotProjected


def _time(value: object) -> str:
    if type(value) is not datetime:
        raise NotProjected
    return f'"{format_time(value)}"'


def _enum(enum: GraphQLEnumType) -> Render:
    members: type[Enum] | None = getattr(enum, "wrapped_cls", None)
    if members is None:
        raise Ineligible(enum.name)
    texts = {member.name: f'"{enum.coerce_output_value(member)}"' for member in members}

    def render(value: object) -> str:
        if not isinstance(value, members):
            raise NotProjected
        return texts[value._name_]

    return render


_BUILT_IN: tuple[tuple[GraphQLScalarType, Render], ...] = (
    (GraphQLString, _string),
    (GraphQLID, _string),
    (GraphQLInt, _int),
    (GraphQLFloat, _float),
    (GraphQLBoolean, _boolean),
)
