"""Delivers committed snapshots to the feeds of this process. The bus only adds speed: feeds also read the database.

``publish`` is a plain call made after a commit. Feeds are called in the same turn of the event loop, so no snapshot
waits in a queue. Each topic has one listener at most.
"""

from collections.abc import Callable
from typing import Protocol

from routiq_gql.live.topics import Topic, topics_of
from routiq_gql.sync.model import SyncSnapshot


class Listener(Protocol):
    """A feed, as a bus calls it."""

    def on_snapshot(self, snapshot: SyncSnapshot) -> None:
        """Take a committed snapshot of the topic. Snapshots may repeat, and may arrive out of order."""

    def lacks(self, key: int, version: int) -> bool:
        """Whether this version of the sync may be news for the feed."""


class ProgressBus(Protocol):
    """The interface of a bus, as the sync code and the feeds use it."""

    def publish(self, snapshot: SyncSnapshot) -> None:
        """Deliver a snapshot in all processes. Only committed snapshots may be published."""

    def deliver(self, snapshot: SyncSnapshot) -> None:
        """Deliver a snapshot in this process only, such as a row that was read."""

    def listen(self, topic: Topic, listener: Listener) -> None:
        """Call ``listener`` with the snapshots of a topic, which has no other listener."""

    def leave(self, topic: Topic, listener: Listener) -> None:
        """Stop calling ``listener``; do nothing if it does not listen to the topic."""

    def on_gap(self, call: Callable[[], None]) -> None:
        """Call ``call`` whenever snapshots of other processes may have been missed."""


class InProcessBus:
    """The bus of a process: a dictionary of listeners."""

    def __init__(self) -> None:
        self._listeners: dict[Topic, Listener] = {}

    def publish(self, snapshot: SyncSnapshot) -> None:
        self.deliver(snapshot)

    def deliver(self, snapshot: SyncSnapshot) -> None:
        for topic in topics_of(snapshot):
            listener = self._listeners.get(topic)
            if listener is not None:
                listener.on_snapshot(snapshot)

    def listen(self, topic: Topic, listener: Listener) -> None:
        self._listeners[topic] = listener

    def leave(self, topic: Topic, listener: Listener) -> None:
        if self._listeners.get(topic) is listener:
            del self._listeners[topic]

    def on_gap(self, call: Callable[[], None]) -> None:
        """Do nothing: snapshots within a process are never missed."""
