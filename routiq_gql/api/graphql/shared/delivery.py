"""Serves all subscribers of an operation, a part of them in each turn of the loop."""

import asyncio
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Protocol

from graphql import GraphQLError

from routiq_gql.api.graphql.shared.payload import Payload

if TYPE_CHECKING:
    from routiq_gql.tracing.spans import OperationSpan

AT_ONCE = 200
"""Subscribers served in one turn of the loop, which takes about two milliseconds."""


class Subscriber(Protocol):
    """A client's part of a shared operation. All calls are plain and return at once.

    Attributes:
        span: The span of its start; ``None`` once that has ended, and when traces are off.
    """

    span: "OperationSpan | None"

    def show(self, payload: Payload) -> bool:
        """Send a payload; ``False``, without sending, while the client reads nothing.

        Then it calls ``on_ready`` of its operation, once the client reads again.
        """

    def finish(self) -> None:
        """Send the end. The last call."""

    def refuse(self, errors: list[GraphQLError]) -> None:
        """Send the errors of an operation that has not begun. The last call."""

    def execute_alone(self) -> None:
        """Start again outside of the shared operation. The last call."""


class Delivery:
    """The order in which subscribers are served.

    Those that wait since the delivery before are served first, so that none is passed over.

    Args:
        subscribers: The subscribers at any time; those that have left are not served.
        serve: Serves a subscriber.
        done: Called when all are served.
    """

    def __init__(
        self, subscribers: Collection[Subscriber], serve: Callable[[Subscriber], None], done: Callable[[], None]
    ) -> None:
        self._subscribers = subscribers
        self._serve = serve
        self._done = done
        self._order: list[Subscriber] = []
        self._at = 0
        self._rest: asyncio.Handle | None = None

    def start(self) -> None:
        """Serve all subscribers."""
        if self._order:
            waiting = self._order[self._at :]
            first = set(waiting)
            self._order = [*waiting, *(one for one in self._subscribers if one not in first)]
        else:
            self._order = list(self._subscribers)
        self._at = 0
        if self._rest is None:
            self._continue()

    def stop(self) -> None:
        """Serve no further subscriber."""
        self._order = []
        if self._rest is not None:
            self._rest.cancel()

    def _continue(self) -> None:
        self._rest = None
        part = self._order[self._at : self._at + AT_ONCE]
        self._at += len(part)
        for subscriber in part:
            if subscriber in self._subscribers:
                self._serve(subscriber)
        if self._at < len(self._order):
            self._rest = asyncio.get_running_loop().call_soon(self._continue)
        else:
            self._order, self._at = [], 0
            self._done()
