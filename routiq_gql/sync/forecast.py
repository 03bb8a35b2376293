"""Applies ``estimates`` to stored syncs: the end of the running sync, and the cost of the next sync of a clinic."""

import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.cliniko import ATTENDEES, PATIENTS
from routiq_gql.clock import utc_now
from routiq_gql.database.past_syncs import SyncCost, costs_of_syncs
from routiq_gql.database.publishing import mirror_of
from routiq_gql.database.sync_changes import RunningChanges
from routiq_gql.settings import Settings
from routiq_gql.sync.checkpoint import Reading
from routiq_gql.sync.estimates import PastSync, Speed, closing_seconds, estimate, left_while_reading, next_sync
from routiq_gql.sync.model import NextSync, Progress, SyncMode, SyncSnapshot, SyncState
from routiq_gql.sync.plan import decide, horizon_of
from routiq_gql.sync.receipt import read_receipt

REMEMBERED_SYNCS = 9
"""Completed syncs of each mode that an estimate looks at."""
REMEMBERED_ORGANIZATIONS = 1_000
"""Organizations whose past syncs are kept in memory, at some 10 kB each."""


async def past_syncs(connection: AsyncConnection, organization_id: str) -> tuple[PastSync, ...]:
    """The costs of the organization's last completed syncs of each mode, the newest first."""
    modes = (SyncMode.FULL.value, SyncMode.INCREMENTAL.value)
    costs = await costs_of_syncs(connection, organization_id, SyncState.COMPLETED.value, modes, REMEMBERED_SYNCS)
    return tuple(map(_past_sync, costs))


def _past_sync(cost: SyncCost) -> PastSync:
    lists = read_receipt(cost.receipt).lists if cost.receipt is not None else ()
    ended_at = cost.completed_at or cost.started_at
    return PastSync(
        mode=SyncMode(cost.mode),
        requests=cost.requests,
        seconds=max((ended_at - cost.started_at).total_seconds(), 0.0),
        waited_seconds=cost.waited_seconds,
        requests_of={one.list: one.requests for one in lists},
        rows_of={one.list: one.in_mirror for one in lists if one.list != ATTENDEES.name},
    )


class Forecasts:
    """The cost of the next sync of an organization. Past syncs are read once after each completed sync."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._past: OrderedDict[str, tuple[int, tuple[PastSync, ...]]] = OrderedDict()

    async def next_sync(self, connection: AsyncConnection, organization_id: str, newest: int) -> NextSync | None:
        """The likely cost of a sync that is started now without a mode; ``None`` while the clinic's size is unknown.

        Args:
            newest: The number of the organization's newest completed sync.
        """
        mirror = await mirror_of(connection, organization_id)
        if mirror is None or mirror.sync == 0:
            return None
        now = utc_now()
        horizon = horizon_of(mirror, self._settings, now)
        # The next sync asks whose key it is; until then it is taken for the same person's.
        decision = decide(SyncMode.AUTO, mirror, mirror.account or "", horizon, self._settings, now)
        known = self._past.get(organization_id)
        if known is None or known[0] != newest:
            known = newest, await past_syncs(connection, organization_id)
            self._past[organization_id] = known
            self._past.move_to_end(organization_id)
            if len(self._past) > REMEMBERED_ORGANIZATIONS:
                self._past.popitem(last=False)
        return next_sync(decision.mode, known[1], self._settings.cliniko_requests_per_minute)


def postponed(snapshot: SyncSnapshot, resumes_at: datetime) -> RunningChanges:
    """The estimate of a sync that is about to wait. The next page brings a new one."""
    wait, changes = max(resumes_at - utc_now(), timedelta(0)), RunningChanges()
    if snapshot.estimated_completion is not None:
        changes["estimated_completion"] = snapshot.estimated_completion + wait
    if snapshot.estimated_earliest is not None:
        changes["estimated_earliest"] = snapshot.estimated_earliest + wait
    if snapshot.estimated_latest is not None:
        changes["estimated_latest"] = snapshot.estimated_latest + wait
    return changes


class Meter(Protocol):
    """A run, which counts its requests and their waits."""

    @property
    def requests(self) -> int: ...
    @property
    def waited_seconds(self) -> float: ...


class CompletionForecast:
    """Estimates the end of a sync while its lists are read. Made before the first page that this process reads."""

    def __init__(self, meter: Meter, past: Sequence[PastSync], requests_per_minute: int, *, is_full: bool) -> None:
        self._meter = meter
        self._past = past
        self._requests_per_minute = requests_per_minute
        self._is_full = is_full
        self._began = time.monotonic()
        self._requests, self._waited = meter.requests, meter.waited_seconds

    def added_to(self, progress: Progress, reading: Reading, remaining: int) -> Progress:
        """The progress after a page with the estimate, where ``remaining`` rows of the list are to come."""
        left = left_while_reading(
            reading.list_name,
            remaining,
            reading.totals,
            self._past,
            is_full=self._is_full,
            classes_read=reading.place.classes,
            attendees_read=reading.place.counts_before.read,
        )
        speed = Speed(
            self._requests_per_minute,
            self._meter.requests - self._requests,
            time.monotonic() - self._began,
            self._meter.waited_seconds - self._waited,
        )
        patients = reading.totals.get(PATIENTS.name, 0)
        found = estimate(utc_now(), left, speed, closing=closing_seconds(patients, is_full=self._is_full))
        return replace(
            progress,
            estimated_completion=found.completion,
            estimated_earliest=found.earliest,
            estimated_latest=found.latest,
        )
