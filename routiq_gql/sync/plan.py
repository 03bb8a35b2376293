"""The plan of a sync: whether it reads everything, and which changes and appointments it reads.

Decided once, in step 3, and part of every later checkpoint. The next sync needs parts of it, which the publication
stores in ``mirrors``. ``decide`` names each reason for reading everything, since that costs a clinic most requests.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from routiq_gql.cliniko import Horizon
from routiq_gql.database.rows import MirrorRow
from routiq_gql.settings import Settings
from routiq_gql.sync.model import SyncMode
from routiq_gql.sync.parts import LAST_PART, PARTS

MIRROR_FORMAT = 1
"""Raise it when the mirror holds more or other content of a row: then the next sync of each clinic reads everything."""
OVERLAP = timedelta(minutes=10)
"""A mark lies this much before the reading, as Cliniko's clock and the time of a commit there may differ."""
DAY = timedelta(days=1)
COMPARE_EVERY = timedelta(minutes=15)
"""How often the syncs that follow from looks compare the mirror with Cliniko; the others read changes only."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a sync reads.

    Attributes:
        mode: FULL or INCREMENTAL, never AUTO.
        mark: The next sync reads the rows that change at this time or later.
        taken_at: The time of this server's clock when the mark was taken.
        since: An incremental sync reads the rows changed at this time or later; ``None`` if everything is read.
        horizon: The appointments that are mirrored.
        history_days: The setting behind the horizon; ``None`` in a database that keeps its window.
        is_baseline: Whether the mirror begins with this sync, so that nothing counts as a change.
        account: A digest of the Cliniko account and person behind the API key.
        lists: The names of the lists that are read; ``None`` for all. A look at Cliniko has found the others unchanged.
        compares: Whether the whole mirror is compared with Cliniko.
        part: The part of a comparison that the sync makes, as an index of ``PARTS``; ``None`` for none.
        leaves_out: Whether the sync makes this part by leaving it out, as comparing its lists has failed several times.
    """

    mode: SyncMode
    mark: datetime
    taken_at: datetime
    since: datetime | None
    horizon: Horizon
    history_days: int | None
    is_baseline: bool
    account: str
    lists: tuple[str, ...] | None = None
    compares: bool = True
    part: int | None = None
    leaves_out: bool = False

    @property
    def is_full(self) -> bool:
        return self.mode is SyncMode.FULL

    def reading_everything(self) -> "Plan":
        """The same plan for a sync that can't read changes only. Its mark stays: it is older than every read row."""
        return replace(self, mode=SyncMode.FULL, since=None, lists=None, compares=True, part=None, leaves_out=False)

    @property
    def compared_lists(self) -> frozenset[str]:
        """The names of the lists that the part compares."""
        return PARTS[self.part] if self.part is not None and not self.leaves_out else frozenset()

    @property
    def ends_comparison(self) -> bool:
        """Whether every list has been compared or left out once the sync is published."""
        return self.compares or self.part == LAST_PART

    def reads(self, list_name: str) -> bool:
        """Whether the sync reads this list."""
        return self.lists is None or list_name in self.lists


@dataclass(frozen=True, slots=True)
class Decision:
    """The mode in effect, and why it is FULL: sentences for the sync's log."""

    mode: SyncMode
    reasons: tuple[str, ...]


def history_days(mirror: MirrorRow, settings: Settings) -> int | None:
    """The days of the horizon; ``None`` while a database of an earlier version keeps its window."""
    is_given = "history_days" in settings.model_fields_set
    return None if mirror.keeps_window and not is_given else settings.history_days


def horizon_of(mirror: MirrorRow, settings: Settings, started_at: datetime) -> Horizon:
    """The horizon of a sync that starts at this time. It begins at midnight UTC.

    It never begins earlier than that of the published sync with the same setting: a clock that was set back would
    otherwise widen it without reading the appointments in between.
    """
    midnight = started_at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    days = history_days(mirror, settings)
    if days is None:
        # Two days more, as the analysis goes by the time at which it begins, which may be on the next day.
        return Horizon(midnight - settings.recent_days * DAY, midnight + (settings.upcoming_days + 2) * DAY)
    start = midnight - days * DAY
    if mirror.horizon_days == days and mirror.horizon_from is not None:
        start = max(start, mirror.horizon_from)
    return Horizon(start)


def decide(
    requested: SyncMode,
    mirror: MirrorRow,
    account: str,
    horizon: Horizon,
    settings: Settings,
    now: datetime,
) -> Decision:
    """The mode of a sync, by its request, the published sync, the account behind the key, and the settings."""
    reasons = list(_obstacles(mirror, account, horizon, settings))
    if requested is SyncMode.FULL and mirror.sync:  # a first sync reads everything, requested or not
        reasons.append("a full sync was requested")
    elif requested is SyncMode.AUTO and not reasons and mirror.full_at is not None:
        if mirror.full_at > now:
            reasons.append("the last full sync lies in the future, so the clock was or is wrong")
        elif now - mirror.full_at >= settings.full_sync_days * DAY:
            reasons.append(f"the last full sync was {settings.full_sync_days} days ago or more")
    return Decision(SyncMode.FULL if reasons else SyncMode.INCREMENTAL, tuple(reasons))


def _obstacles(mirror: MirrorRow, account: str, horizon: Horizon, settings: Settings) -> list[str]:
    """Why changes alone would not lead to the whole content."""
    if mirror.sync == 0:
        return ["it is the first sync of this organization"]
    if mirror.format != MIRROR_FORMAT:
        return ["an earlier version of Routiq stored less of each row"]
    reasons = []
    if mirror.mark is None:
        reasons.append("it is not known since when changes are missing")
    elif mirror.full_at is None:
        reasons.append("a patient who was erased is let in again")
    if mirror.account != account:
        reasons.append("the API key belongs to another account or person in Cliniko, who may see other rows")
    if mirror.horizon_days != history_days(mirror, settings):
        reasons.append("the number of days of history has changed")
    elif mirror.horizon_to != horizon.end or (horizon.end is not None and mirror.horizon_from != horizon.start):
        reasons.append("the window of appointments has moved by a day; ROUTIQ_HISTORY_DAYS makes it open-ended")
    return reasons


def is_comparison_due(mirror: MirrorRow, now: datetime) -> bool:
    """Whether the mirror was compared with Cliniko long ago, or at a time that a wrong clock has given."""
    return mirror.compared_at is None or not timedelta(0) <= now - mirror.compared_at < COMPARE_EVERY


def mark_at(
    now: datetime,
    server_date: datetime | None,
    earlier: datetime | None,
    earlier_taken_at: datetime | None,
) -> datetime:
    """The mark of a sync that is about to read its first list.

    A clock that is ahead would make the next sync miss changes, so the earlier of both clocks counts. The mark also
    moves no further ahead of the one before than this server's clock has moved.

    Args:
        now: The time of this server's clock.
        server_date: Cliniko's time, in a response from before the first request for a list.
        earlier: The mark of the published sync, and
        earlier_taken_at: the time of this server's clock when it was taken; ``None`` to go by the clocks only.
    """
    mark = (now if server_date is None else min(now, server_date)) - OVERLAP
    if earlier is not None and earlier_taken_at is not None:
        mark = min(mark, earlier + max(now - earlier_taken_at, timedelta(0)))
    return mark.replace(microsecond=0)
