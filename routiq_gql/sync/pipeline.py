"""The eight steps of a sync, from Cliniko's pages to the active patients that readers see.

Called by the engine with a fresh run context. A sync that has a checkpoint continues from there. Nothing here changes
what readers see until the last transaction.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from routiq_gql import metrics
from routiq_gql.cliniko import (
    UNNAMED,
    AccountMoved,
    KeyLacksPermission,
    KeyRefused,
    OnWait,
    QueryRefused,
    Wait,
)
from routiq_gql.clock import utc_now
from routiq_gql.connections.clients import ClientOpener, OpenConnection
from routiq_gql.database.analysis_scope import RULES, analysis_scope
from routiq_gql.database.connections import forget_retry
from routiq_gql.database.counting import count_listed
from routiq_gql.database.draft_lookups import count_active
from routiq_gql.database.drafts import Draft
from routiq_gql.database.engine import Database
from routiq_gql.database.keep_out import KeepOut, wait_for_erasure
from routiq_gql.database.mirror import MirrorList
from routiq_gql.database.publishing import PublishedValues, publish
from routiq_gql.database.sync_changes import RunningChanges
from routiq_gql.patients.analysis import analyze_slice
from routiq_gql.patients.bookings import Terms
from routiq_gql.patients.summary import active_changes, count_changes
from routiq_gql.settings import Settings
from routiq_gql.sync.beginning import check_credentials, read_everything
from routiq_gql.sync.checkpoint import Analysis, Analyzing, Checkpoint, Comparing, Reading, Starting, Storing
from routiq_gql.sync.comparing import compare, reconciler_of
from routiq_gql.sync.drafting import Drafting
from routiq_gql.sync.endings import Completed
from routiq_gql.sync.forecast import begin_forecast
from routiq_gql.sync.found_pages import FoundPages, FoundPagesKeeper
from routiq_gql.sync.lists import LISTS
from routiq_gql.sync.model import LogLevel, Progress, SyncStep, WaitReason
from routiq_gql.sync.place import Place
from routiq_gql.sync.plan import MIRROR_FORMAT, Plan
from routiq_gql.sync.preparing import draft_of
from routiq_gql.sync.rationed import ration_for
from routiq_gql.sync.reading import Reader
from routiq_gql.sync.receipt import Receipt
from routiq_gql.sync.reconcile import FullReadNeeded
from routiq_gql.sync.run import SyncRun
from routiq_gql.sync.source import Source

SLICE_PATIENTS = 250
"""Patients analyzed in a transaction. With 20 bookings each it takes 50 ms, so that a cancel or another organization's
sync never waits long for it."""


@dataclass(frozen=True, slots=True)
class Pipeline:
    """The parts that the steps work with; the same for every sync."""

    database: Database
    clients: ClientOpener
    keep_out: KeepOut
    settings: Settings
    found_pages: FoundPagesKeeper

    async def run(self, run: SyncRun) -> None:
        """Take the sync from its checkpoint to its end.

        Raises:
            StopRequested: The sync has ended, or another process runs it.
            CheckpointError, ConnectionProblem, ClinikoError: It can't continue; the caller records the failure.
        """
        checkpoint = run.checkpoint
        async with self.database.reading() as connection:
            run.forecast = await begin_forecast(connection, self.settings, run.snapshot, checkpoint, run)
        if not isinstance(checkpoint, Starting):
            await run.log(LogLevel.INFO, "Continuing after an interruption")
        elif checkpoint.lost is None:
            await run.begin_step(SyncStep.CHECKING_CONFIG, SyncStep.INITIALIZING)
        else:
            await run.log(
                LogLevel.WARNING,
                "Starting the lists again: the rows that this sync had read before the upgrade of Routiq are gone",
            )
        if isinstance(checkpoint, Starting | Reading | Comparing):
            checkpoint = await self._fetch(run, checkpoint)
        if isinstance(checkpoint, Storing) and not checkpoint.has_lists:
            await _enter(run, SyncStep.ANALYZING)
            draft = await draft_of(run, self.database)
            checkpoint = await self._begin_analysis(run, draft, checkpoint.plan, checkpoint.receipt)
        if isinstance(checkpoint, Analyzing):
            checkpoint = await self._analyze(run, checkpoint)
        await self._store(run, checkpoint)

    async def _fetch(self, run: SyncRun, checkpoint: Starting | Reading | Comparing) -> Analyzing:
        """Read and compare all lists that are not stored yet, with a single client for Cliniko."""
        ration = await ration_for(run, self.database, self.settings)
        opened = await self.clients.open(run.snapshot.organization_id, _shown_by(run), run.span, ration=ration)
        run.count_with(opened.client)
        found = self.found_pages.take(run.key)
        following = checkpoint
        try:
            async with opened.client:
                if isinstance(following, Starting):
                    following = await check_credentials(run, opened, self.clients, self.database, self.settings)
                while True:
                    if ration is not None and following.plan.is_full:
                        ration.lift()
                    try:
                        analyzing = await self._read_lists(run, opened, following, found)
                        break
                    except FullReadNeeded as problem:
                        reason = problem.reason
                    except QueryRefused:
                        if following.plan.is_full:
                            raise
                        reason = "Cliniko refuses to list only what has changed"
                    following = await read_everything(run, opened, following.plan, reason)
        except (KeyRefused, KeyLacksPermission, AccountMoved) as error:
            await self.clients.note_refusal(opened, error)
            raise
        return analyzing

    async def _read_lists(
        self, run: SyncRun, opened: OpenConnection, following: Reading | Comparing, found: FoundPages | None
    ) -> Analyzing:
        plan, client = following.plan, opened.client
        draft = await draft_of(run, self.database)
        drafting = Drafting(run, client, self.database, self.keep_out, draft, plan)
        reconciler = reconciler_of(run, client, self.database, drafting, self.settings)
        source = Source(client, self.database, drafting, found.for_sync(plan, draft) if found is not None else {})
        reader = Reader(run, source, drafting, self.database)
        while isinstance(following, Reading):
            await _enter(run, following.step)
            if plan.compares and not plan.is_full and following.place == Place():
                await reconciler.count_before(LISTS[following.list_name].resource)
            following = await reader.read(following)
        await _enter(run, following.step)
        if not plan.is_full:
            await self.clients.note_access(opened, UNNAMED)
        receipt = await compare(run, following, self.database, drafting, reconciler)
        return await self._begin_analysis(run, draft, plan, receipt)

    async def _begin_analysis(self, run: SyncRun, draft: Draft, plan: Plan, receipt: Receipt) -> Analyzing:
        now, horizon_from = utc_now(), plan.horizon.start
        terms = {
            "recent_days": self.settings.recent_days,
            "upcoming_days": self.settings.upcoming_days,
            "seen_within_weeks": self.settings.seen_within_weeks,
        }
        async with self.database.reading() as connection:
            scope = await analysis_scope(connection, draft, now, horizon_from, terms, everything=plan.is_full)
            patients = await count_listed(connection, draft, MirrorList.PATIENTS)
            appointments = await count_listed(connection, draft, MirrorList.INDIVIDUAL_APPOINTMENTS)
            appointments += await count_listed(connection, draft, MirrorList.GROUP_APPOINTMENTS)
        analysis = Analysis(now, **terms, everything=scope.everything, patients=scope.patients)
        following = Analyzing(plan, receipt, analysis)
        progress = Progress(fraction=1, patients_found=patients, appointments_found=appointments)
        run.forecast.expect(following)
        await run.commit(following, progress, changes=_terms_of(following))
        return following

    async def _analyze(self, run: SyncRun, checkpoint: Analyzing) -> Storing:
        await _enter(run, SyncStep.ANALYZING)
        draft, analysis = await draft_of(run, self.database), checkpoint.analysis
        terms = Terms.at(
            analysis.analyzed_at,
            analysis.recent_days,
            analysis.upcoming_days,
            analysis.seen_within_weeks,
            checkpoint.plan.horizon.start,
        )
        changes = _terms_of(checkpoint)  # again, for a sync that an earlier version began to analyze
        after: int | None = checkpoint.after if analysis.everything or analysis.patients else None
        while after is not None:
            # The end of a slice is known only within its transaction, so the checkpoint names its beginning. An
            # interruption repeats the slice, which does no harm.
            fraction = min(1.0, (checkpoint.analyzed + SLICE_PATIENTS) / max(analysis.patients, 1))
            checkpoint = replace(checkpoint, after=after)
            async with run.committing(checkpoint, Progress(fraction=fraction), changes=changes) as connection:
                await wait_for_erasure(connection, draft.mirror)
                after = await analyze_slice(
                    connection, draft, terms, after, SLICE_PATIENTS, everything=analysis.everything
                )
            checkpoint = replace(checkpoint, analyzed=checkpoint.analyzed + SLICE_PATIENTS)
        async with self.database.reading() as connection:
            identified = await count_active(connection, draft)
        message = f"Identified {identified} active patients"
        text = message if checkpoint.plan.is_full else None  # otherwise the next step begins at once
        progress = Progress(fraction=1, text=text, active_patients_identified=identified)
        following = Storing(checkpoint.plan, checkpoint.receipt)
        await run.commit(following, progress, [(LogLevel.SUCCESS, message)])
        return following

    async def _store(self, run: SyncRun, checkpoint: Checkpoint) -> None:
        if not isinstance(checkpoint, Storing):
            raise TypeError(f"Nothing can be published yet: {type(checkpoint).__name__}")
        await _enter(run, SyncStep.STORING)
        plan, now = checkpoint.plan, utc_now()
        draft = await draft_of(run, self.database)
        values: PublishedValues = {
            "published_at": now,
            "patients_in_cliniko": run.snapshot.patients_found,
            "mark": plan.mark,
            "horizon_from": plan.horizon.start,
            "horizon_to": plan.horizon.end,
            "horizon_days": plan.history_days,
            "account": plan.account,
            "format": MIRROR_FORMAT,
        }
        if plan.ends_comparison:
            values["compared_at"] = now if checkpoint.receipt.is_later else checkpoint.receipt.checked_at
        if plan.is_full:
            values["full_at"] = plan.taken_at
        async with self.database.reading() as connection:
            changes = await count_changes(connection, draft, is_baseline=plan.is_baseline)
        completed = Completed(
            stored=run.snapshot.active_patients_identified,
            receipt=checkpoint.receipt,
            changes=changes,
            is_brief=run.is_refresh,
            patients=active_changes(draft, run.snapshot.sync_id, changes),
        )
        async with run.completing() as connection:
            await run.complete(connection, completed)
            await publish(connection, draft, values)
            await forget_retry(connection, run.snapshot.organization_id)


def _terms_of(checkpoint: Analyzing) -> RunningChanges:
    """The terms of an analysis, as columns of its sync."""
    analysis = checkpoint.analysis
    return {
        "analyzed_at": analysis.analyzed_at,
        "recent_days": analysis.recent_days,
        "upcoming_days": analysis.upcoming_days,
        "seen_within_weeks": analysis.seen_within_weeks,
        "horizon_from": checkpoint.plan.horizon.start,
        "rules": RULES,
    }


async def _enter(run: SyncRun, step: SyncStep) -> None:
    """Begin ``step``, unless the run continues in the middle of it."""
    if run.step is not step:
        await run.begin_step(step)


_REASONS = {"rate_limit": WaitReason.RATE_LIMIT, "retry": WaitReason.CLINIKO_RETRY}


def _shown_by(run: SyncRun) -> OnWait:
    @asynccontextmanager
    async def show(wait: Wait) -> AsyncIterator[None]:
        if wait.reason == "rate_limit":
            metrics.rate_limit_wait(wait.seconds)
        if run.span is not None:
            run.span.wait(_REASONS[wait.reason].value, wait.seconds)
        await run.begin_wait(_REASONS[wait.reason], wait.message, wait.resumes_at)
        yield  # not in a ``finally``: a sync that is stopped during a wait must not write
        await run.end_wait()

    return show
