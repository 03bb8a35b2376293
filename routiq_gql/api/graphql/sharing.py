"""One execution and one encoding of each event for all who subscribed with the same operation and may see the same.

Everybody keeps an own subscription, with own checks and at an own pace; shared is only what an event looks like to
those for whom it must look alike: same document, operation, variables, organization and rights. A result with errors
is kept for nobody who comes later.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from inspect import isawaitable
from typing import TYPE_CHECKING, Any, cast

from graphql import ExecutionResult, GraphQLError, OperationDefinitionNode, OperationType
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from routiq_gql.errors import TookTooLong
from routiq_gql.viewer import Viewer

if TYPE_CHECKING:
    from routiq_gql.api.graphql.context import Context

REMEMBERED_OPERATIONS = 1_000
"""Distinct subscriptions whose newest event is kept; with more of them, events are executed more than once."""


class SharedData(dict[str, Any]):
    """The ``data`` of a result that several are sent, with its JSON once somebody has encoded it."""

    encoded: str | None = None


@dataclass(slots=True)
class _Shown:
    operation: OperationDefinitionNode  # kept, so that no other one gets its number
    event: object
    result: "ExecutionResult | asyncio.Future[ExecutionResult]"


class SharedResults:
    """What the newest event of each distinct subscription looks like; one for all sockets and streams of a process."""

    def __init__(self) -> None:
        self._newest: OrderedDict[Hashable, _Shown] = OrderedDict()

    def result_of(
        self, key: Hashable, operation: OperationDefinitionNode, event: object, execute: Callable[[], Any]
    ) -> ExecutionResult | Awaitable[ExecutionResult]:
        """The result of ``event``, from ``execute`` unless an equal event was executed last under this key."""
        shown = self._newest.get(key)
        if shown is None or shown.event != event:
            result = execute()
            if isinstance(result, ExecutionResult):
                result = _shareable(result)
            else:
                # A task of its own: whoever asked first may leave before it is done.
                result = asyncio.ensure_future(_awaited(result))
            shown = self._newest[key] = _Shown(operation, event, result)
            if len(self._newest) > REMEMBERED_OPERATIONS:
                self._newest.popitem(last=False)
        self._newest.move_to_end(key)
        if isinstance(shown.result, ExecutionResult):
            if shown.result.errors:
                del self._newest[key]
            return shown.result
        return self._finished(key, shown)

    async def _finished(self, key: Hashable, shown: _Shown) -> ExecutionResult:
        has_failed = True
        try:
            result = await asyncio.shield(cast("asyncio.Future[ExecutionResult]", shown.result))
            has_failed = bool(result.errors)
        except asyncio.CancelledError:  # of this one only
            has_failed = False
            raise
        finally:
            if has_failed and self._newest.get(key) is shown:
                del self._newest[key]
        return result


class SharingExecutor(StrawberryGraphQLCoreExecutionContext):
    """Executes events of subscriptions through the context's ``SharedResults``, and everything within its limits.

    Queries and events end at the time limit; mutations are executed to their end.
    """

    def execute_operation(self, serially: bool | None = None) -> Any:
        context: Context = self.context_value
        if self.operation.operation is OperationType.QUERY:
            execute = super().execute_operation
            return _in_time(lambda: execute(serially), context.admission.reading(context.bucket, context.cost))
        if self.operation.operation is OperationType.MUTATION:
            result = super().execute_operation(serially)
            if context.turn is None or not self.is_awaitable(result):
                return result
            return context.admission.to_its_end(result, context.turn)
        key = (id(self.operation), repr(self.variable_values.coerced), _sight_of(self.context_value.viewer))
        results = context.shared_results
        return results.result_of(key, self.operation, self.root_value, lambda: self._execute_event(serially))

    def _execute_event(self, serially: bool | None) -> Any:
        context: Context = self.context_value
        self.context_value = context.for_operation(context.bucket)
        result = super().execute_operation(serially)
        if not self.is_awaitable(result):
            return result
        return _in_time(lambda: result, context.admission.watching(context.bucket))


def next_frame(message: Mapping[str, Any], encode: Callable[[object], str | bytes]) -> str | None:
    """A ``next`` message of ``graphql-transport-ws`` with shared data, encoded; ``None`` for any other message."""
    payload = message.get("payload")
    if message.get("type") != "next" or not isinstance(payload, dict) or payload.keys() != {"data"}:
        return None
    data = payload["data"]
    if not isinstance(data, SharedData):
        return None
    if data.encoded is None:
        data.encoded = _text(encode(payload))
    return f'{{"id":{_text(encode(message["id"]))},"type":"next","payload":{data.encoded}}}'


async def _in_time(execute: Callable[[], Any], limit: AbstractAsyncContextManager[None]) -> ExecutionResult:
    try:
        async with limit:
            result = execute()
            return cast(ExecutionResult, await result if isawaitable(result) else result)
    except TookTooLong as error:
        return ExecutionResult(None, [GraphQLError(error.message, original_error=error)])


async def _awaited(result: Awaitable[ExecutionResult]) -> ExecutionResult:
    return _shareable(await result)


def _shareable(result: ExecutionResult) -> ExecutionResult:
    return ExecutionResult(SharedData(result.data)) if result.data is not None and not result.errors else result


def _sight_of(viewer: Viewer) -> Hashable:
    """What of a viewer decides what is seen; not who it is, nor from where."""
    return viewer.organization_id, viewer.sync_id, viewer.rights, viewer.has_lapsed


def _text(encoded: str | bytes) -> str:
    return encoded if isinstance(encoded, str) else encoded.decode()
