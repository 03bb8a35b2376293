"""Limits on the size of an operation, checked before its execution; parsed documents are remembered.

Strawberry's limiters for depth and aliases visit a fragment each time it is spread, so that eighty small fragments keep
them busy for ever. A spread of an unknown fragment breaks them. Here every fragment is measured once. The parser stops
at the token limit, and graphql-core limits nested introspection.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLSyntaxError,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    get_operation_ast,
)
from strawberry.extensions import ParserCache, ValidationCache

from routiq_gql.api.graphql.cost import operation_cost
from routiq_gql.api.graphql.documents import DOCUMENTS
from routiq_gql.api.graphql.literals import too_long_a_number

MAX_QUERY_CHARACTERS = 65_536
"""Characters of a document; a longer text of 1,000 tokens has comments, commas or a long string."""
TOO_LONG_A_DOCUMENT = f"A GraphQL document may have at most {MAX_QUERY_CHARACTERS:,} characters. Send a shorter one."
MAX_TOKENS = 1_000
MAX_DEPTH = 12
"""The deepest useful operation of our schema has five levels; introspection has a separate limit."""
MAX_ALIASES = 50
MAX_ROOT_FIELDS = 20
MAX_DIRECTIVES = 50

DEFAULT_MAX_COST = 1_600
"""A page of a hundred syncs with the steps and the lists of each costs 1,500, and has to be allowed."""


class OperationLimits(ParserCache, ValidationCache):
    """Parses and validates within the limits; a recent document is not parsed or validated again.

    The cost is computed each time, since it depends on variables.

    Attributes:
        cost: The cost of the operation, once it is validated.
    """

    def __init__(self, *, max_cost: int = DEFAULT_MAX_COST) -> None:
        super().__init__()
        self._max_cost = max_cost
        self.cost = 0
        self.cached_parse_document = DOCUMENTS.parse
        self.cached_validate_document = DOCUMENTS.validate

    def on_operation(self) -> Iterator[None]:
        self.execution_context.parse_options["max_tokens"] = MAX_TOKENS
        yield

    def on_parse(self) -> Iterator[None]:
        context = self.execution_context
        with suppress(GraphQLSyntaxError):  # Strawberry then parses the text again, and responds with the error
            context.graphql_document = self.cached_parse_document(context.query, **context.parse_options)
        yield

    def on_validate(self) -> Iterator[None]:
        context, excess = self.execution_context, None
        document = context.graphql_document
        try:
            if document is not None:
                # Its public property falls back to the first operation.
                has_name = context._provided_operation_name is not None
                excess = (
                    too_long_a_number(document) or _excess_of(document) or (None if has_name else _doubt_of(document))
                )
        except RecursionError:  # a chain of fragments, each one level deeper
            excess = f"The operation has too many levels to count; at most {MAX_DEPTH} are allowed."
        if excess is None:
            context.pre_execution_errors = self.cached_validate_document(
                context.schema._schema, document, context.validation_rules
            )
            if document is not None and not context.pre_execution_errors:
                excess = self._excess_cost(document)
        if excess is not None:
            context.pre_execution_errors = [GraphQLError(excess)]
        yield

    def _excess_cost(self, document: DocumentNode) -> str | None:
        """A sentence if the named operation is too expensive with its variables, else ``None``."""
        context = self.execution_context
        operation = get_operation_ast(document, context.operation_name)
        if operation is None:
            return None
        self.cost = cost = operation_cost(context.schema._schema, document, operation, context.variables or {})
        if cost <= self._max_cost:
            return None
        return (
            f"The operation costs {cost:,}; at most {self._max_cost:,} is allowed. A field with a limit costs that "
            "limit times the limits of its parent fields. Request less data at a time, or set lower limits."
        )


@dataclass(frozen=True, slots=True)
class _Size:
    """The size of a selection set with all its fragments."""

    depth: int = 0
    aliases: int = 0
    directives: int = 0
    fields: int = 0
    """The size of the selection set's first level."""


class _Measure:
    """Measures selection sets, each fragment once."""

    def __init__(self, fragments: Mapping[str, FragmentDefinitionNode]) -> None:
        self._fragments = fragments
        self._known: dict[str, _Size] = {}

    def size(self, selections: SelectionSetNode | None) -> _Size:
        return _sum(map(self._one, selections.selections)) if selections is not None else _Size()

    def _one(self, node: SelectionNode) -> _Size:
        directives = len(node.directives or ())
        if isinstance(node, FragmentSpreadNode):
            inner = self._fragment(node.name.value)
            return _Size(inner.depth, inner.aliases, inner.directives + directives, inner.fields)
        inner = self.size(getattr(node, "selection_set", None))
        if isinstance(node, FieldNode):
            is_aliased = node.alias is not None
            depth = 0 if node.name.value.startswith("__") else inner.depth + 1
            return _Size(depth, inner.aliases + is_aliased, inner.directives + directives, 1)
        return _Size(inner.depth, inner.aliases, inner.directives + directives, inner.fields)

    def _fragment(self, name: str) -> _Size:
        if name not in self._known:
            self._known[name] = _Size()  # for a fragment that contains itself, which validation refuses
            definition = self._fragments.get(name)
            if definition is not None:
                self._known[name] = self.size(definition.selection_set)
        return self._known[name]


def _sum(sizes: Iterable[_Size]) -> _Size:
    depth = aliases = directives = fields = 0
    for size in sizes:
        depth = max(depth, size.depth)
        aliases += size.aliases
        directives += size.directives
        fields += size.fields
    return _Size(depth, aliases, directives, fields)


def _doubt_of(document: DocumentNode) -> str | None:
    """Asks for an operation name if the document has several. Source: GraphQL, "Executing Requests"."""
    operations = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
    if len(operations) < 2:
        return None
    return "The document has several operations. Name one of them in operationName."


def _excess_of(document: DocumentNode) -> str | None:
    """A sentence if an operation of the document exceeds a limit, else ``None``."""
    measure = _Measure(
        {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}
    )
    for operation in document.definitions:
        if not isinstance(operation, OperationDefinitionNode):
            continue
        size = measure.size(operation.selection_set)
        directives = size.directives + len(operation.directives or ())
        for number, limit, things in (
            (size.depth, MAX_DEPTH, "levels of fields"),
            (size.aliases, MAX_ALIASES, "aliases"),
            (directives, MAX_DIRECTIVES, "directives"),
            (size.fields, MAX_ROOT_FIELDS, "root fields"),
        ):
            if number > limit:
                return (
                    f"The operation has {min(number, 10**6):,} {things}; at most {limit} are allowed. Request less "
                    "data at a time."
                )
    return None
