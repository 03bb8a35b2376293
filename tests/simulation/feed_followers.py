"""Clients that are called by feeds, as sockets are: they attach, request fresh values, leave, and check every call.

*back*: a value is never older than the one before, nor than what was committed when it was requested. *stuck*: the end
of the sync arrives, and nothing after it. *publish*: each value is committed.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from random import Random
from typing import Generic, TypeVar

from routiq_gql.errors import DatabaseAway, RoutiqError, SyncNotFound
from routiq_gql.live.feeds import Following
from routiq_gql.organizations.dashboard import Dashboard
from routiq_gql.security.viewer import Viewer
from routiq_gql.sync.model import SyncSnapshot
from tests.simulation.invariants import Ledger
from tests.simulation.process import Process

T = TypeVar("T")
Age = tuple[int, bool, int]
"""The newest sync's number, whether it has ended, and its version: a later state has a greater age."""
LATE_SECONDS = 30.0
"""An undisturbed process shows each state within this virtual time, even on a slow disk and without notifications."""
_STAY_SECONDS = (0.05, 0.3, 1.0, 4.0, 60.0)


class FeedFollower(ABC, Generic[T]):
    """A follower of a sync's progress or of its organization's dashboard, until the sync has ended.

    Attributes:
        has_joined: Whether it has ever attached to a feed that had other followers.
    """

    kind = ""

    def __init__(
        self, viewer: Viewer, sync_id: str, ledger: Ledger, serving: Callable[[], Awaitable[Process]], chance: Random
    ) -> None:
        self.has_joined = False
        self._viewer = viewer
        self._sync_id = sync_id
        self._ledger = ledger
        self._serving = serving
        self._chance = chance
        self._key = next(key for key, one in ledger.syncs.items() if one["sync_id"] == sync_id)
        self._age: Age = (0, False, 0)
        self._following: Following[T] | None = None
        self._is_open = self._has_ended = False

    async def follow(self) -> None:
        """Follow until the end was shown, in any number of processes, and leave now and then."""
        while not self._has_ended:
            process = await self._serving()
            if await self._call(process, self._attach):
                await self._stay(process)
                if self._following is not None and not process.is_dead:
                    self._following.close()
            self._is_open = False
            await asyncio.sleep(0.05)

    def take(self, value: T) -> None:
        """Check a value that a feed has called for."""
        self._require_open()
        before = self._age
        self._note(value)
        if self._age < before or (self.kind == "progress" and self._age == before):
            self._ledger.fail("back", f"a {self.kind} follower gets {self._age} after {before}")

    def end(self, error: RoutiqError | None, process: Process) -> None:
        """Check the end of a feed of this process."""
        self._require_open()
        self._is_open = False
        if isinstance(error, DatabaseAway) and not process.is_serving:
            return  # it connects to another process
        self._has_ended = True
        if error is not None or not self._age[1]:
            self._ledger.fail("stuck", f"a {self.kind} follower ends at {self._age} with {error!r}")

    async def _call(self, process: Process, step: Callable[[Process], Awaitable[None]]) -> bool:
        """Whether the process has done this."""
        task = process.run(step(process))  # type: ignore[arg-type]
        await asyncio.wait([task])
        if task.cancelled():
            return False
        if (error := task.exception()) is not None:
            is_away = isinstance(error, RoutiqError) and not isinstance(error, SyncNotFound)
            if not process.is_dead and not (is_away and not process.is_serving):
                raise error
            return False
        return True

    async def _attach(self, process: Process) -> None:
        assert process.runtime is not None
        feeds = process.runtime.syncs.feeds
        self.has_joined = self.has_joined or any(feed.follower_count for feed in (*feeds.syncs, *feeds.dashboards))
        least = self._committed()
        self._following = await self._open(process)
        self._is_open = True
        self._note(self._following.value)
        self._check_age("attaches to", least)
        if self.kind == "progress" and self._age[1]:
            self._is_open, self._has_ended = False, True

    async def _stay(self, process: Process) -> None:
        """Stay for a while, and request fresh values meanwhile."""
        loop = asyncio.get_running_loop()
        until, current_at = loop.time() + self._chance.choice(_STAY_SECONDS), loop.time()
        while process.is_serving and self._is_open and not self._has_ended and loop.time() < until:
            if self._chance.random() < 0.3 and not await self._call(process, self._fresh):
                return
            await asyncio.sleep(self._chance.choice((0.0, 0.02, 0.1, 0.5)))
            if self._committed() == self._age or self._is_disturbed(loop.time() - LATE_SECONDS):
                current_at = loop.time()
            elif loop.time() - current_at > LATE_SECONDS:
                self._ledger.fail("stuck", f"a {self.kind} follower still shows {self._age} of {self._committed()}")

    async def _fresh(self, process: Process) -> None:
        assert self._following is not None
        least = self._committed()
        await self._following.fresh()
        self._note(self._following.value)
        self._check_age("has fresh", least)

    def _check_age(self, what: str, least: Age) -> None:
        if self._age < least:
            self._ledger.fail("back", f"a {self.kind} follower {what} {self._age}, and {least} was committed")

    def _require_open(self) -> None:
        if not self._is_open:
            self._ledger.fail("stuck", f"a {self.kind} follower is called after the end of its following")

    def _is_disturbed(self, since: float) -> bool:
        return any(one.is_frozen or one.disturbed_at >= since for one in self._ledger.processes)

    def _note_sync(self, sync: SyncSnapshot) -> None:
        self._ledger.note_published(sync)
        if sync.organization_id != self._viewer.organization_id:
            self._ledger.fail("others", f"a follower of {self._viewer.organization_id} gets {sync.sync_id}")

    @abstractmethod
    def _committed(self) -> Age:
        """The age of the committed state."""

    @abstractmethod
    async def _open(self, process: Process) -> Following[T]: ...

    @abstractmethod
    def _note(self, value: T) -> None:
        """Check a value, and note its age."""


class Place(Generic[T]):
    """The connection of a follower to a process, which ends with the process."""

    def __init__(self, follower: FeedFollower[T], process: Process) -> None:
        self._follower = follower
        self._process = process

    def on_value(self, value: T) -> None:
        if not self._process.is_dead:
            self._follower.take(value)

    def on_end(self, error: RoutiqError | None) -> None:
        if not self._process.is_dead:
            self._follower.end(error, self._process)


class ProgressFollower(FeedFollower[SyncSnapshot]):
    """A follower of a sync."""

    kind = "progress"

    def _committed(self) -> Age:
        known = self._ledger.syncs[self._key]
        return self._key, not known.is_active, known["version"]

    async def _open(self, process: Process) -> Following[SyncSnapshot]:
        assert process.runtime is not None
        place = Place(self, process)
        return await process.runtime.syncs.follow_progress(self._viewer, self._sync_id, place)

    def _note(self, value: SyncSnapshot) -> None:
        self._note_sync(value)
        self._age = value.key, value.is_terminal, value.version


class DashboardFollower(FeedFollower[Dashboard]):
    """A follower of the dashboard of a sync's organization."""

    kind = "dashboard"

    def _committed(self) -> Age:
        mine = [
            one
            for one in self._ledger.syncs.values()
            if one.organization.name == self._viewer.organization_id and one.is_shown
        ]
        newest = max(mine, key=lambda one: one["key"])
        return newest["key"], not newest.is_active, newest["version"]

    async def _open(self, process: Process) -> Following[Dashboard]:
        assert process.runtime is not None
        assert self._viewer.organization_id is not None
        place = Place(self, process)
        return await process.runtime.syncs.follow_dashboard(self._viewer, self._viewer.organization_id, place)

    def _note(self, value: Dashboard) -> None:
        newest = value.current_sync or value.last_sync
        if newest is None:
            return
        self._note_sync(newest)
        self._age = newest.key, newest.is_terminal, newest.version
        if value.current_sync is not None and value.last_sync is not None and value.last_sync.key >= newest.key:
            self._ledger.fail("back", f"a dashboard shows {value.current_sync} beside {value.last_sync}")
        if (newest.key, newest.is_terminal) >= (self._key, True):
            self._has_ended = True
