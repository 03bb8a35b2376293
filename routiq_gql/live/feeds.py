"""Feeds: the newest value of a topic, held once per process for all its followers.

A feed reads the database; its followers never do. Sync feeds are in ``sync_feeds``, those of dashboards in
``organizations.dashboard_feeds``. A follower is called and never awaited, so thousands of followers cost no task. A
feed holds one value and no queue: a follower that can't keep up asks for the newest value later.
"""

from abc import ABC, abstractmethod
from typing import Generic, Protocol, TypeVar

import structlog

from routiq_gql.errors import DatabaseAway, RoutiqError, frames_of

T = TypeVar("T")
T_contra = TypeVar("T_contra", contravariant=True)

log = structlog.get_logger(__name__)


class Follower(Protocol[T_contra]):
    """A consumer of a feed. Its methods are called on the event loop and must not block.

    They may close any following of the feed, including their own.
    """

    def on_value(self, value: T_contra) -> None:
        """Take a value that is newer than all before. Not called for the value at attachment."""

    def on_end(self, error: RoutiqError | None) -> None:
        """Note the end. This is the last call.

        Args:
            error: ``None`` after the terminal value, ``SyncNotFound`` once the sync is erased, and ``DatabaseAway``
                when the process stops.
        """


class Following(Generic[T]):
    """A follower's place in a feed. Close it, or the feed stays open."""

    __slots__ = ("_feed", "_follower")

    def __init__(self, feed: "Feed[T]", follower: Follower[T] | None) -> None:
        self._feed = feed
        self._follower = follower

    @property
    def value(self) -> T:
        """The newest value of the feed; after its end, the last."""
        return self._feed.value

    async def fresh(self) -> None:
        """Make ``value`` at least as new as the database at the time of this call; see ``Feed.fresh``.

        Raises:
            SyncNotFound: The sync is erased.
            StorageError: The database can't be read.
        """
        await self._feed.fresh()

    def close(self) -> None:
        """Receive no more calls. The last follower closes the feed. May be called again."""
        if self._follower is not None:
            self._follower = None
            self._feed.leave(self)

    def notify(self, value: T) -> None:
        """Call the follower with a new value, unless it has left. For the feed."""
        if self._follower is not None:
            try:
                self._follower.on_value(value)
            except Exception as error:
                _log_failure(error)

    def end(self, error: RoutiqError | None) -> None:
        """Call the follower for the last time, unless it has left. For the feed."""
        follower, self._follower = self._follower, None
        if follower is not None:
            try:
                follower.on_end(error)
            except Exception as failure:
                _log_failure(failure)


class Feed(ABC, Generic[T]):
    """The newest value of a topic.

    A subclass keeps the value current through ``_publish`` and ``_end``.

    Attributes:
        has_ended: Whether it has ended; then the value never changes again.
    """

    def __init__(self) -> None:
        self._value: T | None = None
        self._followings: dict[Following[T], None] = {}
        self._opening = 0
        self._error: RoutiqError | None = None
        self.has_ended = False

    @property
    def value(self) -> T:
        """The newest value.

        Raises:
            LookupError: No value was read yet.
        """
        if self._value is None:
            raise LookupError("The feed has no value yet.")
        return self._value

    @property
    def follower_count(self) -> int:
        """How many followers the feed has, not counting those that are about to join."""
        return len(self._followings)

    async def follow(self, follower: Follower[T]) -> Following[T]:
        """Attach ``follower``. The value is then at least as new as the database at the time of this call.

        If that value is terminal, the following is closed already and ``follower`` is never called.

        Raises:
            SyncNotFound: The sync is erased.
            StorageError: The database can't be read, or the process is stopping.
        """
        self._opening += 1
        try:
            await self.fresh()
            if self._error is not None:
                raise self._error
            if self.has_ended:
                return Following(self, None)
            following = Following(self, follower)
            self._followings[following] = None
            return following
        finally:
            self._opening -= 1
            self._close_if_unused()

    @abstractmethod
    async def fresh(self) -> None:
        """Make the value at least as new as the database at the time of this call.

        While the change token of the last read is still valid, this returns without waiting. Otherwise all callers of
        the same moment share a read.

        Raises:
            SyncNotFound: The sync is erased.
            StorageError: The database can't be read.
        """

    @abstractmethod
    def _closed(self) -> None:
        """Drop the feed: nothing uses it any more, or it has ended."""

    def stop(self) -> None:
        """End, since the process is stopping."""
        self._end(stopping())

    def leave(self, following: Following[T]) -> None:
        """Remove a following that was closed."""
        self._followings.pop(following, None)
        self._close_if_unused()

    def _publish(self, value: T) -> None:
        """Replace the value by a newer one, and call the followers."""
        if self.has_ended:
            return
        self._value = value
        for following in list(self._followings):
            if self._value is not value:  # a follower has caused a newer value, which all have received
                return
            following.notify(value)

    def _end(self, error: RoutiqError | None) -> None:
        """End after the terminal value, or with an error."""
        if self.has_ended:
            return
        self.has_ended, self._error = True, error
        followings, self._followings = self._followings, {}
        self._closed()
        for following in followings:
            following.end(error)

    def _close_if_unused(self) -> None:
        if not self._followings and not self._opening and not self.has_ended:
            self._closed()


def stopping() -> DatabaseAway:
    """The error of followers of a process that stops."""
    return DatabaseAway("The server is stopping. Connect again.")


def _log_failure(error: Exception) -> None:
    """Log that a follower has failed. All followers are called with the next value, including this follower."""
    log.error("follower_failed", error=type(error).__name__, where=frames_of(error))
