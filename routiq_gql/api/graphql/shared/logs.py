"""Shared operations whose events are log lines: each subscriber gets every line, once and in order.

The lines are read and encoded once. A subscriber is a number in the common list of lines, so a slow client costs no
queue of its own.
"""

from collections import deque
from collections.abc import Callable
from contextlib import aclosing

from routiq_gql.api.graphql.context import Context
from routiq_gql.api.graphql.projection import Projection
from routiq_gql.api.graphql.shared.delivery import Subscriber
from routiq_gql.api.graphql.shared.operation import Machinery, Opened, SharedOperation
from routiq_gql.api.graphql.shared.payload import Payload
from routiq_gql.live.feeds import Following
from routiq_gql.sync.model import SyncSnapshot
from routiq_gql.sync.watching import FollowedLog

KEPT_LINES = 100
"""Lines kept for further subscribers, some 30 KB; a sync writes some dozens. With more, the next starts alone."""


class LogOperation(SharedOperation[FollowedLog]):
    """An operation that follows a log from the same line for all subscribers."""

    def __init__(self, context: Context, machinery: Machinery, close: Callable[[], None]) -> None:
        super().__init__(context, machinery, close)
        self._lines: deque[Payload] = deque()
        self._dropped = 0  # lines before those
        self._end_of_lines = 0

    def _following(self, source: FollowedLog) -> Following[SyncSnapshot]:
        return source.following

    def _start(self, opened: Opened[FollowedLog], first: Subscriber) -> None:
        if opened.project is None:
            self._execute_each_alone()
            return
        self._served.update(dict.fromkeys(self._subscribers, 0))
        self._spawn(self._read(opened, opened.project))

    def _welcome(self, subscriber: Subscriber, opened: Opened[FollowedLog]) -> None:
        if self._dropped:
            self.leave(subscriber)
            subscriber.execute_alone()
        else:
            self._served[subscriber] = 0
            self._serve(subscriber)

    async def _read(self, opened: Opened[FollowedLog], project: Projection) -> None:
        try:
            async with aclosing(opened.source.lines) as lines:
                async for line in lines:
                    self._add(Payload(project(opened.convert(line))))
        except Exception as error:  # not to start again: clients have got lines already
            self._add(self._failure(error))
        self._is_over = True
        self._delivery.start()

    def _add(self, line: Payload) -> None:
        self._lines.append(line)
        self._delivery.start()

    def _serve(self, subscriber: Subscriber) -> None:
        end = self._dropped + len(self._lines)
        while (number := self._served[subscriber]) < end:
            if not subscriber.show(self._lines[number - self._dropped]):
                return
            self._served[subscriber] = number + 1
        if self._is_over:
            self._end(subscriber)

    def _all_served(self) -> None:
        """Drop old lines that every subscriber has got."""
        if len(self._lines) > KEPT_LINES:
            slowest = min(self._served.values(), default=0)
            while len(self._lines) > KEPT_LINES and self._dropped < slowest:
                self._lines.popleft()
                self._dropped += 1
