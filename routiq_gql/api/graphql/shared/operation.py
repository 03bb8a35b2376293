"""The common part of shared operations: their start by the ordinary executor, and their subscribers.

The ordinary executor validates the operation and calls its resolver, which opens the source of its events. What
follows is for ``states`` and ``logs``.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Mapping
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from graphql import GraphQLError, OperationDefinitionNode
from strawberry.schema.schema import StreamResult
from strawberry.types.execution import ExecutionResult

from routiq_gql.api.errors import log_fault
from routiq_gql.api.graphql.context import Context, Info
from routiq_gql.api.graphql.errors import error_of
from routiq_gql.api.graphql.projection import Projection
from routiq_gql.api.graphql.shared.delivery import Delivery, Subscriber
from routiq_gql.api.graphql.shared.payload import Payload
from routiq_gql.api.graphql.tracing import code_in, span_of
from routiq_gql.errors import RateLimited, RoutiqError
from routiq_gql.live.feeds import Following

S = TypeVar("S")

Convert = Callable[[Any], object]
"""Converts an event of a source to GraphQL's object."""
Events = AsyncGenerator[Any, None]
"""The events of a resolver."""
AnyFollowing = Following[Any]
"""The place in a feed of syncs or of dashboards."""


@dataclass(frozen=True, slots=True)
class Machinery:
    """The parts of the endpoint by which an operation is executed.

    Attributes:
        document: The text of the request.
        variables: As the client sent them.
        execute: Executes the operation in a context, by Strawberry's ``Schema.stream``.
        compile: Compiles the operation's selection for its variables, if that is possible.
        encode: Encodes a result as JSON.
        operation_name: The name of the operation, as the document has it; ``None`` without a name.
    """

    document: str
    variables: dict[str, object]
    execute: Callable[[Context], Awaitable[StreamResult]]
    compile: Callable[[OperationDefinitionNode, Mapping[str, object]], Projection | None]
    encode: Callable[[object], str | bytes]
    operation_name: str | None = None


@dataclass(frozen=True, slots=True)
class Opened(Generic[S]):
    """What the resolver has opened.

    Attributes:
        source: The source of the operation's events.
        convert: Converts an event of the source to GraphQL's object.
        project: Encodes such an object; ``None`` if only the executor can.
    """

    source: S
    convert: Convert
    project: Projection | None


class SharedOperation(ABC, Generic[S]):
    """One operation for all subscribers with the same document, variables and visibility.

    Args:
        context: The context of the first subscriber. ``shared`` is this operation in its executions.
        close: Called once, after the last subscriber.

    Attributes:
        machinery: The request, and the parts that execute it.
    """

    def __init__(self, context: Context, machinery: Machinery, close: Callable[[], None]) -> None:
        self._context = replace(context, shared=self)
        self.machinery = machinery
        self._close = close
        self._subscribers: dict[Subscriber, None] = {}
        self._served: dict[Subscriber, int] = {}  # with the number of the last payload that each has got
        self._delivery = Delivery(self._served, self._serve, self._all_served)
        self._tasks: set[asyncio.Task[None]] = set()
        self._opened: Opened[S] | None = None
        self._organization_id: str | None = None  # set when it has begun; subscribers are counted from then on
        self._is_over = False

    def join(self, subscriber: Subscriber) -> None:
        """Add a subscriber."""
        self._subscribers[subscriber] = None
        if self._organization_id is not None and self._opened is not None:
            if self._admit(subscriber, self._organization_id):
                self._welcome(subscriber, self._opened)
        elif not self._tasks:
            self._spawn(self._begin(subscriber))

    def leave(self, subscriber: Subscriber) -> None:
        """Remove a subscriber. Idempotent."""
        if self._organization_id is not None and subscriber in self._subscribers:
            self._context.syncs.subscriptions.remove(self._organization_id)
        self._drop(subscriber)

    def on_ready(self, subscriber: Subscriber) -> None:
        """Serve a subscriber whose client reads again."""
        if subscriber in self._served:
            self._serve(subscriber)

    def on_value(self, value: object) -> None:
        """Take a newer value, as the ``Follower`` of a feed."""

    def on_end(self, error: RoutiqError | None) -> None:
        """Take the end of the feed."""

    async def source(self, info: Info, opening: Callable[[], Awaitable[S]], convert: Convert) -> Events:
        """The events of a resolver. The first execution opens the source and has no events.

        Raises:
            RoutiqError: The source can't be opened, or the viewer may not see it.
        """
        if self._opened is not None:
            return self._events(convert)
        source = await opening()
        self._opened = Opened(source, convert, self.machinery.compile(info.operation, info.variable_values))
        return _nothing()

    def _events(self, convert: Convert) -> Events:
        """The events of a further execution."""
        return _nothing()

    @abstractmethod
    def _following(self, source: S) -> AnyFollowing:
        """The place in the feed, which is closed with the operation. Its value names the organization."""

    @abstractmethod
    def _start(self, opened: Opened[S], first: Subscriber) -> None:
        """Begin. All subscribers are counted; they came while the source was being opened."""

    @abstractmethod
    def _welcome(self, subscriber: Subscriber, opened: Opened[S]) -> None:
        """Serve a subscriber that came after the beginning."""

    @abstractmethod
    def _serve(self, subscriber: Subscriber) -> None:
        """Send a subscriber what it has not got, as far as its client reads."""

    @abstractmethod
    def _all_served(self) -> None:
        """Free what no subscriber needs any more."""

    async def _begin(self, first: Subscriber) -> None:
        errors: list[GraphQLError] | None = None
        async with aclosing(await self.machinery.execute(self._context)) as results:
            async for result in results:
                errors = result_of(result).errors
        opened = self._opened
        if opened is None:
            if errors and first in self._subscribers:
                self._refuse(first, errors)
            self._execute_each_alone()  # each refusal is noted in the audit log
            return
        organization_id = str(self._following(opened.source).value.organization_id)
        self._organization_id = organization_id
        for subscriber in list(self._subscribers):
            self._admit(subscriber, organization_id)
        if self._subscribers:
            self._start(opened, first)

    def _admit(self, subscriber: Subscriber, organization_id: str) -> bool:
        """Count a subscriber; refuse it above the limit of its organization."""
        try:
            self._context.syncs.subscriptions.add(organization_id)
        except RateLimited as error:
            self._refuse(subscriber, [error_of(error)])
            return False
        if subscriber.span is not None and self._opened is not None:
            self._end_span(subscriber, sync=span_of(self._following(self._opened.source).value))
        return True

    def _refuse(self, subscriber: Subscriber, errors: list[GraphQLError]) -> None:
        self._end_span(subscriber, error=code_in(errors))
        self._drop(subscriber)
        subscriber.refuse(errors)

    def _end_span(self, subscriber: Subscriber, *, error: str | None = None, sync: str | None = None) -> None:
        if subscriber.span is not None:
            subscriber.span.end("subscription", self.machinery.operation_name, error, sync)
            subscriber.span = None

    def _encoded(self, result: ExecutionResult) -> Payload:
        shown: dict[str, object] = {"data": result.data}
        if result.errors:
            shown["errors"] = [error.formatted for error in result.errors]
        encoded = self.machinery.encode(shown)
        return Payload(encoded.encode() if isinstance(encoded, str) else encoded)

    def _failure(self, error: BaseException) -> Payload:
        """The result of an event that is an error."""
        return self._encoded(ExecutionResult(None, [error_of(error)]))

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
        self._end_span(subscriber)  # it has left before it started
        self._served.pop(subscriber, None)
        if not self._subscribers:
            self._delivery.stop()
            if self._opened is not None:
                self._following(self._opened.source).close()
            for task in self._tasks:
                task.cancel()
            self._close()

    def _spawn(self, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name="shared operation")
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log_fault(error, transport="shared operation")
            self._execute_each_alone()


def result_of(streamed: object) -> ExecutionResult:
    """A result of ``Schema.stream``, which is never incremental: the schema has no @defer and no @stream."""
    if not isinstance(streamed, ExecutionResult):
        raise TypeError(f"A subscription had a {type(streamed).__name__} as result.")
    return streamed


async def _nothing() -> Events:
    return
    yield
