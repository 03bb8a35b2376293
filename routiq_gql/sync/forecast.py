"""Applies ``estimates`` to stored syncs: the end of the running sync, and the cost of the next sync of a clinic."""

import time
from collections import OrderedDict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.cliniko import ATTENDEES, PATIENTS
from routiq_gql.clock import utc_now
from routiq_gql.database.connections import connection_of
from routiq_gql.database.past_syncs import SyncCost, costs_of_syncs
from routiq_gql.database.publishing import mirror_of, mirror_or_new
from routiq_gql.database.rows import MirrorRow
from routiq_gql.database.sync_changes import RunningChanges
from routiq_gql.settings import Settings
from routiq_gql.sync.checkpoint import Analyzing, Checkpoint, Comparing, Reading, Starting
from routiq_gql.sync.durations import Amount, Tempo
from routiq_gql.sync.estimates import (
    Known,
    PastSync,
    closing_seconds,
    earlier_syncs,
    left_before,
    left_from_start,
    left_to_follow,
    left_while_comparing,
    left_while_reading,
    next_sync,
    of_search,
    totals_of,
)
from routiq_gql.sync.lists import LISTS
from routiq_gql.sync.model import NextSync, SyncMode, SyncSnapshot, SyncState
from routiq_gql.sync.place import Place
from routiq_gql.sync.plan import decide, horizon_of
from routiq_gql.sync.receipt import read_receipt

DAY = timedelta(days=1)
LEAST_LEFT = 0.5
"""The least requests left before the last stage of a sync."""
REMEMBERED_SYNCS = 9
"""Completed syncs of each mode that an estimate looks at."""
REMEMBERED_ORGANIZATIONS = 1_000
"""Organizations whose past syncs are kept in memory, at some 10 kB each."""


async def past_syncs(connection: AsyncConnection, organization_id: str) -> tuple[PastSync, ...]:
    """The costs of the organization's last completed syncs of each mode, the newest first."""
    modes = (SyncMode.FULL.value, SyncMode.INCREMENTAL.value)
    costs = await costs_of_syncs(connection, organization_id, SyncState.COMPLETED.value, modes, REMEMBERED_SYNCS)
    starts = [cost.started_at for cost in costs]
    return tuple(map(_past_sync, costs, [*starts[1:], None]))


def _past_sync(cost: SyncCost, before: datetime | None) -> PastSync:
    lists = read_receipt(cost.receipt).lists if cost.receipt is not None else ()
    ended_at = cost.completed_at or cost.started_at
    return PastSync(
        mode=SyncMode(cost.mode),
        requests=cost.requests,
        seconds=max((ended_at - cost.started_at).total_seconds(), 0.0),
        waited_seconds=cost.waited_seconds,
        days=max((cost.started_at - before) / DAY, 0.0) if before is not None else None,
        requests_of={one.list: one.requests for one in lists},
        rows_of={one.list: one.in_mirror for one in lists if one.list != ATTENDEES.name},
        changed_of={one.list: one.added + one.updated + one.removed for one in lists},
    )


@dataclass(frozen=True, slots=True)
class NextSyncForecast:
    """The likely cost of an organization's next sync, which depends on the time at which it starts."""

    _mirror: MirrorRow
    _settings: Settings
    _by_mode: Mapping[SyncMode, NextSync | None]

    def now(self) -> NextSync | None:
        """The cost of a sync that is started now without a mode; ``None`` while the clinic's size is unknown."""
        return self._by_mode[_likely_mode(SyncMode.AUTO, self._mirror, self._settings)]


class Forecasts:
    """The cost of the next sync of an organization. Past syncs are read once after each completed sync."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._past: OrderedDict[str, tuple[int, tuple[PastSync, ...]]] = OrderedDict()

    async def next_sync(
        self, connection: AsyncConnection, organization_id: str, newest: int | None
    ) -> NextSyncForecast | None:
        """The likely cost of the next sync; ``None`` while the size of the clinic is unknown.

        The first sync of an account is estimated by the totals that the newest check of the key has counted.

        Args:
            newest: The number of the organization's newest completed sync.
        """
        mirror = await mirror_or_new(connection, organization_id)
        pace = self._settings.cliniko_requests_per_minute
        if newest is None or mirror.sync == 0:
            access = await connection_of(connection, organization_id)
            first = next_sync(SyncMode.FULL, (), pace, access.totals if access is not None else None)
            return NextSyncForecast(mirror, self._settings, {SyncMode.FULL: first}) if first is not None else None
        known = self._past.get(organization_id)
        if known is None or known[0] != newest:
            known = newest, await past_syncs(connection, organization_id)
            self._past[organization_id] = known
            self._past.move_to_end(organization_id)
            if len(self._past) > REMEMBERED_ORGANIZATIONS:
                self._past.popitem(last=False)
        modes = (SyncMode.FULL, SyncMode.INCREMENTAL)
        return NextSyncForecast(mirror, self._settings, {mode: next_sync(mode, known[1], pace) for mode in modes})


class Meter(Protocol):
    """A run, which counts its requests and their waits."""

    @property
    def requests(self) -> int: ...
    @property
    def waited_seconds(self) -> float: ...


class CompletionForecast:
    """The end of a sync, from the requests that it has sent and those that its place in the lists leaves.

    A run asks for it with each change. Only requests of this process are measured.

    Args:
        meter: The run.
        past: Completed syncs of the clinic, the newest first.
    """

    def __init__(self, meter: Meter, past: Sequence[PastSync] = (), requests_per_minute: int = 0) -> None:
        self._meter = meter
        self._past = past
        self._tempo = Tempo.guessed(requests_per_minute, earlier_syncs(past))
        self._left: Amount | None = None
        self._closing = 0.0
        self._sent = self._left_at = meter.requests
        self._waited, self._measured_at = meter.waited_seconds, time.monotonic()

    def expect_all(self, mode: SyncMode, since: datetime | None) -> None:
        """Expect a whole sync that was just started. Without past syncs its size is not known.

        Args:
            since: An incremental sync will read the changes from then on.
        """
        if self._past:
            known = self._known(mode is SyncMode.FULL, since, totals_of(self._past))
            self._expect(left_from_start(known), known)

    def expect(self, checkpoint: Checkpoint, remaining: int | None = None, changed: Collection[str] = ()) -> None:
        """Expect the requests behind a checkpoint.

        Args:
            remaining: Rows of the list that is being read, as far as they are known.
            changed: The lists with rows that the sync has changed.
        """
        if isinstance(checkpoint, Starting):
            return
        plan = checkpoint.plan
        totals = checkpoint.totals if isinstance(checkpoint, Reading | Comparing) else {}
        if isinstance(checkpoint, Reading) and checkpoint.place.read:
            changed = {*changed, checkpoint.list_name}
        known = self._known(plan.is_full, plan.since, totals, changed)
        left = Amount()
        if isinstance(checkpoint, Comparing):
            left = left_while_comparing(known, changed) + left_to_follow(checkpoint.pending)
        elif isinstance(checkpoint, Reading):
            place = checkpoint.place
            if place == Place():
                if plan.is_full and checkpoint.list_name == next(iter(LISTS)):
                    self._measure()
                    self._tempo = self._tempo.before_pages()
                left = left_before(checkpoint.list_name, known)
            else:
                if remaining is None:
                    remaining = max(totals.get(checkpoint.list_name, 0) - place.read, 0) if plan.is_full else 0
                left = left_while_reading(
                    checkpoint.list_name,
                    remaining,
                    known,
                    classes_read=place.classes,
                    attendees_read=place.read,
                )
            left += left_to_follow(checkpoint.pending)
        patients = checkpoint.analysis.patients if isinstance(checkpoint, Analyzing) else None
        self._expect(left, known, patients)

    def expect_search(self, list_name: str, rows: int, differing: int) -> None:
        """Expect a search for rows by which a list of so many rows differs from Cliniko, besides the rest."""
        if self._left is not None:
            self._left, self._left_at = self._now_left() + of_search(list_name, rows, differing), self._meter.requests

    def _now_left(self) -> Amount:
        """The requests that are left now."""
        if self._left is None or not self._left.mean:
            return Amount()
        # The plan has another stage behind these requests, so at least a part of a request is left.
        mean = max(self._left.mean - (self._meter.requests - self._left_at), LEAST_LEFT)
        return Amount(mean, self._left.variance * min(mean / self._left.mean, 1.0))

    def _known(
        self, is_full: bool, since: datetime | None, totals: Mapping[str, int], changed: Collection[str] = ()
    ) -> Known:
        days = max((utc_now() - since) / DAY, 0.0) if since is not None else 0.0
        return Known(is_full, days, totals, self._past, changed)

    def _expect(self, left: Amount, known: Known, patients: int | None = None) -> None:
        self._left, self._left_at = left, self._meter.requests
        if patients is None:
            patients = known.totals.get(PATIENTS.name, 0)
        self._closing = closing_seconds(patients, is_full=known.is_full)

    def changes(self, resumes_at: datetime | None) -> RunningChanges:
        """The estimate as columns; none before the first expectation.

        Args:
            resumes_at: The end of the wait that is under way.
        """
        self._measure()
        if self._left is None:
            return {}
        spread = self._tempo.seconds_for(self._now_left(), self._closing)
        start = utc_now()
        if resumes_at is not None:
            start = max(start, resumes_at)
        return {
            "estimated_completion": _after(start, spread.likely),
            "estimated_earliest": _after(start, min(spread.low, spread.likely)),
            "estimated_latest": _after(start, max(spread.high, spread.likely)),
        }

    def changes_if_overdue(self, shown: SyncSnapshot) -> RunningChanges:
        """The columns of a new estimate if the shown one has passed; none otherwise."""
        estimated = shown.estimated_completion
        return self.changes(shown.resumes_at) if estimated is not None and estimated <= utc_now() else {}

    def _measure(self) -> None:
        sent, waited, now = self._meter.requests, self._meter.waited_seconds, time.monotonic()
        if sent > self._sent:
            seconds = now - self._measured_at
            self._tempo = self._tempo.measured(sent - self._sent, seconds, waited - self._waited)
            self._sent, self._waited, self._measured_at = sent, waited, now


async def begin_forecast(
    connection: AsyncConnection, settings: Settings, snapshot: SyncSnapshot, checkpoint: Checkpoint, meter: Meter
) -> CompletionForecast:
    """The forecast of a sync that was just claimed, by its checkpoint and the clinic's past syncs."""
    past = await past_syncs(connection, snapshot.organization_id)
    forecast = CompletionForecast(meter, past, settings.cliniko_requests_per_minute)
    if not isinstance(checkpoint, Starting):
        forecast.expect(checkpoint)
    elif (mirror := await mirror_of(connection, snapshot.organization_id)) is not None and mirror.sync:
        forecast.expect_all(_likely_mode(snapshot.mode, mirror, settings), mirror.mark)
    return forecast


def _likely_mode(requested: SyncMode, mirror: MirrorRow, settings: Settings) -> SyncMode:
    """The mode of a sync that starts now. It asks whose key it is; until then it is taken for the same person's."""
    now = utc_now()
    return decide(requested, mirror, mirror.account or "", horizon_of(mirror, settings, now), settings, now).mode


def _after(start: datetime, seconds: float) -> datetime:
    return start + timedelta(milliseconds=ceil(seconds * 1000))
