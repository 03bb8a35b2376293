"""A sync as a simulation sees it: each state that was committed, and what its process has sent."""

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from routiq_gql.sync.model import SyncMode
from tests.simulation.reader import SHOWN
from tests.simulation.time_only_checks import TIME_ONLY
from tests.sync.histories.steps import HISTORY_DAYS
from tests.sync.histories.world import Organization

COLUMNS = [name.strip() for name in SHOWN.split(",")] + ["epoch", "claimed_by", "checkpoint"]
PLACE = {name: place for place, name in enumerate(COLUMNS)}
VISIBLE = len(SHOWN.split(","))


class Violated(AssertionError):
    """An invariant does not hold."""

    def __init__(self, invariant: str, what: str) -> None:
        super().__init__(f"{invariant}: {what}")
        self.invariant = invariant


@dataclass
class SyncStory:
    """A sync as it was committed, with its history.

    Attributes:
        horizon: The start of the clinic's appointments that it reads.
        was_honest: Whether Cliniko and the network have had no fault since it began.
        was_cancelled: Whether somebody has asked for its end.
        commits: How many commits have changed it.
        times: When each version was committed, in virtual seconds.
        requests: Its requests that have reached Cliniko.
        is_refresh: Whether a look at Cliniko has started it.
        wait_ends: When the wait that it shows will end, in virtual seconds; ``None`` without a wait.
        read_from: Cliniko's time before it has read the first list.
        pages: The pages of lists that it has requested, and ``read_again`` how many of them repeatedly.
    """

    row: tuple[Any, ...]
    organization: Organization
    horizon: datetime
    was_honest: bool = True
    was_cancelled: bool = False
    commits: int = 0
    versions: dict[int, tuple[Any, ...]] = field(default_factory=dict)
    times: dict[int, float] = field(default_factory=dict)
    requests: int = 0
    read_from: datetime | None = None
    pages: set[tuple[Any, ...]] = field(default_factory=set)
    read_again: int = 0
    is_refresh: bool = False
    wait_ends: float | None = None

    def __getitem__(self, name: str) -> Any:
        return self.row[PLACE[name]]

    @property
    def is_active(self) -> bool:
        return self["completed_at"] is None

    @property
    def reads_cliniko(self) -> bool:
        return bool(self["mode"] != TIME_ONLY)

    @property
    def is_shown(self) -> bool:
        """Whether dashboards show it as the current or the last sync."""
        is_notable = self["status"] == "failed" or self["mode"] == SyncMode.FULL.value
        return self.reads_cliniko and (not self.is_refresh or is_notable)


def part_of(known: SyncStory) -> str | None:
    """The part of the sync that the checkpoint names."""
    part: str | None = json.loads(known["checkpoint"] or "{}").get("part")
    return part


def horizon_at(started_at: datetime, earlier: datetime | None) -> datetime:
    """The start of the appointments that a sync reads, which never moves back."""
    start = started_at.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=HISTORY_DAYS)
    return start if earlier is None else max(start, earlier)
