"""The shared operations of a process: finds the operation that a request shares, or begins it.

A subscription is shared if it has one root field without directives. Everything else is for the ordinary executor.
"""

import json
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    GraphQLError,
    OperationDefinitionNode,
    OperationType,
    get_operation_ast,
)
from strawberry.schema.schema import StreamResult

from routiq_gql.api.auth import Credentials, Session
from routiq_gql.api.graphql.context import Context
from routiq_gql.api.graphql.documents import DOCUMENTS
from routiq_gql.api.graphql.limits import MAX_TOKENS
from routiq_gql.api.graphql.projection import Projection, compile_selection, deciding_variables
from routiq_gql.api.graphql.schema import Schema
from routiq_gql.api.graphql.shared.logs import LogOperation
from routiq_gql.api.graphql.shared.operation import Machinery, SharedOperation
from routiq_gql.api.graphql.shared.states import StateOperation
from routiq_gql.errors import RoutiqError

SHARED_FIELDS: dict[str, type[StateOperation | LogOperation]] = {
    "syncProgress": StateOperation,
    "dashboardUpdated": StateOperation,
    "syncLog": LogOperation,
}
"""The kinds of operations by their root field."""
AnyOperation = SharedOperation[Any]
MOST_COMPILED = 100
"""Compiled selections that are kept, for operations that differ in other variables only."""


@dataclass(frozen=True, slots=True)
class SharedRequest:
    """Equal for requests that may share an operation.

    Attributes:
        variables: As JSON with sorted names.
        visibility: The parts of the viewer that decide the result; see ``Viewer.visibility``.
    """

    document: str
    operation_name: str | None
    variables: str
    visibility: Hashable

    @property
    def variable_values(self) -> dict[str, object]:
        """The variables as the client sent them."""
        return dict(json.loads(self.variables))


class SharedOperations:
    """All shared operations of a process."""

    def __init__(self, schema: Schema, encode: Callable[[object], str | bytes]) -> None:
        self._schema = schema
        self._encode = encode
        self._open: dict[SharedRequest, AnyOperation] = {}
        self._compiled = lru_cache(MOST_COMPILED)(self._compile)

    def __len__(self) -> int:
        return len(self._open)

    def operation_of(
        self, context: Context, document: str, operation_name: str | None, variables: Mapping[str, object] | None
    ) -> AnyOperation | None:
        """The operation that a request shares. Join it at once, as an operation without subscribers never closes.

        Returns:
            ``None`` if the request can't be shared, or is refused: the ordinary executor then answers.
        """
        try:
            viewer = context.viewer
        except RoutiqError:
            return None
        name = operation_name or None
        request = SharedRequest(document, name, json.dumps(variables or {}, sort_keys=True), viewer.visibility)
        operation = self._open.get(request)
        if operation is None:
            parsed = _parsed(document)
            kind = SHARED_FIELDS.get(_only_field(parsed, name)) if parsed is not None else None
            if parsed is None or kind is None:
                return None
            # The operation outlives the first subscriber's session; each socket and stream ends with its own.
            context = replace(context, session=Session(Credentials(viewer)))
            operation = kind(context, self._machinery(request, parsed), lambda: self._close(request))
            self._open[request] = operation
        return operation

    def _close(self, request: SharedRequest) -> None:
        del self._open[request]

    def _machinery(self, request: SharedRequest, document: DocumentNode) -> Machinery:
        fragments = _fragments(document)

        values = request.variable_values

        async def execute(context: Context) -> StreamResult:
            return await self._schema.stream(
                request.document,
                variable_values=values,
                context_value=context,
                operation_name=request.operation_name,
            )

        def compiled(operation: OperationDefinitionNode, variables: Mapping[str, object]) -> Projection | None:
            deciding = tuple((name, variables[name]) for name in sorted(deciding_variables(operation, fragments)))
            return self._compiled(request.document, request.operation_name, deciding)

        operation = get_operation_ast(document, request.operation_name)
        name = operation.name.value if operation is not None and operation.name is not None else None
        return Machinery(request.document, values, execute, compiled, self._encode, name)

    def _compile(
        self, document: str, operation_name: str | None, variables: tuple[tuple[str, object], ...]
    ) -> Projection | None:
        parsed = DOCUMENTS.parse(document, max_tokens=MAX_TOKENS)
        operation = get_operation_ast(parsed, operation_name)
        if operation is None:
            return None
        return compile_selection(self._schema._schema, operation, _fragments(parsed), dict(variables))


def _fragments(document: DocumentNode) -> dict[str, FragmentDefinitionNode]:
    return {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}


def _parsed(document: str) -> DocumentNode | None:
    try:
        return DOCUMENTS.parse(document, max_tokens=MAX_TOKENS)
    except (GraphQLError, RecursionError):
        return None


def _only_field(document: DocumentNode, operation_name: str | None) -> str:
    """The only root field of a subscription; empty for any other operation."""
    operation = get_operation_ast(document, operation_name)
    if operation is None or operation.operation is not OperationType.SUBSCRIPTION:
        return ""
    selections = operation.selection_set.selections
    is_single = len(selections) == 1 and not selections[0].directives
    return selections[0].name.value if is_single and isinstance(selections[0], FieldNode) else ""
