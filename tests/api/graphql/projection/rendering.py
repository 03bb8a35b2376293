"""An operation with two ways to render an event: a projection, and the executor with the endpoint's JSON."""

from collections.abc import Mapping
from typing import Any

from graphql import (
    DocumentNode,
    ExecutionResult,
    FragmentDefinitionNode,
    GraphQLSchema,
    OperationDefinitionNode,
    parse,
    validate,
)
from graphql.execution import Executor, execute_root_selection_set
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from routiq_gql.api.graphql.projection import Projection, compile_selection
from routiq_gql.api.graphql.view import GraphQLEndpoint


class Operation:
    """The only operation of a valid document.

    Attributes:
        projection: Its projection; ``None`` if only the executor can render it.
    """

    def __init__(self, schema: GraphQLSchema, text: str, variables: Mapping[str, Any] | None = None) -> None:
        document = parse(text)
        assert validate(schema, document) == []
        executor = StrawberryGraphQLCoreExecutionContext.build(
            schema, document, raw_variable_values=dict(variables or {})
        )
        assert isinstance(executor, Executor), executor
        self._executor = executor
        self.node, self.fragments = _parts(document)
        self.projection: Projection | None = compile_selection(
            schema, self.node, self.fragments, executor.variable_values.coerced
        )

    def executed(self, value: object) -> ExecutionResult:
        """The executor's result for the event ``value`` of a subscription."""
        result = execute_root_selection_set(self._executor.build_per_event_executor(value))
        assert isinstance(result, ExecutionResult)
        return result


def encoded(result: ExecutionResult) -> bytes:
    """The result in the endpoint's JSON."""
    text = object.__new__(GraphQLEndpoint).encode_json({"data": result.data})
    return text if isinstance(text, bytes) else text.encode()


def _parts(document: DocumentNode) -> tuple[OperationDefinitionNode, dict[str, FragmentDefinitionNode]]:
    definitions = document.definitions
    (operation,) = [one for one in definitions if isinstance(one, OperationDefinitionNode)]
    return operation, {one.name.value: one for one in definitions if isinstance(one, FragmentDefinitionNode)}
