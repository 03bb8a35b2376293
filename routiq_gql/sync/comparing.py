"""The end of step 6: appointments leave the horizon, and the mirror is compared with Cliniko and repaired."""

from datetime import timedelta

from routiq_gql.cliniko import ClinikoClient
from routiq_gql.database.draft_lookups import ids_outside
from routiq_gql.database.drafts import Closing
from routiq_gql.database.engine import Database
from routiq_gql.database.history import newest_receipt
from routiq_gql.database.merging import close_ids
from routiq_gql.database.mirror import MirrorList
from routiq_gql.settings import Settings
from routiq_gql.sync.checkpoint import Comparing
from routiq_gql.sync.drafting import ROWS_PER_STEP, Drafting
from routiq_gql.sync.receipt import Receipt, read_receipt
from routiq_gql.sync.reconcile import Reconciler, Terms
from routiq_gql.sync.run import SyncRun


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
    """Close what has left the horizon, compare and repair the lists of the plan, and return the receipt.

    Raises:
        FullReadNeeded: The sync was incremental and has to be full.
        ClinikoError: Cliniko can't be read.
    """
    await _leave_horizon(run, checkpoint, database, drafting)
    if checkpoint.plan.compares:
        return await reconciler.run(checkpoint.whole)
    async with database.reading() as connection:
        last = await newest_receipt(connection, run.snapshot.organization_id)
    return await reconciler.run_part(checkpoint.plan, checkpoint.whole, read_receipt(last) if last else None)


async def _leave_horizon(run: SyncRun, checkpoint: Comparing, database: Database, drafting: Drafting) -> None:
    while leaving := await _outside(database, drafting):
        for target, closing, ids in leaving:
            async with run.committing(checkpoint) as connection:
                await close_ids(connection, drafting.draft, target, ids, closing)


async def _outside(database: Database, drafting: Drafting) -> list[tuple[MirrorList, Closing, list[int]]]:
    """Some of the appointments in the draft that are outside of the horizon, and why they leave."""
    draft, horizon = drafting.draft, drafting.plan.horizon
    found = []
    async with database.reading() as connection:
        for target in (MirrorList.INDIVIDUAL_APPOINTMENTS, MirrorList.GROUP_APPOINTMENTS):
            aged = await ids_outside(connection, draft, target, horizon.start, None, ROWS_PER_STEP)
            moved = await ids_outside(connection, draft, target, None, horizon.end, ROWS_PER_STEP)
            found += [(target, Closing.AGED_OUT, aged), (target, Closing.MOVED_OUT, moved)]
    return [one for one in found if one[2]]
