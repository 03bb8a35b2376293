"""A shared operation: one feed, one execution of each of its values, and all its subscribers.

The ordinary executor validates the operation and calls its resolver, which follows the feed. Afterwards a compiled
projection encodes each value in the turn of the loop that brings it. A selection that can't be compiled is executed by
the ordinary executor, in a task, once per value.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Mapping
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from graphql import GraphQLError, OperationDefinitionNode
from strawberry.schema.schema import StreamResult
from strawberry.types.execution import ExecutionResult

from routiq_gql.api.errors import log_fault
from routiq_gql.api.graphql.context import Context, Info
from routiq_gql.api.graphql.errors import error_of
from routiq_gql.api.graphql.projection import NotProjected, Projection
from routiq_gql.api.graphql.shared.delivery import Delivery, Subscriber
from routiq_gql.api.graphql.shared.payload import Payload
from routiq_gql.errors import RateLimited, RoutiqError
from routiq_gql.live.feeds import Following
from routiq_gql.sync.model import SyncSnapshot

T = TypeVar("T")
U = TypeVar("U")

MAX_KEPT_BYTES = 32 * 1024
"""A longer payload is not kept for further subscribers, as each operation keeps a payload."""


@dataclass(frozen=True, slots=True)
class Machinery:
    """The parts of the endpoint by which an operation is executed.

    Attributes:
        execute: Executes the operation in a context, by Strawberry's ``Schema.stream``.
        compile: Compiles the operation's selection for its variables, if that is possible.
        encode: Encodes a result as JSON.
    """

    execute: Callable[[Context], Awaitable[StreamResult]]
    compile: Callable[[OperationDefinitionNode, Mapping[str, object]], Projection | None]
    encode: Callable[[object], str | bytes]


@dataclass(frozen=True, slots=True)
class _Opened:
    """What the resolver has opened: the feed, and the way from its values to GraphQL's objects."""

    info: Info
    following: Following[Any]
    convert: Callable[[Any], object]

    @property
    def organization_id(self) -> str:
        return str(self.following.value.organization_id)


class SharedOperation:
    """One operation for all subscribers with the same document, variables and visibility.

    It follows its feed, and it is ``Context.shared`` of its own executions.

    Args:
        context: The context of the first subscriber.
        close: Called once, after the last subscriber.
    """

    def __init__(self, context: Context, machinery: Machinery, close: Callable[[], None]) -> None:
        self._context = replace(context, shared=self)
        self._machinery = machinery
        self._close = close
        self._subscribers: dict[Subscriber, None] = {}
        self._waiting: dict[Subscriber, int] = {}  # for a payload of this number or a higher one
        self._served: dict[Subscriber, None] = {}
        self._delivery = Delivery(self._served, self._end)
        self._tasks: set[asyncio.Task[None]] = set()
        self._opened: _Opened | None = None  # set in the first execution
        self._begun: _Opened | None = None  # set when subscribers are counted and served
        self._project: Projection | None = None
        self._is_over = False
        self._payload: Payload | None = None
        self._shown = 0  # the number of the newest payload's value
        self._newest: object = None
        self._number = 0  # of the newest value
        self._executing = 0  # the number of the value that is being executed
        self._is_last_executing = False
        self._is_new = asyncio.Event()

    def join(self, subscriber: Subscriber) -> None:
        """Add a subscriber. It gets the current value and then every newer value that it is ready for."""
        self._subscribers[subscriber] = None
        if self._begun is not None:
            if self._admit(subscriber, self._begun):
                self._spawn(self._greet(subscriber, self._begun))
        elif not self._tasks:
            self._spawn(self._begin(subscriber))

    def leave(self, subscriber: Subscriber) -> None:
        """Remove a subscriber. Idempotent."""
        if self._begun is not None and subscriber in self._subscribers:
            self._context.syncs.subscriptions.remove(self._begun.organization_id)
        self._drop(subscriber)

    async def source(
        self, info: Info, follow: Callable[[], Awaitable[Following[T]]], convert: Callable[[T], U]
    ) -> AsyncGenerator[U, None]:
        """The events of a resolver. The first execution opens the feed and has no events."""
        if self._opened is None:
            self._opened = _Opened(info, await follow(), convert)
            return _nothing()
        return self._values(convert)

    def on_value(self, value: object) -> None:
        """Encode a value of the feed and send it, or have it executed."""
        if self._begun is None:
            return  # the newest value is taken at the beginning
        self._number += 1
        self._newest = value
        if self._project is not None:
            try:
                payload = Payload(self._project(self._begun.convert(value)))
            except NotProjected:
                self._project = None
            except Exception as error:  # the ordinary executor reports it to the subscribers
                log_fault(error, transport="projection")
                self._project = None
            else:
                self._publish(payload, self._number, is_last=_is_last(value))
                return
            self._spawn(self._execute_values())
        self._is_new.set()

    def on_end(self, error: RoutiqError | None) -> None:
        """End all subscriptions with the error of the feed. After a terminal value they end by themselves."""
        if error is not None:
            failure: dict[str, object] = {"data": None, "errors": [error_of(error).formatted]}
            self._number += 1
            self._publish(self._encoded(failure), self._number, is_last=True)

    async def _begin(self, first: Subscriber) -> None:
        """Execute the operation up to its resolver, then begin with the newest value of the feed."""
        errors: list[GraphQLError] | None = None
        async with aclosing(await self._machinery.execute(self._context)) as results:
            async for result in results:
                errors = _result(result).errors
        if self._opened is None:
            if errors and first in self._subscribers:
                self._drop(first)
                first.refuse(errors)
            self._execute_each_alone()  # each refusal is noted in the audit log
            return
        begun = self._begun = self._opened
        self._project = self._machinery.compile(begun.info.operation, begun.info.variable_values)
        for subscriber in list(self._subscribers):
            if self._admit(subscriber, begun) and subscriber is not first:
                self._spawn(self._greet(subscriber, begun))  # the feed may have been read before it came
        if first in self._subscribers:
            self._waiting[first] = 0
        if self._subscribers:
            if self._project is None:
                self._spawn(self._execute_values())
            self.on_value(begun.following.value)

    def _admit(self, subscriber: Subscriber, begun: _Opened) -> bool:
        """Count a subscriber; refuse it above the limit of its organization."""
        try:
            self._context.syncs.subscriptions.add(begun.organization_id)
        except RateLimited as error:
            self._drop(subscriber)
            subscriber.refuse([error_of(error)])
            return False
        return True

    async def _greet(self, subscriber: Subscriber, begun: _Opened) -> None:
        """Give a subscriber the current value, which is at least as new as its subscription."""
        try:
            async with self._context.admission.watching(begun.organization_id):
                await begun.following.fresh()
        except RoutiqError as error:
            if subscriber in self._subscribers:
                self.leave(subscriber)
                subscriber.refuse([error_of(error)])
            return
        if subscriber not in self._subscribers:
            return
        if self._shown < self._number:  # the newest value is being executed
            self._waiting[subscriber] = self._number
        elif self._payload is None:  # too long to be kept
            self.leave(subscriber)
            subscriber.execute_alone()
        else:
            self._served[subscriber] = None
            subscriber.show(self._payload)
            if self._is_over:
                self._end(subscriber)

    async def _execute_values(self) -> None:
        async with aclosing(await self._machinery.execute(self._context)) as results:
            async for streamed in results:
                result = _result(streamed)
                shown: dict[str, object] = {"data": result.data}
                if result.errors:
                    shown["errors"] = [error.formatted for error in result.errors]
                self._publish(self._encoded(shown), self._executing, is_last=self._is_last_executing)
        self._execute_each_alone()

    async def _values(self, convert: Callable[[T], U]) -> AsyncGenerator[U, None]:
        """The values to execute: the newest whenever the one before is done."""
        while True:
            await self._is_new.wait()
            self._is_new.clear()
            self._executing, self._is_last_executing = self._number, _is_last(self._newest)
            yield convert(self._newest)  # type: ignore[arg-type]

    def _encoded(self, result: dict[str, object]) -> Payload:
        encoded = self._machinery.encode(result)
        return Payload(encoded.encode() if isinstance(encoded, str) else encoded)

    def _publish(self, payload: Payload, number: int, *, is_last: bool) -> None:
        if self._is_over:  # an execution has ended after the feed
            return
        self._is_over = is_last
        self._shown = number
        self._payload = payload if len(payload.json) <= MAX_KEPT_BYTES else None
        for subscriber in [one for one, least in self._waiting.items() if least <= number]:
            del self._waiting[subscriber]
            self._served[subscriber] = None
        self._delivery.start(payload, is_last=is_last)

    def _end(self, subscriber: Subscriber) -> None:
        self.leave(subscriber)
        subscriber.finish()

    def _execute_each_alone(self) -> None:
        for subscriber in list(self._subscribers):
            self.leave(subscriber)
            subscriber.execute_alone()

    def _drop(self, subscriber: Subscriber) -> None:
        if self._subscribers.pop(subscriber, self) is self:
            return
        self._waiting.pop(subscriber, None)
        self._served.pop(subscriber, None)
        if not self._subscribers:
            self._delivery.stop()
            if self._opened is not None:
                self._opened.following.close()
            for task in self._tasks:
                task.cancel()
            self._close()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work, name="shared operation")
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log_fault(error, transport="shared operation")
            self._execute_each_alone()


def _result(streamed: object) -> ExecutionResult:
    """A result of ``Schema.stream``, which is never incremental: the schema has no @defer and no @stream."""
    if not isinstance(streamed, ExecutionResult):
        raise TypeError(f"A subscription had a {type(streamed).__name__} as result.")
    return streamed


def _is_last(value: object) -> bool:
    return isinstance(value, SyncSnapshot) and value.is_terminal


async def _nothing() -> AsyncGenerator[Any, None]:
    return
    yield
