"""Decides what a sync reads, and opens its draft. Called in step 3, once Cliniko has answered whose key it is."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.clock import utc_now
from routiq_gql.database.counting import count_listed
from routiq_gql.database.drafts import Draft
from routiq_gql.database.engine import Database
from routiq_gql.database.history import newest_receipt
from routiq_gql.database.mirror import MirrorList
from routiq_gql.database.publishing import ensure_mirror, mirror_of, mirror_or_new, open_draft
from routiq_gql.database.refreshes import refresh_of
from routiq_gql.database.rollback import rollback_batch
from routiq_gql.database.rows import MirrorRow
from routiq_gql.database.sync_changes import RunningChanges
from routiq_gql.database.syncs import syncs_where
from routiq_gql.database.tables import SYNC
from routiq_gql.settings import Settings
from routiq_gql.sync.checkpoint import Checkpoint
from routiq_gql.sync.checkpoint_json import read_plan
from routiq_gql.sync.found import read_found
from routiq_gql.sync.lists import LISTS, Totals
from routiq_gql.sync.log_lines import Lines
from routiq_gql.sync.model import Progress, SyncMode
from routiq_gql.sync.parts import LAST_PART, MOST_FAILURES, PARTS
from routiq_gql.sync.plan import (
    COMPARE_EVERY,
    MIRROR_FORMAT,
    Decision,
    Plan,
    decide,
    history_days,
    horizon_of,
    mark_at,
)
from routiq_gql.sync.receipt import Receipt, read_receipt
from routiq_gql.sync.run import NO_CHANGES, NO_PROGRESS, SyncRun

ROWS_PER_STEP = 2_000
"""Rows of an earlier sync that are removed in a transaction, which takes some 20 ms."""
MOST_ROLLBACKS = 3
"""Another process may remove the same rows, and finish between two looks."""
ROLLBACK_TEXT = "Removing what an unfinished sync has left…"


async def make_plan(
    run: SyncRun, database: Database, settings: Settings, account: str, server_date: datetime | None
) -> tuple[Plan, Decision]:
    """The plan of a sync, and why it reads everything if it does.

    Args:
        account: The digest of the Cliniko account and person behind the key.
        server_date: Cliniko's time in a response; ``None`` if it did not send any.
    """
    started = run.snapshot.started_at
    async with database.reading() as connection:
        mirror = await mirror_or_new(connection, run.snapshot.organization_id)
        published = await syncs_where(connection, SYNC.c.key == mirror.sync) if mirror.sync else []
    earlier = read_plan(published[0].checkpoint) if published else None
    now = utc_now()
    horizon = horizon_of(mirror, settings, started)
    decision = decide(run.snapshot.mode, mirror, account, horizon, settings, now)
    is_full = decision.mode is SyncMode.FULL
    # A full sync with Cliniko's clock begins a new series of marks, in case that this server's clock was set back.
    limit = earlier.taken_at if earlier is not None and not (is_full and server_date is not None) else None
    plan = Plan(
        mode=decision.mode,
        mark=mark_at(now, server_date, mirror.mark, limit),
        taken_at=now,
        since=None if is_full else mirror.mark,
        horizon=horizon,
        history_days=history_days(mirror, settings),
        is_baseline=mirror.sync == 0 or mirror.format != MIRROR_FORMAT,
        account=account,
    )
    return plan, decision


@dataclass(frozen=True, slots=True)
class QuickStart:
    """The plan of a sync that a look at Cliniko has started, if it needs no question about the key.

    Attributes:
        changed: The lists with changes. The plan also reads those that it compares.
        time_zone: The clinic's time zone, as the published sync knows it.
        totals: The rows of each list, as no list may be read.
    """

    plan: Plan
    changed: tuple[str, ...]
    time_zone: str | None
    totals: Totals


async def quick_start(run: SyncRun, database: Database, settings: Settings) -> QuickStart | None:
    """The plan of a sync that reads the lists in which a look has found changes, and those that it is to compare.

    While a comparison is due, that is the part behind the one that the last receipt ends with. ``None`` if everything
    has to be read: then the sync begins like any other.
    """
    organization_id, now = run.snapshot.organization_id, utc_now()
    async with database.reading() as connection:
        mirror = await mirror_of(connection, organization_id)
        refresh = await refresh_of(connection, organization_id)
        if mirror is None or refresh is None or refresh.sync != run.key or mirror.mark is None:
            return None
        published = await syncs_where(connection, SYNC.c.key == mirror.sync)
        last = await newest_receipt(connection, organization_id)
        draft = Draft(mirror=mirror.number, base=mirror.sync, sync=run.key)
        totals = {target.resource: await count_listed(connection, draft, target) for target in MirrorList}
    found, horizon = read_found(refresh.found), horizon_of(mirror, settings, run.snapshot.started_at)
    decision = decide(SyncMode.INCREMENTAL, mirror, mirror.account or "", horizon, settings, now)
    part, leaves_out = None, False
    if found.compares:
        part = _part_after(read_receipt(last) if last is not None else None, mirror, now)
        leaves_out = found.part_failures >= MOST_FAILURES
    names = {*found.lists, *(PARTS[part] if part is not None and not leaves_out else ())}
    if decision.mode is SyncMode.FULL or found.looked_at is None or (part is None and not names):
        return None
    if mirror.writing not in {None, run.key}:
        return None  # the totals would count the rows of an unfinished sync
    earlier = read_plan(published[0].checkpoint) if published else None
    plan = Plan(
        mode=SyncMode.INCREMENTAL,
        # The lists that are not read were unchanged when the look began, and not necessarily later.
        mark=mark_at(now, found.looked_at, mirror.mark, earlier.taken_at if earlier is not None else None),
        taken_at=now,
        since=mirror.mark,
        horizon=horizon,
        history_days=history_days(mirror, settings),
        is_baseline=False,
        account=mirror.account or "",
        lists=tuple(name for name in LISTS if name in names),
        compares=False,
        part=part,
        leaves_out=leaves_out,
    )
    return QuickStart(plan, found.lists, published[0].time_zone if published else None, totals)


def _part_after(last: Receipt | None, mirror: MirrorRow, now: datetime) -> int:
    """The part of a comparison that comes next: the first, if the part before was made long ago."""
    is_recent = mirror.published_at is not None and timedelta(0) <= now - mirror.published_at < COMPARE_EVERY
    return last.parts if last is not None and is_recent and last.parts <= LAST_PART else 0


async def draft_of(run: SyncRun, database: Database) -> Draft:
    """The draft of a sync that may have opened it already.

    Raises:
        StopRequested: The sync has ended, or another process runs it.
        LookupError: See ``open_draft_of``.
    """
    if run.draft is None:
        async with database.reading() as connection:
            mirror = await mirror_of(connection, run.snapshot.organization_id)
        if mirror is None or mirror.writing != run.key:
            return await open_draft_of(run, run.checkpoint)
        run.draft = Draft(mirror=mirror.number, base=mirror.sync, sync=run.key)
    return run.draft


async def open_draft_of(
    run: SyncRun,
    checkpoint: Checkpoint,
    progress: Progress = NO_PROGRESS,
    lines: Lines = (),
    changes: RunningChanges = NO_CHANGES,
) -> Draft:
    """Open the draft of a sync in a transaction that commits the rest; see ``SyncRun.commit``.

    Rows that an earlier sync has left are removed first, in short transactions.

    Raises:
        StopRequested: The sync has ended, or another process runs it.
        LookupError: A newer sync is published, or another one is running: numbers of syncs were used again.
    """
    organization_id = run.snapshot.organization_id
    for _ in range(MOST_ROLLBACKS):
        with suppress(_RowsLeft):
            async with run.committing(checkpoint, progress, lines, changes, is_bulk=False) as connection:
                run.draft = await _open(connection, organization_id, run.key)
            return run.draft
        has_more = True
        while has_more:
            async with run.committing(run.checkpoint, Progress(text=ROLLBACK_TEXT)) as connection:
                mirror = await ensure_mirror(connection, organization_id)
                has_more = await rollback_batch(connection, mirror.number, ROWS_PER_STEP)
    raise LookupError("The draft of this sync can't be opened.")


async def _open(connection: AsyncConnection, organization_id: str, key: int) -> Draft:
    draft = await open_draft(connection, organization_id, key)
    if draft is None:
        raise _RowsLeft  # which rolls the transaction back
    return draft


class _RowsLeft(Exception):
    """Rows of an earlier sync that failed are stored."""
