"""Observes the syncs that time alone makes. Kills the process of one in its middle, or has a client start another."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import pytest

from routiq_gql.database.time_only import DueMirror
from routiq_gql.engines import time_only
from routiq_gql.engines.time_only import TimeOnlySyncs
from routiq_gql.sync.model import SyncSnapshot
from tests.simulation.rare import RareStates


class TimeOnlyObserver:
    """Observes the time-only syncs of all processes.

    Attributes:
        kills_after: Steps after the beginning of the next at which ``kill`` is to end its process; 0 for never.
        slow_steps: Steps that pass before the beginning of the next, while ``start`` starts a sync; 0 for none.
        writing: How many are being written.
    """

    def __init__(self, rare: RareStates, kill: Callable[[int], None], start: Callable[[str], None]) -> None:
        self.kills_after = 0
        self.slow_steps = 0
        self.writing = 0
        self._rare = rare
        self._kill = kill
        self._start = start

    def observe(self, patch: pytest.MonkeyPatch) -> None:
        """Observe them until the patches end."""
        publish, due_mirrors = TimeOnlySyncs.publish_due, time_only.due_mirrors

        async def observed_due(*arguments: Any) -> Sequence[DueMirror]:
            due = await due_mirrors(*arguments)
            if due and self.slow_steps:
                steps, self.slow_steps = self.slow_steps, 0
                self._start(due[0].organization_id)
                for _ in range(steps):
                    await asyncio.sleep(0)
            return due

        async def observed(syncs: TimeOnlySyncs, mirror: DueMirror, now: datetime) -> SyncSnapshot | None:
            if self.kills_after:
                self._kill(self.kills_after)
                self.kills_after = 0
            self.writing += 1
            try:
                published = await publish(syncs, mirror, now)
            finally:
                self.writing -= 1
            self._rare.reach("a time-only sync" if published else "a time-only sync that another sync prevents")
            return published

        patch.setattr(TimeOnlySyncs, "publish_due", observed)
        patch.setattr(time_only, "due_mirrors", observed_due)
