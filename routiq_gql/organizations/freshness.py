"""How fresh the published data of an organization is: as of when it is, and until when it counts as fresh.

Both follow from stored values and not from the time of the reader, so an idle dashboard never changes by itself. A
client compares ``fresh_until`` with its own clock. Only whether clients read the organization depends on the time.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from math import ceil
from statistics import median

from routiq_gql.cliniko import WINDOW_SECONDS
from routiq_gql.connections.state import ConnectionState
from routiq_gql.database.organization_facts import CompletedSync, OrganizationFacts
from routiq_gql.database.rows import MirrorRow, ScheduleRow
from routiq_gql.settings import Settings
from routiq_gql.sync.look_times import LookTimes
from routiq_gql.sync.looking import LOOK_REQUESTS
from routiq_gql.sync.model import SyncMode
from routiq_gql.sync.parts import PARTS
from routiq_gql.sync.plan import COMPARE_EVERY, decide, horizon_of

GRACE = timedelta(minutes=2)
"""A due sync starts up to a minute late if a worker has just died, and may wait a minute for Cliniko's rate limit."""
LONGEST_PART = timedelta(seconds=40)
"""Between two parts of a comparison, for which the share of a pace of 180 requests a minute leaves room every 31 s."""
USUAL_TIMES = 1.5
"""How many times its usual duration a sync may take: Cliniko's answers are slower at some hours."""


class FreshnessMode(StrEnum):
    """How the data is kept up to date.

    Attributes:
        ON_DEMAND: By syncs that people start.
        SCHEDULED: By the organization's schedule, too.
        LIVE: By looks at Cliniko, which start a sync as soon as something has changed.
        UNWATCHED: The same, but by rarer looks, as no client has read the organization for some minutes.
    """

    ON_DEMAND = "on_demand"
    SCHEDULED = "scheduled"
    LIVE = "live"
    UNWATCHED = "unwatched"


@dataclass(frozen=True, slots=True)
class Freshness:
    """The age of the published data.

    Attributes:
        checked_at: When the newest completed sync compared it with Cliniko.
        fresh_until: When the next scheduled sync should have completed; ``None`` if no schedule starts one. A sync
            that fails does not change it.
        mode: How the data is kept up to date, while the connection can be used.
        requests_per_minute: Requests that looks and their syncs may send; ``None`` in other modes and without a pace.
        look_interval_seconds: Seconds between two looks; ``None`` in other modes. More after failures, and after
            Cliniko's rate limit was reached.
    """

    checked_at: datetime
    fresh_until: datetime | None
    mode: FreshnessMode = FreshnessMode.ON_DEMAND
    requests_per_minute: int | None = None
    look_interval_seconds: int | None = None


def freshness_of(facts: OrganizationFacts, settings: Settings, now: datetime) -> Freshness | None:
    """The freshness of the organization's data at this time; ``None`` before its first completed sync.

    Also ``None`` after a switch to another account of Cliniko, until a sync of that account has completed.
    """
    completed = facts.completed
    if completed is None or facts.mirror is None or facts.mirror.sync == 0:
        return None
    checked_at = datetime.fromisoformat(completed.checked_at) if completed.checked_at else completed.completed_at
    if _is_live(facts, settings):
        times, share = LookTimes(settings), settings.refresh_share
        is_watched = times.is_watched(facts.watched_at, now)
        mode = FreshnessMode.LIVE if is_watched else FreshnessMode.UNWATCHED
        allowance = share if facts.allowance is None else min(share, facts.allowance)
        interval = _interval(facts, settings, times, allowance, now)
        until = checked_at + COMPARE_EVERY + len(PARTS) * max(interval, LONGEST_PART) + GRACE
        wait = max(times.wait(facts.look_failures, is_watched=is_watched), interval)
        return Freshness(checked_at, until, mode, allowance or None, round(wait.total_seconds()))
    is_scheduled = facts.connection_state not in {None, ConnectionState.DISABLED.value}
    if facts.schedule is None or not is_scheduled:
        return Freshness(checked_at, None)
    due = _due_after(completed, facts.schedule)
    seconds = USUAL_TIMES * _usual_seconds(facts, facts.mirror, settings, due)
    until = due + timedelta(milliseconds=ceil(seconds * 1000)) + GRACE
    return Freshness(checked_at, until, FreshnessMode.SCHEDULED)


def _interval(
    facts: OrganizationFacts, settings: Settings, times: LookTimes, allowance: int, now: datetime
) -> timedelta:
    """The time between two looks without failures, with the turns of other organizations with the same API key."""
    is_watched = times.is_watched(facts.watched_at, now)
    live = [one.watched_at for one in facts.sharers if one.is_live_asked or settings.refresh_seconds > 0]
    if not (live or allowance < settings.refresh_share) or not allowance:
        return times.interval if is_watched else times.unwatched_interval
    watched = [times.is_watched(one, now) for one in (facts.watched_at, *live)].count(True)
    looks_per_minute = 60 / WINDOW_SECONDS * max(1, allowance // LOOK_REQUESTS)
    return times.turn(watched, len(live) + 1 - watched, looks_per_minute, is_watched=is_watched)


def _is_live(facts: OrganizationFacts, settings: Settings) -> bool:
    is_wanted = facts.is_live_asked or settings.refresh_seconds > 0
    return is_wanted and facts.connection_state == ConnectionState.CONNECTED.value


def _due_after(completed: CompletedSync, schedule: ScheduleRow) -> datetime:
    """The first time of the schedule after the end of the sync; a time at which it still ran was skipped."""
    due = schedule.after(completed.completed_at)
    return max(due, schedule.first_at) if schedule.first_at is not None else due


def _usual_seconds(facts: OrganizationFacts, mirror: MirrorRow, settings: Settings, due: datetime) -> float:
    """The median duration of earlier syncs in the mode that a sync started at ``due`` will have."""
    horizon = horizon_of(mirror, settings, due)
    mode = decide(SyncMode.AUTO, mirror, mirror.account or "", horizon, settings, due).mode
    seconds = facts.seconds.get(mode.value) or [one for of_mode in facts.seconds.values() for one in of_mode]
    return median(seconds) if seconds else 0.0
