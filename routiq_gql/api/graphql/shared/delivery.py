"""Gives the newest payload to all subscribers of an operation, a part of them in each turn of the loop."""

import asyncio
from collections.abc import Callable, Collection
from typing import Protocol

from graphql import GraphQLError

from routiq_gql.api.graphql.shared.payload import Payload

AT_ONCE = 200
"""Subscribers served in one turn of the loop, which takes about two milliseconds."""


class Subscriber(Protocol):
    """A client's part of a shared operation. All calls are plain and return at once."""

    def show(self, payload: Payload) -> None:
        """Send a payload. Until it is sent, a newer payload may replace it."""

    def finish(self) -> None:
        """Send the end, after the newest payload. The last call."""

    def refuse(self, errors: list[GraphQLError]) -> None:
        """Send the errors of an operation that has not begun. The last call."""

    def execute_alone(self) -> None:
        """Start again outside of the shared operation. The last call."""


class Delivery:
    """The order in which subscribers get payloads.

    A payload that arrives during a delivery goes to the waiting subscribers first, so that none is passed over.

    Args:
        subscribers: The subscribers at any time; those that have left get nothing.
        end: Ends the operation of a subscriber.
    """

    def __init__(self, subscribers: Collection[Subscriber], end: Callable[[Subscriber], None]) -> None:
        self._subscribers = subscribers
        self._end = end
        self._order: list[Subscriber] = []
        self._at = 0
        self._payload: Payload | None = None
        self._is_last = False
        self._rest: asyncio.Handle | None = None

    def start(self, payload: Payload, *, is_last: bool = False) -> None:
        """Give ``payload`` to all subscribers; end each operation after the last payload."""
        waiting = self._order[self._at :]
        first = set(waiting)
        self._order = [*waiting, *(one for one in self._subscribers if one not in first)]
        self._at, self._payload, self._is_last = 0, payload, is_last
        if self._rest is None:
            self._serve()

    def stop(self) -> None:
        """Give nothing more."""
        self._order = []
        if self._rest is not None:
            self._rest.cancel()

    def _serve(self) -> None:
        self._rest = None
        payload = self._payload
        part = self._order[self._at : self._at + AT_ONCE]
        self._at += len(part)
        for subscriber in part:
            if payload is not None and subscriber in self._subscribers:
                subscriber.show(payload)
                if self._is_last:
                    self._end(subscriber)
        if self._at < len(self._order):
            self._rest = asyncio.get_running_loop().call_soon(self._serve)
        else:
            self._order, self._at, self._payload = [], 0, None
