"""The merged fields of a selection: aliases, fragments and conditions, as the executor collects them.

graphql-core's own functions for this are internal and change between its releases. These use its syntax tree only.
Source: GraphQL specification, "Field Collection".
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

from graphql import (
    BooleanValueNode,
    DirectiveNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    NamedTypeNode,
    Node,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    VariableNode,
)

Fragments = Mapping[str, FragmentDefinitionNode]
Variables = Mapping[str, object]


class Ineligible(Exception):
    """The selection has a part that only the executor handles."""


@dataclass(frozen=True, slots=True)
class Collector:
    """Collects the fields of an operation.

    Attributes:
        fragments: The fragments of the document by name.
        variables: The coerced values of the operation's variables.
        interfaces: The names of each type's interfaces.
    """

    fragments: Fragments
    variables: Variables
    interfaces: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def fields(self, type_name: str, sets: Iterable[SelectionSetNode]) -> dict[str, list[FieldNode]]:
        """The field nodes of an object type by response name, in the order of the result.

        Args:
            sets: The selection sets of all nodes of the object's field, which are merged.

        Raises:
            Ineligible: A directive other than ``@skip`` and ``@include``, an unknown fragment, or an unset variable.
        """
        collected: dict[str, list[FieldNode]] = {}
        visited: set[str] = set()
        for one in sets:
            self._collect(type_name, one, collected, visited)
        return collected

    def _collect(
        self, type_name: str, selected: SelectionSetNode, collected: dict[str, list[FieldNode]], visited: set[str]
    ) -> None:
        for node in selected.selections:
            if not self._is_included(node):
                continue
            if isinstance(node, FieldNode):
                collected.setdefault((node.alias or node.name).value, []).append(node)
            elif isinstance(node, InlineFragmentNode):
                if self._applies(node.type_condition, type_name):
                    self._collect(type_name, node.selection_set, collected, visited)
            elif isinstance(node, FragmentSpreadNode):
                name = node.name.value
                fragment = self.fragments.get(name)
                if fragment is None:
                    raise Ineligible(f"unknown fragment {name}")
                if name not in visited and self._applies(fragment.type_condition, type_name):
                    visited.add(name)
                    self._collect(type_name, fragment.selection_set, collected, visited)
            else:
                raise Ineligible(node.kind)

    def _applies(self, condition: NamedTypeNode | None, type_name: str) -> bool:
        """Whether a fragment applies to an object type: it names the type or an interface of it."""
        return condition is None or condition.name.value in {type_name, *self.interfaces.get(type_name, ())}

    def _is_included(self, node: SelectionNode) -> bool:
        is_included = True
        for directive in node.directives or ():
            condition = self._condition(directive)
            is_included = is_included and condition is (directive.name.value == "include")
        return is_included

    def _condition(self, directive: DirectiveNode) -> bool:
        value = _condition_node(directive)
        if isinstance(value, BooleanValueNode):
            return value.value
        found = self.variables.get(value.name.value) if isinstance(value, VariableNode) else None
        if not isinstance(found, bool):
            raise Ineligible("a condition without a value")
        return found


@cache
def interfaces_of(schema: GraphQLSchema) -> Mapping[str, frozenset[str]]:
    """The names of each object type's interfaces."""
    types = (one for one in schema.type_map.values() if isinstance(one, GraphQLObjectType))
    return {one.name: frozenset(interface.name for interface in one.interfaces) for one in types}


def deciding_variables(operation: OperationDefinitionNode, fragments: Fragments) -> frozenset[str]:
    """The names of the variables that decide which fields an operation selects: those of ``@skip`` and ``@include``.

    Operations that differ in other variables only, such as the id of a sync, compile to the same projection.
    """
    names: set[str] = set()
    visited: set[str] = set()
    pending: list[SelectionSetNode] = [operation.selection_set]
    while pending:
        for node in pending.pop().selections:
            for directive in node.directives or ():
                value = _argument(directive)
                if isinstance(value, VariableNode):
                    names.add(value.name.value)
            inner = getattr(node, "selection_set", None)
            if isinstance(node, FragmentSpreadNode) and node.name.value not in visited:
                visited.add(node.name.value)
                inner = getattr(fragments.get(node.name.value), "selection_set", None)
            if inner is not None:
                pending.append(inner)
    return frozenset(names)


def selection_sets(nodes: Sequence[FieldNode]) -> Iterator[SelectionSetNode]:
    """The selection sets of those nodes that select fields of an object."""
    return (node.selection_set for node in nodes if node.selection_set is not None)


def _condition_node(directive: DirectiveNode) -> Node | None:
    if directive.name.value not in {"skip", "include"}:
        raise Ineligible(f"@{directive.name.value}")
    return _argument(directive)


def _argument(directive: DirectiveNode) -> Node | None:
    return next((one.value for one in directive.arguments or () if one.name.value == "if"), None)
