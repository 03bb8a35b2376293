"""Decides what a sync reads, and opens its draft. Called in step 3, once Cliniko has answered whose key it is."""

from contextlib import suppress
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.clock import utc_now
from routiq_gql.database.drafts import Draft
from routiq_gql.database.engine import Database
from routiq_gql.database.publishing import ensure_mirror, mirror_of, mirror_or_new, open_draft
from routiq_gql.database.rollback import rollback_batch
from routiq_gql.database.sync_changes import RunningChanges
from routiq_gql.database.syncs import syncs_where
from routiq_gql.database.tables import SYNC
from routiq_gql.settings import Settings
from routiq_gql.sync.checkpoint import Checkpoint
from routiq_gql.sync.checkpoint_json import read_plan
from routiq_gql.sync.model import Progress, SyncMode
from routiq_gql.sync.plan import MIRROR_FORMAT, Decision, Plan, decide, history_days, horizon_of, mark_at
from routiq_gql.sync.run import NO_CHANGES, NO_PROGRESS, Lines, SyncRun

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
