"""``LimitedExecutor``: Strawberry's execution of an operation, within the limits of its organization."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from inspect import isawaitable
from typing import cast

from graphql import ExecutionResult, GraphQLError, OperationType
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from routiq_gql.api.graphql.context import Context
from routiq_gql.api.graphql.event_memo import EventMemo
from routiq_gql.errors import TookTooLong


class LimitedExecutor(EventMemo, StrawberryGraphQLCoreExecutionContext):
    """Queries and events of subscriptions end at the time limit; mutations are executed to their end."""

    def execute_operation(self, serially: bool | None = None) -> ExecutionResult | Awaitable[ExecutionResult]:
        context: Context = self.context_value
        if self.operation.operation is OperationType.QUERY:
            return _in_time(lambda: self._execute(serially), context.admission.reading(context.bucket, context.cost))
        if self.operation.operation is OperationType.MUTATION:
            result = self._execute(serially)
            if context.turn is None or isinstance(result, ExecutionResult):
                return result
            return context.admission.to_its_end(result, context.turn)
        return self._execute_event(serially)

    def _execute(self, serially: bool | None) -> ExecutionResult | Awaitable[ExecutionResult]:
        # Never incremental: the schema has no @defer and no @stream.
        return cast(
            ExecutionResult | Awaitable[ExecutionResult],
            super().execute_operation(serially),
        )

    def _execute_event(self, serially: bool | None) -> ExecutionResult | Awaitable[ExecutionResult]:
        context: Context = self.context_value
        self.context_value = context.for_operation(context.bucket)
        result = self._execute(serially)
        if isinstance(result, ExecutionResult):
            return result
        return _in_time(lambda: result, context.admission.watching(context.bucket))


async def _in_time(
    execute: Callable[[], ExecutionResult | Awaitable[ExecutionResult]], limit: AbstractAsyncContextManager[None]
) -> ExecutionResult:
    try:
        async with limit:
            result = execute()
            return await result if isawaitable(result) else result
    except TookTooLong as error:
        return ExecutionResult(None, [GraphQLError(error.message, original_error=error)])
