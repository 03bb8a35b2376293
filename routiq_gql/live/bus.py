"""Who is told about a committed snapshot. Telling is for speed only: watchers read the database for truth.

``publish`` is a plain call made after a commit. A subscription holds the latest snapshot, never a queue, so a slow
watcher costs nothing and wakes to the newest state.
"""

import asyncio
from collections import defaultdict
from types import TracebackType
from typing import Protocol, Self

from routiq_gql.live.topics import Topic, topics_of
from routiq_gql.sync.model import SyncSnapshot
from routiq_gql.waiting import set_within


class ProgressBus(Protocol):
    """What the sync code needs of whatever carries the news."""

    @property
    def watcher_count(self) -> int:
        """How many subscriptions are open."""

    def publish(self, snapshot: SyncSnapshot) -> None:
        """Tell everyone who watches the sync or its organization. Only committed snapshots may be published."""

    def subscribe(self, topic: Topic) -> "Subscription":
        """Watch a sync or an organization; use as a context manager, and read the row after entering."""


class Subscription:
    """The latest snapshot published about one topic since the subscription was entered."""

    def __init__(self, bus: "InProcessBus", topic: Topic) -> None:
        self._bus = bus
        self._topic = topic
        self._told = asyncio.Event()
        self._latest: SyncSnapshot | None = None

    def __enter__(self) -> Self:
        self._bus.add(self._topic, self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bus.remove(self._topic, self)

    def tell(self, snapshot: SyncSnapshot) -> None:
        """Keep ``snapshot`` if it is newer, and wake whoever waits."""
        latest = self._latest
        if latest is None or (snapshot.key, snapshot.version) > (latest.key, latest.version):
            self._latest = snapshot
        self._told.set()

    async def wait(self, seconds: float) -> SyncSnapshot | None:
        """The latest snapshot as soon as there is news, or ``None`` after ``seconds`` without any."""
        if not await set_within(self._told, seconds):
            return None
        self._told.clear()
        return self._latest


class InProcessBus:
    """The bus of one process: a dictionary of subscriptions."""

    def __init__(self) -> None:
        self._subscriptions: dict[Topic, set[Subscription]] = defaultdict(set)

    @property
    def watcher_count(self) -> int:
        """How many subscriptions are open."""
        return sum(len(subscriptions) for subscriptions in self._subscriptions.values())

    def publish(self, snapshot: SyncSnapshot) -> None:
        for topic in topics_of(snapshot):
            for subscription in self._subscriptions.get(topic, ()):
                subscription.tell(snapshot)

    def subscribe(self, topic: Topic) -> Subscription:
        return Subscription(self, topic)

    def add(self, topic: Topic, subscription: Subscription) -> None:
        self._subscriptions[topic].add(subscription)

    def remove(self, topic: Topic, subscription: Subscription) -> None:
        self._subscriptions[topic].discard(subscription)
        if not self._subscriptions[topic]:
            del self._subscriptions[topic]
