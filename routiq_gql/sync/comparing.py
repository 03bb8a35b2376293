"""The end of step 6: appointments leave the horizon, and the mirror is compared with Cliniko and repaired."""

from datetime import timedelta

from routiq_gql.cliniko import ClinikoClient
from routiq_gql.database.draft_lookups import ids_outside
from routiq_gql.database.drafts import Closing
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
    horizon = drafting.plan.horizon
    for target in (MirrorList.INDIVIDUAL_APPOINTMENTS, MirrorList.GROUP_APPOINTMENTS):
        for start, end, closing in ((horizon.start, None, Closing.AGED_OUT), (None, horizon.end, Closing.MOVED_OUT)):
            while True:
                async with database.reading() as reading:
                    ids = await ids_outside(reading, drafting.draft, target, start, end, ROWS_PER_STEP)
                if not ids:
                    break
                async with run.committing(checkpoint) as connection:
                    await close_ids(connection, drafting.draft, target, ids, closing)
