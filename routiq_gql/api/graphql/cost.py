"""The cost of an operation, computed from its document and variables before the execution.

A field with a limit argument costs its limit times the limits of the fields around it: the number of objects that it
may return. That is what an operation takes: an object needs some 80 µs to be rendered and 20 µs to be read, although a
single statement reads all of them, such as the logs of a page of syncs. A list of ids, and a list of a fixed length,
cost their length in the same way. All other fields cost nothing. Fields are merged as the executor merges them, so a
field in two fragments counts once. Selections that merge alike are measured once, however often fragments spread them.
"""

from collections.abc import Iterable, Mapping
from typing import cast

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLField,
    GraphQLIncludeDirective,
    GraphQLNamedType,
    GraphQLSchema,
    GraphQLSkipDirective,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    get_named_type,
    is_composite_type,
)
from graphql.execution.values import VariableValues, get_argument_values, get_directive_values, get_variable_values

from routiq_gql.organizations.history_pages import DEFAULT_SYNCS
from routiq_gql.paging import DEFAULT_SIZE

LIMIT_ARGUMENTS = frozenset({"limit", "first", "last"})
"""The arguments that limit the number of objects of a field, in the whole schema."""
ID_LISTS = frozenset({"ids"})
"""The arguments that name each object of a field."""

LIST_LENGTHS: Mapping[str, int] = {
    "PatientReason.appointments": 2,
    "Query.failingWebhooks": 10,
    "Query.patientLists": 9,
    "Query.webhooks": 10,
    "SyncReceipt.lists": 6,
    "SyncStatus.steps": 8,
    "WebhookDelivery.attemptLog": 15,
}
"""The lists of objects without such an argument whose length is fixed or limited, in the whole schema."""

DEFAULT_SIZES: Mapping[str, int] = {"Query.historyConnection": DEFAULT_SYNCS}
"""The pages of connections without ``first`` and ``last`` that have another length than ``DEFAULT_SIZE``."""

_Place = tuple[SelectionSetNode, GraphQLNamedType]
"""A selection set and the type that its fields belong to."""


def operation_cost(
    schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode, variables: Mapping[str, object]
) -> int:
    """The cost of a valid operation with these variables, as the client sent them.

    0 if the variables can't be used; the execution then fails before its first field.
    """
    root = schema.get_root_type(operation.operation)
    values = get_variable_values(schema, operation.variable_definitions or (), dict(variables), max_errors=1)
    if root is None or isinstance(values, list):
        return 0
    return _Measure(schema, document, values).cost([(operation.selection_set, root)])


class _Measure:
    """Measures the selection sets of an operation with its variables."""

    def __init__(self, schema: GraphQLSchema, document: DocumentNode, values: VariableValues | None) -> None:
        self._schema = schema
        self._fragments = {
            node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)
        }
        self._values = values
        self._known: dict[tuple[int, ...], int] = {}

    def cost(self, places: list[_Place]) -> int:
        """The cost of an object with the merged fields of these selection sets."""
        key = tuple(id(selections) for selections, _ in places)
        if key not in self._known:
            self._known[key] = sum(map(self._cost_of_field, self._fields(places)))
        return self._known[key]

    def _cost_of_field(self, asked: list[tuple[FieldNode, GraphQLNamedType]]) -> int:
        """The cost of the selections that become one field of the result."""
        inner: dict[int, _Place] = {}
        limits: list[int] = []
        for node, parent in asked:
            field: GraphQLField | None = self._schema.get_field(parent, node.name.value)  # type: ignore[arg-type]
            if field is None:
                continue
            place = f"{parent.name}.{node.name.value}"
            if not (LIMIT_ARGUMENTS | ID_LISTS).isdisjoint(field.args):
                limits.append(self._limit(field, node, DEFAULT_SIZES.get(place, DEFAULT_SIZE)))
            elif (length := LIST_LENGTHS.get(place)) is not None:
                limits.append(length)
            if node.selection_set is not None:
                inner[id(node.selection_set)] = (node.selection_set, get_named_type(field.type))
        limit = max(limits, default=0)
        return limit + max(limit, 1) * (self.cost(list(inner.values())) if inner else 0)

    def _limit(self, field: GraphQLField, node: FieldNode, default: int) -> int:
        try:
            given = get_argument_values(field, node, self._values)
        except GraphQLError:  # the field then fails before its resolver is called
            return 1
        if (ids := next((given[name] for name in ID_LISTS if name in field.args), None)) is not None:
            return max(1, len(ids))
        # A limit below 1, which the resolver refuses, must not lower the cost of others.
        limits: list[int] = [given[name] for name in LIMIT_ARGUMENTS if isinstance(given.get(name), int)]
        if not limits and "first" in field.args:
            return default
        return max([1, *limits])

    def _fields(self, places: Iterable[_Place]) -> Iterable[list[tuple[FieldNode, GraphQLNamedType]]]:
        """The selections, grouped by the field of the result that they become. Source: GraphQL, "CollectFields"."""
        found: dict[str, list[tuple[FieldNode, GraphQLNamedType]]] = {}
        spread: set[str] = set()
        waiting = list(reversed(list(places)))
        while waiting:
            selections, parent = waiting.pop()
            for node in selections.selections:
                if not self._is_included(node):
                    continue
                if isinstance(node, FieldNode):
                    found.setdefault((node.alias or node.name).value, []).append((node, parent))
                    continue
                if isinstance(node, FragmentSpreadNode):
                    name = node.name.value
                    if name in spread or name not in self._fragments:
                        continue
                    spread.add(name)
                    inside: FragmentDefinitionNode | InlineFragmentNode = self._fragments[name]
                else:
                    inside = cast(InlineFragmentNode, node)
                on = self._schema.get_type(inside.type_condition.name.value) if inside.type_condition else parent
                if is_composite_type(on):
                    waiting.append((inside.selection_set, on))
        return found.values()

    def _is_included(self, node: SelectionNode) -> bool:
        if not node.directives:
            return True
        try:
            skip = get_directive_values(GraphQLSkipDirective, node, self._values)
            include = get_directive_values(GraphQLIncludeDirective, node, self._values)
        except GraphQLError:
            return True
        return not (skip and skip["if"]) and not (include and not include["if"])
