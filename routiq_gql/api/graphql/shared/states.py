"""Shared operations whose events are whole states: each subscriber needs the newest state only.

A compiled projection encodes each value of the feed in the turn of the loop that brings it. A selection that can't be
compiled is executed by the ordinary executor, in a task, once per value.
"""

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass

from routiq_gql.api.errors import log_fault
from routiq_gql.api.graphql.context import Context
from routiq_gql.api.graphql.errors import error_of
from routiq_gql.api.graphql.projection import NotProjected
from routiq_gql.api.graphql.shared.delivery import Subscriber
from routiq_gql.api.graphql.shared.operation import (
    AnyFollowing,
    Convert,
    Events,
    Machinery,
    Opened,
    SharedOperation,
    result_of,
)
from routiq_gql.api.graphql.shared.payload import Payload
from routiq_gql.errors import RoutiqError
from routiq_gql.sync.model import SyncSnapshot

MAX_KEPT_BYTES = 32 * 1024
"""A longer payload is not kept for further subscribers, as each operation keeps a payload. Nor is an error."""


class StateOperation(SharedOperation[AnyFollowing]):
    """An operation that follows a feed. It is the feed's ``Follower``."""

    def __init__(self, context: Context, machinery: Machinery, close: Callable[[], None]) -> None:
        super().__init__(context, machinery, close)
        self._waiting: dict[Subscriber, int] = {}  # for a payload of this number or a higher one
        self._greeting: dict[Subscriber, asyncio.Task[None]] = {}
        self._late: dict[Subscriber, _Shown] = {}  # payloads for clients that read nothing
        self._shown: _Shown | None = None
        self._shown_number = 0
        self._newest: object = None
        self._newest_number = 0
        self._executing: tuple[int, bool] = (0, False)  # the number of a value, and whether it is the last
        self._is_new = asyncio.Event()
        self._is_compiled = False

    def on_value(self, value: object) -> None:
        """Encode a value of the feed and send it, or have it executed."""
        if self._organization_id is not None and self._opened is not None:
            self._take(value, self._opened)

    def on_end(self, error: RoutiqError | None) -> None:
        """End all subscriptions with the error of the feed. After a terminal value they end by themselves."""
        if error is not None:
            self._newest_number += 1
            self._publish(self._failure(error), self._newest_number, is_last=True)

    def _following(self, source: AnyFollowing) -> AnyFollowing:
        return source

    def _start(self, opened: Opened[AnyFollowing], first: Subscriber) -> None:
        for subscriber in self._subscribers:
            if subscriber is not first:
                self._welcome(subscriber, opened)  # the feed may have been read before it came
        if self._is_over:  # with an error, since the feed was opened; the others learn it from the feed
            if first in self._subscribers:
                self._served[first] = 0
                self._serve(first)
            return
        if first in self._subscribers:
            self._waiting[first] = 0
        self._is_compiled = opened.project is not None
        if not self._is_compiled:
            self._spawn(self._execute_values())
        self._take(opened.source.value, opened)

    def _welcome(self, subscriber: Subscriber, opened: Opened[AnyFollowing]) -> None:
        self._greeting[subscriber] = self._spawn(self._greet(subscriber, opened.source))

    async def _greet(self, subscriber: Subscriber, following: AnyFollowing) -> None:
        """Give a subscriber the current value, which is at least as new as its subscription."""
        try:
            async with self._context.admission.watching(self._organization_id or ""):
                await following.fresh()
        except RoutiqError as error:
            if self._greeting.pop(subscriber, None) is not None:
                self.leave(subscriber)
                subscriber.refuse([error_of(error)])
            return
        if self._greeting.pop(subscriber, None) is None:
            return  # it has left
        if self._shown_number < self._newest_number:  # the newest value is being executed
            self._waiting[subscriber] = self._newest_number
        elif self._shown is None:  # not kept
            self.leave(subscriber)
            subscriber.execute_alone()
        else:
            self._served[subscriber] = 0
            self._serve(subscriber)

    def _take(self, value: object, opened: Opened[AnyFollowing]) -> None:
        self._newest_number += 1
        self._newest = value
        if self._is_compiled and opened.project is not None:
            try:
                payload = Payload(opened.project(opened.convert(value)))
            except NotProjected:
                self._is_compiled = False
            except Exception as error:  # the ordinary executor reports it to the subscribers
                log_fault(error, transport="projection")
                self._is_compiled = False
            else:
                self._publish(payload, self._newest_number, is_last=_is_last(value))
                return
            self._spawn(self._execute_values())
        self._is_new.set()

    async def _execute_values(self) -> None:
        async with aclosing(await self.machinery.execute(self._context)) as results:
            async for streamed in results:
                result = result_of(streamed)
                number, is_last = self._executing
                self._publish(self._encoded(result), number, is_last=is_last, is_kept=not result.errors)
        self._execute_each_alone()

    async def _events(self, convert: Convert) -> Events:
        """The values to execute: the newest whenever the one before is done."""
        while True:
            await self._is_new.wait()
            self._is_new.clear()
            self._executing = self._newest_number, _is_last(self._newest)
            yield convert(self._newest)

    def _publish(self, payload: Payload, number: int, *, is_last: bool, is_kept: bool = True) -> None:
        if self._is_over:  # an execution has ended after the feed
            return
        self._is_over = is_last
        is_kept = is_kept and len(payload.json) <= MAX_KEPT_BYTES
        self._shown, self._shown_number = _Shown(payload, number, is_kept), number
        for subscriber in [one for one, least in self._waiting.items() if least <= number]:
            del self._waiting[subscriber]
            self._served[subscriber] = 0
        self._delivery.start()

    def _serve(self, subscriber: Subscriber) -> None:
        shown = self._shown or self._late.get(subscriber)
        if shown is None or self._served[subscriber] >= shown.number:
            return
        if not subscriber.show(shown.payload):
            self._late[subscriber] = shown
            return
        self._late.pop(subscriber, None)
        self._served[subscriber] = shown.number
        if self._is_over:
            self._end(subscriber)

    def _all_served(self) -> None:
        if self._shown is not None and not self._shown.is_kept:
            self._shown = None

    def _drop(self, subscriber: Subscriber) -> None:
        self._waiting.pop(subscriber, None)
        self._late.pop(subscriber, None)
        if (greeting := self._greeting.pop(subscriber, None)) is not None:
            greeting.cancel()
        super()._drop(subscriber)


@dataclass(frozen=True, slots=True)
class _Shown:
    payload: Payload
    number: int
    is_kept: bool  # for further subscribers


def _is_last(value: object) -> bool:
    return isinstance(value, SyncSnapshot) and value.is_terminal
