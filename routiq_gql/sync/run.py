"""The run of a sync within a claim. Everything that the eight steps write goes through this object.

Every write carries the epoch of the claim. If no row has that epoch, the sync has ended or another process runs it:
``StopRequested`` ends the steps, and nothing more is written. Snapshots are published after their commit.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, nullcontext
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.database.drafts import Draft
from routiq_gql.database.engine import Database
from routiq_gql.database.rows import SyncRow
from routiq_gql.database.sync_changes import RunningChanges
from routiq_gql.database.syncs import NewLine, change_running
from routiq_gql.live.bus import ProgressBus
from routiq_gql.sync.checkpoint import Checkpoint, Starting, makes_progress
from routiq_gql.sync.checkpoint_json import read_checkpoint, to_json
from routiq_gql.sync.endings import Completed, EndedSync, Ending, Failed, announce, end_run
from routiq_gql.sync.forecast import CompletionForecast
from routiq_gql.sync.log_lines import Lines, important, opening_lines
from routiq_gql.sync.mapping import columns_of_entry, columns_of_progress, columns_of_step, snapshot_of
from routiq_gql.sync.meter import Meter
from routiq_gql.sync.model import (
    WAITING_FOR_DATABASE_TEXT,
    LogLevel,
    Progress,
    SyncFailure,
    SyncSnapshot,
    SyncStep,
    WaitReason,
)

if TYPE_CHECKING:
    from routiq_gql.tracing.syncs import SyncSpan

MIN_INTERVAL_SECONDS = 0.1
"""Pages are published at most ten times a second."""
PAUSE_PATIENCE_SECONDS = 2.0
"""How long a sync that has to wait for the database tries to show that it waits."""
MAX_INTERVAL_SECONDS = 1.0
"""A client receives a snapshot at least this often; see ``heartbeat``."""

NO_PROGRESS = Progress()
NO_CHANGES: RunningChanges = {}


class StopRequested(Exception):
    """This process does not run the sync any more: it has ended, or another process has claimed it."""


class SyncRun:
    """The run context: the state of the sync, and the ways to change it.

    Attributes:
        snapshot: The newest committed snapshot.
        lost_claims: How many claims in a row ended with a dead process and made no progress.
        pauses: How often in a row the database interrupted it without any progress between.
        is_refresh: Whether a look at Cliniko has started it; its log then leaves out the usual lines.
        draft: Its draft, once this claim has opened it.
        forecast: Estimates its end with each change, as soon as it knows what to expect.
        span: Its span in traces; ``None`` when traces are off.
        change_lock: Held from before a change until after it was shown, so that snapshots come in their order.
    """

    def __init__(
        self, database: Database, bus: ProgressBus, row: SyncRow, on_progress: Callable[[], None] = lambda: None
    ) -> None:
        self.snapshot: SyncSnapshot = snapshot_of(row)
        self.epoch: int = row.epoch
        self.lost_claims: int = row.lost_claims
        self.pauses: int = row.pauses
        self.is_refresh: bool = row.refresh
        self._stored_checkpoint: object = row.checkpoint
        self._checkpoint: Checkpoint | None = None
        self._on_progress = on_progress
        self._database = database
        self._bus = bus
        self._requests_before = row.requests
        self._waited_before = row.waited_seconds
        self._meter: Meter | None = None
        self._text_before_wait: str | None = None
        self._written_at = time.monotonic()
        self._published_at = 0.0
        self._ended: EndedSync | None = None
        self.span: SyncSpan | None = None
        self.draft: Draft | None = None
        self.forecast = CompletionForecast(self)
        self.change_lock = asyncio.Lock()

    @property
    def key(self) -> int:
        return self.snapshot.key

    @property
    def step(self) -> SyncStep:
        return self.snapshot.step

    @property
    def checkpoint(self) -> Checkpoint:
        """The newest committed checkpoint.

        Raises:
            CheckpointError: This version can't continue the sync from the stored checkpoint.
        """
        if self._checkpoint is None:
            self._checkpoint = read_checkpoint(self._stored_checkpoint)
        return self._checkpoint

    @property
    def requests(self) -> int:
        """Requests of the sync to Cliniko, earlier claims included."""
        return self._requests_before + (self._meter.requests.total() if self._meter is not None else 0)

    @property
    def waited_seconds(self) -> float:
        """Seconds of the sync in waits for Cliniko, earlier claims included."""
        return self._waited_before + (self._meter.waited_seconds if self._meter is not None else 0)

    def count_with(self, meter: Meter) -> None:
        """Count the requests of a client from now on; it must not have sent any."""
        self._requests_before, self._waited_before = self.requests, self.waited_seconds
        self._meter = meter

    async def begin_step(self, step: SyncStep, *before: SyncStep) -> None:
        """Enter ``step``: status, documented text and a log line; also a line for each step ``before`` it."""
        await self._change(columns_of_step(step), opening_lines([*before, step], is_brief=self.is_refresh))

    async def log(self, level: LogLevel, message: str) -> None:
        """Add a line to the sync's log."""
        await self._change({}, self._numbered([(level, message)]))

    async def begin_wait(self, reason: WaitReason, text: str, resumes_at: datetime) -> None:
        """Show that the sync waits, why and until when, with a log line."""
        if self._text_before_wait is None:
            self._text_before_wait = self.snapshot.current_step
        wait: RunningChanges = {"current_step": text, "resumes_at": resumes_at, "waiting_for": reason.value}
        lines = self._numbered([(LogLevel.WARNING, text)])
        await self._change(wait, lines)

    async def end_wait(self) -> None:
        """Show the text from before the wait. Call before the next request, however long its answer takes."""
        if self._text_before_wait is not None:
            await self._change({"current_step": self._text_before_wait, "resumes_at": None, "waiting_for": None})
            self._text_before_wait = None

    async def commit(
        self,
        checkpoint: Checkpoint,
        progress: Progress = NO_PROGRESS,
        lines: Lines = (),
        changes: RunningChanges = NO_CHANGES,
    ) -> None:
        """Store a checkpoint, the progress that clients see, log lines and other changes, in the same transaction.

        A checkpoint of another step enters that step, after the lines; but not with a text, which belongs to this step.
        """
        async with self.committing(checkpoint, progress, lines, changes, is_bulk=False):
            pass

    @asynccontextmanager
    async def committing(
        self,
        checkpoint: Checkpoint,
        progress: Progress = NO_PROGRESS,
        lines: Lines = (),
        changes: RunningChanges = NO_CHANGES,
        *,
        is_bulk: bool = True,
    ) -> AsyncIterator[AsyncConnection]:
        """The same with rows, which the block writes over the connection in that transaction."""
        changes = {**self._changes_of(checkpoint, progress), **changes}
        new_lines = self._numbered(important(lines, self.step) if self.is_refresh else lines)
        if checkpoint.step is not self.step and progress.text is None and not isinstance(checkpoint, Starting):
            changes = {**changes, **columns_of_step(checkpoint.step)}
            new_lines += opening_lines([checkpoint.step], is_brief=self.is_refresh)
        async with self._changing(changes, new_lines, is_bulk=is_bulk) as connection:
            yield connection
        self._advance(checkpoint)

    @asynccontextmanager
    async def completing(self) -> AsyncIterator[AsyncConnection]:
        """The last transaction: the block calls ``complete`` with the connection first, then publishes, and ends."""
        async with self._database.bulk_turn, self._ending() as connection:
            yield connection

    async def complete(self, connection: AsyncConnection, completed: Completed) -> None:
        """End the sync as completed."""
        await self._end(connection, completed)

    async def fail(self, failure: SyncFailure) -> None:
        """End the sync as failed."""
        async with self._ending() as connection:
            await self._end(connection, Failed(failure))

    async def show_pause(self, resumes_at: datetime) -> None:
        """Show that the sync waits for the database, if this small write succeeds, and release the claim.

        Raises:
            StorageError: The write failed; nothing is shown.
            StopRequested: The sync has ended, or another process runs it.
        """
        changes: RunningChanges = {
            "current_step": WAITING_FOR_DATABASE_TEXT,
            "resumes_at": resumes_at,
            "waiting_for": WaitReason.DATABASE.value,
            "claimed_by": None,
            "pauses": self.pauses,
        }
        text = "The database can't be used at the moment; the sync waits and resumes by itself"
        lines = [(LogLevel.WARNING, text)] if self.pauses == 1 else []
        await self._change(changes, self._numbered(lines), patience_seconds=PAUSE_PATIENCE_SECONDS)

    @property
    def silent_seconds(self) -> float:
        """How long ago the last change was committed."""
        return time.monotonic() - self._written_at

    def show(self, row: SyncRow, *, is_urgent: bool = True) -> None:
        """Note and publish a committed change; without ``is_urgent`` publish at most ten times a second."""
        self._written_at = time.monotonic()
        self.snapshot = snapshot_of(row)
        if self.span is not None:
            self.span.enter(self.snapshot.step.name)
        if is_urgent or self._written_at - self._published_at >= MIN_INTERVAL_SECONDS:
            self._published_at = self._written_at
            self._bus.publish(self.snapshot)

    def _changes_of(self, checkpoint: Checkpoint, progress: Progress) -> RunningChanges:
        changes: RunningChanges = {
            "checkpoint": to_json(checkpoint),
            "requests": self.requests,
        }
        if makes_progress(self.checkpoint, checkpoint):
            changes["lost_claims"] = changes["pauses"] = 0
        return {**changes, **columns_of_progress(progress, self.step)}

    def _advance(self, checkpoint: Checkpoint) -> None:
        is_progress = makes_progress(self.checkpoint, checkpoint)
        self._checkpoint = checkpoint
        if is_progress:
            self.lost_claims = self.pauses = 0
            self._on_progress()

    def _numbered(self, lines: Lines) -> list[NewLine]:
        return [NewLine(level.value, self.step.value, message) for level, message in lines]

    async def _change(
        self, changes: RunningChanges, lines: Sequence[NewLine] = (), *, patience_seconds: float | None = None
    ) -> None:
        async with self._changing(changes, lines, patience_seconds=patience_seconds):
            pass

    @asynccontextmanager
    async def _changing(
        self,
        changes: RunningChanges,
        lines: Sequence[NewLine] = (),
        *,
        is_bulk: bool = False,
        patience_seconds: float | None = None,
    ) -> AsyncIterator[AsyncConnection]:
        async with self._database.bulk_turn if is_bulk else nullcontext(), self.change_lock:
            resumes_at = changes.get("resumes_at", self.snapshot.resumes_at)
            waited = self.waited_seconds
            changes = {**self.forecast.changes(resumes_at), **changes, "waited_seconds": waited}
            if self.span is not None and self.span.place != self.snapshot.trace_span:
                changes["trace_span"] = self.span.place
            if "step" in changes:
                changes |= columns_of_entry(self.snapshot, changes["step"], waited)
            async with self._database.writing(patience_seconds) as connection:
                row = await change_running(connection, self.key, self.epoch, changes, lines)
                if row is None:
                    raise StopRequested
                yield connection
            # Pages may come faster than clients need them; the next page, line or heartbeat brings the same values.
            self.show(row, is_urgent=not is_bulk)

    @asynccontextmanager
    async def _ending(self) -> AsyncIterator[AsyncConnection]:
        async with self.change_lock:
            async with self._database.writing() as connection:
                yield connection
            if self._ended is not None:
                self.snapshot = self._ended.snapshot
                announce(self._ended, self._bus)

    async def _end(self, connection: AsyncConnection, ending: Ending) -> None:
        self._ended = await end_run(connection, self.key, self.epoch, ending, self.waited_seconds)
        if self._ended is None:
            raise StopRequested
