"""The eight steps of a sync, from Cliniko's pages to the active patients that readers see.

Called by the engine with a fresh run context. A sync that has a checkpoint continues from there. Nothing here changes
what readers see until the last transaction.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from routiq_gql import metrics
from routiq_gql.cliniko import (
    AccountMoved,
    KeyLacksPermission,
    KeyRefused,
    OnWait,
    Wait,
    check_access,
)
from routiq_gql.clock import utc_now
from routiq_gql.connections.clients import ClientOpener, OpenConnection, appointment_window
from routiq_gql.database.active_patients import Windows, count_identified, identify_slice, show_generation
from routiq_gql.database.connections import forget_retry
from routiq_gql.database.engine import Database
from routiq_gql.database.mirror import MirrorList, count_rows
from routiq_gql.settings import Settings
from routiq_gql.sync.checkpoint import Analyzing, Checkpoint, Reading, Starting, Storing
from routiq_gql.sync.lists import LISTS
from routiq_gql.sync.model import LogLevel, Progress, SyncStep, WaitReason
from routiq_gql.sync.reading import Reader
from routiq_gql.sync.run import SyncRun
from routiq_gql.sync.source import Source

SLICE_PATIENTS = 5_000
"""Patients analysed in a transaction, so a cancel or another organization's sync never waits long for it."""


@dataclass(frozen=True, slots=True)
class Pipeline:
    """The parts that the steps work with; the same for every sync."""

    database: Database
    clients: ClientOpener
    settings: Settings

    async def run(self, run: SyncRun) -> None:
        """Take the sync from its checkpoint to its end.

        Raises:
            StopRequested: The sync has ended, or another process runs it.
            CheckpointError, ConnectionProblem, ClinikoError: It can't continue; the caller records the failure.
        """
        start, end = appointment_window(run.snapshot.started_at, self.settings)
        windows = Windows(recent_from=start, now=run.snapshot.started_at, upcoming_to=end)
        checkpoint = run.checkpoint
        if isinstance(checkpoint, Starting):
            await run.begin_step(SyncStep.INITIALIZING)
            await run.begin_step(SyncStep.CHECKING_CONFIG)
        else:
            await run.log(LogLevel.INFO, "Continuing after an interruption")
        if isinstance(checkpoint, Starting | Reading):
            checkpoint = await self._fetch(run, checkpoint, windows)
        if isinstance(checkpoint, Analyzing):
            await self._analyze(run, checkpoint, windows)
        await self._store(run)

    async def _fetch(self, run: SyncRun, checkpoint: Starting | Reading, windows: Windows) -> Checkpoint:
        """Read all lists that are not stored yet, with a single client for Cliniko."""
        opened = await self.clients.open(run.snapshot.organization_id, _shown_by(run))
        try:
            async with opened.client as client:
                following: Checkpoint = checkpoint
                if isinstance(following, Starting):
                    following = await self._check_credentials(run, opened, windows)
                reader = Reader(run, Source(client, self.database, run.key, windows), self.database)
                while isinstance(following, Reading):
                    await _enter(run, following.step)
                    following = await reader.read(following)
                return following
        except (KeyRefused, KeyLacksPermission, AccountMoved) as error:
            await self.clients.note_refusal(opened, error)
            raise

    async def _check_credentials(self, run: SyncRun, opened: OpenConnection, windows: Windows) -> Reading:
        await run.begin_step(SyncStep.CHECKING_CREDENTIALS)
        access = await check_access(opened.client, windows.recent_from, windows.upcoming_to)
        await self.clients.note_access(opened, access)
        following = Reading(next(iter(LISTS)), access.totals)
        line = (LogLevel.SUCCESS, "Cliniko accepts the key for every list that a sync reads")
        await run.commit(following, Progress(fraction=1), [line])
        return following

    async def _analyze(self, run: SyncRun, checkpoint: Analyzing, windows: Windows) -> None:
        await _enter(run, SyncStep.ANALYZING)
        after: str | None = checkpoint.after
        analyzed = checkpoint.analyzed
        while after is not None:
            # The end of a slice is known only within its transaction, so the checkpoint names its beginning. An
            # interruption repeats the slice, which does no harm.
            fraction = min(1.0, (analyzed + SLICE_PATIENTS) / max(run.snapshot.patients_found, 1))
            async with run.committing(Analyzing(after, analyzed), Progress(fraction=fraction)) as connection:
                after = await identify_slice(connection, run.key, windows, after, SLICE_PATIENTS)
            analyzed += SLICE_PATIENTS
        async with self.database.reading() as connection:
            identified = await count_identified(connection, run.key)
        message = f"Identified {identified} active patients"
        progress = Progress(fraction=1, text=message, active_patients_identified=identified)
        await run.commit(Storing(), progress, [(LogLevel.SUCCESS, message)])

    async def _store(self, run: SyncRun) -> None:
        await _enter(run, SyncStep.STORING)
        organization_id = run.snapshot.organization_id
        async with run.completing() as connection:
            patients = await count_rows(connection, MirrorList.PATIENTS, run.key)
            await forget_retry(connection, organization_id)
            stored = await show_generation(connection, organization_id, run.key, patients, utc_now())
            await run.complete(connection, stored)


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
        await run.begin_wait(_REASONS[wait.reason], wait.message, wait.resumes_at)
        yield  # not in a ``finally``: a sync that is stopped during a wait must not write
        await run.end_wait()

    return show
