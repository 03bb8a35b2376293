"""One execution and one encoding of each event for all who subscribed with the same operation and may see the same.

Everybody keeps an own subscription, with own checks and at an own pace; shared is only what an event looks like to
those for whom it must look alike: same document, operation, variables, organization and rights. A result with errors
is never shared later. Results are dropped with the last subscriber, and there is a limit on their bytes.
"""

import asyncio
import sys
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from graphql import ExecutionResult, OperationDefinitionNode

REMEMBERED_OPERATIONS = 1_000
"""Distinct subscriptions whose newest event is kept; with more of them, events are executed more than once."""
MAX_SHARED_BYTES = 16 * 1024 * 1024
"""Encoded results kept at a time, which is some 8,000 dashboards; their data takes up to four times as much besides."""
MAX_RESULT_BYTES = MAX_SHARED_BYTES // 16
"""A larger result is not kept, so that a few of them can't displace all others."""

Encode = Callable[[object], str | bytes]
Execute = Callable[[], ExecutionResult | Awaitable[ExecutionResult]]


class SharedData(dict[str, object]):
    """The ``data`` of a result that may be sent to several.

    Attributes:
        encoded: The JSON of a payload with these data and nothing else.
    """

    def __init__(self, data: Mapping[str, object], encoded: str) -> None:
        super().__init__(data)
        self.encoded = encoded


@dataclass(slots=True)
class _Open:
    """An operation with the same variables that at least one subscriber has open."""

    operation: OperationDefinitionNode  # kept, so that no other operation gets its number
    subscribers: int = 0
    visibilities: set[Hashable] = field(default_factory=set)


@dataclass(slots=True)
class _Shown:
    event: object
    result: "ExecutionResult | asyncio.Future[ExecutionResult]"
    bytes: int = 0


class SharedResults:
    """What the newest event of each distinct subscription looks like; one for all sockets and streams of a process.

    Attributes:
        bytes: Encoded results kept at the moment.
    """

    def __init__(self, encode: Encode) -> None:
        self._encode = encode
        self._open: dict[Hashable, _Open] = {}
        self._newest: OrderedDict[tuple[Hashable, Hashable], _Shown] = OrderedDict()
        self.bytes = 0

    def __len__(self) -> int:
        """How many results are kept, those still being executed included."""
        return len(self._newest)

    @contextmanager
    def subscribed(self, operation: OperationDefinitionNode, variables: Mapping[str, object]) -> Iterator[None]:
        """Share the results of this operation while the block runs, which is as long as its subscription is open."""
        key = _key(operation, variables)
        opened = self._open.setdefault(key, _Open(operation))
        opened.subscribers += 1
        try:
            yield
        finally:
            opened.subscribers -= 1
            if not opened.subscribers:
                del self._open[key]
                for visibility in opened.visibilities:
                    self._drop((key, visibility))

    def result_of(
        self,
        operation: OperationDefinitionNode,
        variables: Mapping[str, object],
        visibility: Hashable,
        event: object,
        execute: Execute,
    ) -> ExecutionResult | Awaitable[ExecutionResult]:
        """The result of ``event``, from ``execute`` unless an equal event was executed last for the same visibility.

        Args:
            visibility: What decides what the subscriber sees; see ``Viewer.visibility``.
        """
        operation_key = _key(operation, variables)
        opened = self._open.get(operation_key)
        if opened is None:
            result: ExecutionResult | Awaitable[ExecutionResult] = execute()
            return result
        key = operation_key, visibility
        shown = self._newest.get(key)
        if shown is None or shown.event != event:
            self._drop(key, cancel=False)  # others may still wait for the earlier event
            opened.visibilities.add(visibility)
            shown = self._execute(key, event, execute)
        if key in self._newest:
            self._newest.move_to_end(key)
        return shown.result if isinstance(shown.result, ExecutionResult) else asyncio.shield(shown.result)

    def _execute(self, key: tuple[Hashable, Hashable], event: object, execute: Execute) -> _Shown:
        result = execute()
        if isinstance(result, ExecutionResult):
            shown = _Shown(event, self._shareable(result))
            if not result.errors:
                self._newest[key] = shown
                self._weigh(key, shown)
        else:
            # A task of its own, as the subscriber that asked first may leave before it is done.
            task = asyncio.ensure_future(self._awaited(result))
            shown = self._newest[key] = _Shown(event, task)
            task.add_done_callback(lambda _done: self._settle(key, shown, task))
        if len(self._newest) > REMEMBERED_OPERATIONS:
            self._forget(next(iter(self._newest)))
        return shown

    def _settle(self, key: tuple[Hashable, Hashable], shown: _Shown, task: "asyncio.Future[ExecutionResult]") -> None:
        if task.cancelled() or task.exception() is not None or task.result().errors:
            if self._newest.get(key) is shown:
                self._forget(key)
            return
        shown.result = task.result()
        if self._newest.get(key) is shown:
            self._weigh(key, shown)

    def _weigh(self, key: tuple[Hashable, Hashable], shown: _Shown) -> None:
        """Count the bytes that are kept, and drop some above the limit."""
        data = shown.result.data if isinstance(shown.result, ExecutionResult) else None
        shown.bytes = sys.getsizeof(data.encoded) if isinstance(data, SharedData) else 0
        self.bytes += shown.bytes
        if shown.bytes > MAX_RESULT_BYTES:
            self._forget(key)
        while self.bytes > MAX_SHARED_BYTES:
            self._forget(next(iter(self._newest)))

    def _drop(self, key: tuple[Hashable, Hashable], *, cancel: bool = True) -> None:
        shown = self._newest.get(key)
        if shown is not None:
            self._forget(key)
            if cancel and isinstance(shown.result, asyncio.Future):
                shown.result.cancel()

    def _forget(self, key: tuple[Hashable, Hashable]) -> None:
        self.bytes -= self._newest.pop(key).bytes

    async def _awaited(self, result: Awaitable[ExecutionResult]) -> ExecutionResult:
        return self._shareable(await result)

    def _shareable(self, result: ExecutionResult) -> ExecutionResult:
        if result.data is None or result.errors:
            return result
        return ExecutionResult(SharedData(result.data, _text(self._encode({"data": result.data}))))


def next_frame(message: Mapping[str, object], encode: Encode) -> str | None:
    """A ``next`` message of ``graphql-transport-ws`` with shared data, encoded; ``None`` for any other message."""
    payload = message.get("payload")
    if message.get("type") != "next" or not isinstance(payload, dict) or payload.keys() != {"data"}:
        return None
    data = payload["data"]
    if not isinstance(data, SharedData):
        return None
    return f'{{"id":{_text(encode(message["id"]))},"type":"next","payload":{data.encoded}}}'


def _key(operation: OperationDefinitionNode, variables: Mapping[str, object]) -> Hashable:
    return id(operation), repr(variables)


def _text(encoded: str | bytes) -> str:
    return encoded if isinstance(encoded, str) else encoded.decode()
