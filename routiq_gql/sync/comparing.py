"""The end of step 6: appointments leave the horizon, and the mirror is compared with Cliniko and repaired."""

from datetime import timedelta

from routiq_gql.cliniko import ClinikoClient
from routiq_gql.database.aging import age_out
from routiq_gql.database.counting import ids_within
from routiq_gql.database.drafts import Closing, Covered
from routiq_gql.database.engine import Database
from routiq_gql.database.merging import close_ids
from routiq_gql.database.mirror import MirrorList
from routiq_gql.settings import Settings
from routiq_gql.sync.checkpoint import Comparing
from routiq_gql.sync.drafting import ROWS_PER_STEP, Drafting
from routiq_gql.sync.lists import READING_SHARE
from routiq_gql.sync.model import Progress
from routiq_gql.sync.receipt import Receipt
from routiq_gql.sync.reconcile import Reconciler, Terms
from routiq_gql.sync.run import SyncRun

COMPARING_TEXT = "Comparing with Cliniko…"


def reconciler_of(
    run: SyncRun, client: ClinikoClient, database: Database, drafting: Drafting, settings: Settings
) -> Reconciler:
    """The reconciler of a sync."""
    plan, started = drafting.plan, run.snapshot.started_at
    terms = Terms(
        is_full=plan.is_full,
        mark=plan.mark,
        horizon=plan.horizon,
        recent_from=started - timedelta(days=settings.recent_days),
        upcoming_to=started + timedelta(days=settings.upcoming_days),
    )
    return Reconciler(client, database, drafting.draft, terms, drafting)


async def compare(
    run: SyncRun,
    checkpoint: Comparing,
    database: Database,
    drafting: Drafting,
    reconciler: Reconciler,
) -> Receipt:
    """Close what has left the horizon, compare and repair every list, and return the receipt.

    Raises:
        FullReadNeeded: The sync was incremental and has to be full.
        ClinikoError: Cliniko can't be read.
    """
    await run.commit(checkpoint, Progress(fraction=READING_SHARE, text=COMPARING_TEXT))
    await _leave_horizon(run, checkpoint, database, drafting)
    return await reconciler.run(checkpoint.whole)


async def _leave_horizon(run: SyncRun, checkpoint: Comparing, database: Database, drafting: Drafting) -> None:
    draft, horizon = drafting.draft, drafting.plan.horizon
    aged = -1
    while aged:
        async with run.committing(checkpoint) as connection:
            aged = await age_out(connection, draft, horizon.start, ROWS_PER_STEP)
    if horizon.end is None:
        return
    behind = Covered(starts_from=horizon.end + timedelta(milliseconds=1))
    for target in (MirrorList.INDIVIDUAL_APPOINTMENTS, MirrorList.GROUP_APPOINTMENTS):
        while True:
            async with database.reading() as reading:
                ids = await ids_within(reading, draft, target, behind, ROWS_PER_STEP)
            if not ids:
                break
            async with run.committing(checkpoint) as connection:
                await close_ids(connection, draft, target, ids, Closing.MOVED_OUT)
