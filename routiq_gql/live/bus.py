"""Publishes committed snapshots to subscribers. The bus only adds speed: subscribers read the state from the database.

``publish`` is a plain call made after a commit. A subscription holds the latest snapshot, never a queue, so a slow
subscriber costs nothing and gets the newest state.
"""

import asyncio
from collections import defaultdict
from types import TracebackType
from typing import Protocol, Self

from routiq_gql.live.topics import Topic, topics_of
from routiq_gql.sync.model import SyncSnapshot
from routiq_gql.waiting import set_within


class ProgressBus(Protocol):
    """The interface of a bus, as the sync code uses it."""

    @property
    def watcher_count(self) -> int:
        """How many subscriptions are open."""

    def publish(self, snapshot: SyncSnapshot) -> None:
        """Notify the subscribers of the sync and of its organization. Only committed snapshots may be published."""

    def subscribe(self, topic: Topic) -> "Subscription":
        """Subscribe to a sync or an organization; use as a context manager, and read the row after entering."""


class Subscription:
    """The latest snapshot published on a topic since the subscription was entered."""

    def __init__(self, bus: "InProcessBus", topic: Topic) -> None:
        self._bus = bus
        self._topic = topic
        self._is_updated = asyncio.Event()
        self._latest: SyncSnapshot | None = None

    def __enter__(self) -> Self:
        self._bus.add(self._topic, self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bus.remove(self._topic, self)

    def notify(self, snapshot: SyncSnapshot) -> None:
        """Keep ``snapshot`` if it is newer, and wake the waiting task."""
        latest = self._latest
        if latest is None or (snapshot.key, snapshot.version) > (latest.key, latest.version):
            self._latest = snapshot
        self._is_updated.set()

    async def wait(self, seconds: float) -> SyncSnapshot | None:
        """The latest snapshot as soon as there is an update, or ``None`` after ``seconds`` without an update."""
        if not await set_within(self._is_updated, seconds):
            return None
        self._is_updated.clear()
        return self._latest


class InProcessBus:
    """The bus of a process: a dictionary of subscriptions."""

    def __init__(self) -> None:
        self._subscriptions: dict[Topic, set[Subscription]] = defaultdict(set)

    @property
    def watcher_count(self) -> int:
        """How many subscriptions are open."""
        return sum(len(subscriptions) for subscriptions in self._subscriptions.values())

    def publish(self, snapshot: SyncSnapshot) -> None:
        for topic in topics_of(snapshot):
            for subscription in self._subscriptions.get(topic, ()):
                subscription.notify(snapshot)

    def subscribe(self, topic: Topic) -> Subscription:
        return Subscription(self, topic)

    def add(self, topic: Topic, subscription: Subscription) -> None:
        self._subscriptions[topic].add(subscription)

    def remove(self, topic: Topic, subscription: Subscription) -> None:
        self._subscriptions[topic].discard(subscription)
        if not self._subscriptions[topic]:
            del self._subscriptions[topic]
