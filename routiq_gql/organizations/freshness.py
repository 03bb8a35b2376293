"""How fresh the published data of an organization is: as of when it is, and until when it counts as fresh.

Both follow from stored values alone and not from the time of the reader, so an idle dashboard never changes by itself.
A client compares ``fresh_until`` with its own clock.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from statistics import median

from routiq_gql.connections.state import ConnectionState
from routiq_gql.database.organization_facts import CompletedSync, OrganizationFacts
from routiq_gql.database.rows import MirrorRow, ScheduleRow
from routiq_gql.settings import Settings
from routiq_gql.sync.model import SyncMode
from routiq_gql.sync.plan import decide, horizon_of

GRACE = timedelta(minutes=2)
"""A due sync starts up to a minute late if a worker has just died, and may wait a minute for Cliniko's rate limit."""
USUAL_TIMES = 1.5
"""How many times its usual duration a sync may take: Cliniko's answers are slower at some hours."""


@dataclass(frozen=True, slots=True)
class Freshness:
    """The age of the published data.

    Attributes:
        checked_at: When the newest completed sync compared it with Cliniko.
        fresh_until: When the next scheduled sync should have completed; ``None`` if no schedule starts one. A sync
            that fails does not change it.
    """

    checked_at: datetime
    fresh_until: datetime | None


def freshness_of(facts: OrganizationFacts, settings: Settings) -> Freshness | None:
    """The freshness of the organization's data; ``None`` before its first completed sync.

    Also ``None`` after a switch to another account of Cliniko, until a sync of that account has completed.
    """
    completed = facts.completed
    if completed is None or facts.mirror is None or facts.mirror.sync == 0:
        return None
    checked_at = datetime.fromisoformat(completed.checked_at) if completed.checked_at else completed.completed_at
    is_scheduled = facts.connection_state not in {None, ConnectionState.DISABLED.value}
    if facts.schedule is None or not is_scheduled:
        return Freshness(checked_at, None)
    due = _due_after(completed, facts.schedule)
    seconds = USUAL_TIMES * _usual_seconds(facts, facts.mirror, settings, due)
    return Freshness(checked_at, due + timedelta(milliseconds=ceil(seconds * 1000)) + GRACE)


def _due_after(completed: CompletedSync, schedule: ScheduleRow) -> datetime:
    """The first time of the schedule after the end of the sync; a time at which it still ran was skipped."""
    every = timedelta(seconds=schedule.every_seconds)
    due = schedule.next_at - (schedule.next_at - completed.completed_at) // every * every
    if due <= completed.completed_at:
        due += every
    return max(due, schedule.first_at) if schedule.first_at is not None else due


def _usual_seconds(facts: OrganizationFacts, mirror: MirrorRow, settings: Settings, due: datetime) -> float:
    """The median duration of earlier syncs in the mode that a sync started at ``due`` will have."""
    horizon = horizon_of(mirror, settings, due)
    mode = decide(SyncMode.AUTO, mirror, mirror.account or "", horizon, settings, due).mode
    seconds = facts.seconds.get(mode.value) or [one for of_mode in facts.seconds.values() for one in of_mode]
    return median(seconds) if seconds else 0.0
