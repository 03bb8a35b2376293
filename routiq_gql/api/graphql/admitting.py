"""Admits GraphQL operations: queries and mutations wait for their turn, subscriptions start within the time limit.

A Strawberry extension, since all transports pass it before the execution; ``executor.py`` applies the time limit to the
execution.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    IntValueNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    StringValueNode,
    VariableNode,
    get_operation_ast,
)
from strawberry.types.execution import PreExecutionError

from routiq_gql.api.admission import bucket_of
from routiq_gql.api.graphql.context import Context
from routiq_gql.api.graphql.limits import OperationLimits
from routiq_gql.errors import RateLimited

_NAMING_ARGUMENTS = frozenset({"organizationId", "syncId"})


class OperationAdmission(OperationLimits):
    """Checks operations, then admits them."""

    async def on_execute(self) -> AsyncIterator[None]:
        execution = self.execution_context
        context: Context = execution.context
        document = execution.graphql_document
        operation = get_operation_ast(document, execution.operation_name) if document is not None else None
        if document is None or operation is None:
            yield
            return
        asked = "" if context.reader.organization_id else named_in(document, operation, execution.variables or {})
        bucket = bucket_of(context.reader, asked)
        if operation.operation is OperationType.SUBSCRIPTION:
            execution.context = context.for_operation(bucket)
            async with context.admission.watching(bucket):
                yield
            return
        async with AsyncExitStack() as stack:
            try:
                turn = await stack.enter_async_context(context.admission.turn(bucket))
            except RateLimited as error:
                refusal = GraphQLError(error.message, original_error=error)
                execution.result = PreExecutionError(data=None, errors=[refusal])
            else:
                execution.context = context.for_operation(bucket, self.cost, turn)
            yield


def named_in(document: DocumentNode, operation: OperationDefinitionNode, variables: Mapping[str, object]) -> str:
    """The first organization or sync that the operation's fields name; empty without any."""
    fragments = {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}
    waiting: list[SelectionSetNode] = [operation.selection_set]
    seen: set[str] = set()
    while waiting:
        for node in waiting.pop().selections:
            if isinstance(node, FragmentSpreadNode):
                if node.name.value in fragments and node.name.value not in seen:
                    seen.add(node.name.value)
                    waiting.append(fragments[node.name.value].selection_set)
            elif not isinstance(node, FieldNode):
                waiting.append(node.selection_set)  # type: ignore[attr-defined]
            elif named := _named(node, variables):
                return named
    return ""


def _named(field: FieldNode, variables: Mapping[str, object]) -> str:
    for argument in field.arguments or ():
        if argument.name.value in _NAMING_ARGUMENTS:
            value = argument.value
            if isinstance(value, VariableNode):
                return str(variables.get(value.name.value, ""))
            if isinstance(value, StringValueNode | IntValueNode):
                return value.value
    return ""
