"""Publishes states of syncs on command, in a server of the benchmark."""

import time
from collections import deque
from collections.abc import Callable, Sequence

from routiq_gql.sync.model import SyncSnapshot
from tests.bench.live.control import Answer, Command
from tests.bench.live.states import FIRST_VERSION, next_state

Publish = Callable[[SyncSnapshot], None]


class Publisher:
    """The states of some syncs. Each ``publish`` publishes the next state of every sync.

    Args:
        publish: Called once for each sync.
    """

    def __init__(self, syncs: Sequence[SyncSnapshot], publish: Publish) -> None:
        self._syncs = syncs
        self._publish = publish
        self._version = FIRST_VERSION
        self._prepared: deque[list[SyncSnapshot]] = deque()

    @property
    def commands(self) -> dict[str, Command]:
        return {"prepare": self.prepare, "publish": self.publish}

    def prepare(self, rounds: str) -> Answer:
        """Make the states of so many publications now, so that making them is not measured."""
        first = self._version + 1
        self._prepared = deque(self._made(first + number) for number in range(int(rounds)))
        return {}

    def publish(self) -> Answer:
        """Returns the version, and the time of the publication in nanoseconds of the monotonic clock."""
        self._version += 1
        states = self._prepared.popleft() if self._prepared else self._made(self._version)
        at = time.monotonic_ns()
        for state in states:
            self._publish(state)
        return {"version": self._version, "at": at}

    def _made(self, version: int) -> list[SyncSnapshot]:
        return [next_state(sync, version) for sync in self._syncs]
