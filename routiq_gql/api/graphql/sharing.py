"""One execution and one encoding of each event for all who subscribed with the same operation and may see the same.

Everybody keeps an own subscription, with own checks and at an own pace; shared is only what an event looks like to
those for whom it must look alike: same document, operation, variables, organization and rights. A result with errors
is kept for nobody who comes later.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from graphql import ExecutionResult, OperationDefinitionNode, OperationType
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from routiq_gql.viewer import Viewer

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
    """Executes queries and mutations as ever, and events of subscriptions through the context's ``SharedResults``."""

    def execute_operation(self, serially: bool | None = None) -> Any:
        execute = super().execute_operation
        if self.operation.operation is not OperationType.SUBSCRIPTION:
            return execute(serially)
        key = (id(self.operation), repr(self.variable_values.coerced), _sight_of(self.context_value.reader))
        results: SharedResults = self.context_value.shared_results
        return results.result_of(key, self.operation, self.root_value, lambda: execute(serially))


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


async def _awaited(result: Awaitable[ExecutionResult]) -> ExecutionResult:
    return _shareable(await result)


def _shareable(result: ExecutionResult) -> ExecutionResult:
    return ExecutionResult(SharedData(result.data)) if result.data is not None and not result.errors else result


def _sight_of(viewer: Viewer) -> Hashable:
    """What of a viewer decides what is seen; not who it is, nor from where."""
    return viewer.organization_id, viewer.sync_id, viewer.rights, viewer.has_lapsed


def _text(encoded: str | bytes) -> str:
    return encoded if isinstance(encoded, str) else encoded.decode()
