"""Observes the syncs that time alone makes, and kills the process of one of them in its middle."""

from collections.abc import Callable
from datetime import datetime

import pytest

from routiq_gql.database.time_only import DueMirror
from routiq_gql.engines.time_only import TimeOnlySyncs
from routiq_gql.sync.model import SyncSnapshot
from tests.simulation.rare import RareStates


class TimeOnlyObserver:
    """Observes the time-only syncs of all processes.

    Attributes:
        kills_after: Steps after the beginning of the next at which ``kill`` is to end its process; 0 for never.
        writing: How many are being written.
    """

    def __init__(self, rare: RareStates, kill: Callable[[int], None]) -> None:
        self.kills_after = 0
        self.writing = 0
        self._rare = rare
        self._kill = kill

    def observe(self, patch: pytest.MonkeyPatch) -> None:
        """Observe them until the patches end."""
        publish = TimeOnlySyncs.publish_due

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
