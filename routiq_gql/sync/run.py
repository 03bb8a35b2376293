"""One taking-up of one sync: all that the eight steps see of the world behind them.

Every write carries the epoch of this taking-up. When it matches no row, the sync has ended or is someone else's:
``StopRequested`` unwinds the steps, and nothing more is written. Snapshots are published after their commit.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import nullcontext
from datetime import datetime
from typing import Any, Unpack

from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql import metrics
from routiq_gql.clock import utc_now
from routiq_gql.database.engine import Database
from routiq_gql.database.rows import SyncRow, SyncValues
from routiq_gql.database.syncs import NewLine, change_running
from routiq_gql.live.bus import ProgressBus
from routiq_gql.sync.mapping import NOT_WAITING, failure_values, snapshot_of
from routiq_gql.sync.model import (
    COMPLETED_TEXT,
    WAITING_FOR_DATABASE_TEXT,
    LogLevel,
    SyncFailure,
    SyncSnapshot,
    SyncState,
    SyncStep,
    WaitReason,
    percentage,
)

MIN_INTERVAL_SECONDS = 0.1
"""Changes within a step are told at most ten times a second."""
PAUSE_PATIENCE_SECONDS = 2.0
"""How long a sync that has to wait for the database tries to say so."""
MAX_INTERVAL_SECONDS = 1.0
"""A client sees a sign of life at least this often; see ``pulse``."""

Save = Callable[[AsyncConnection], Awaitable[None]]


class StopRequested(Exception):
    """This process doesn't run the sync any more: it was cancelled, or another holder has taken it up."""


class SyncRun:
    """The run context: where the sync stands (``cursor``), and the three ways to say how it goes on.

    Attributes:
        snapshot: The newest committed snapshot.
        cursor: What ``checkpoint`` stored last; empty for a sync that has not got that far.
        lost_claims: How many claims in a row ended with a dead process and made no progress.
        pauses: How often in a row the database interrupted it without any progress between.
        change_lock: Held from before a change until after it was shown, so that snapshots come in their order.
    """

    def __init__(
        self, database: Database, bus: ProgressBus, row: SyncRow, on_progress: Callable[[], None] = lambda: None
    ) -> None:
        self.snapshot: SyncSnapshot = snapshot_of(row)
        self.cursor: dict[str, Any] = dict(row.checkpoint)
        self.epoch: int = row.epoch
        self.lost_claims: int = row.lost_claims
        self.pauses: int = row.pauses
        self._on_progress = on_progress
        self._database = database
        self._bus = bus
        self._unwritten: SyncValues = {}
        self._text_before_wait: str | None = None
        self._written_at = time.monotonic()
        self._published_at = 0.0
        self.change_lock = asyncio.Lock()

    @property
    def key(self) -> int:
        return self.snapshot.key

    @property
    def step(self) -> SyncStep:
        return self.snapshot.step

    async def begin_step(self, step: SyncStep) -> None:
        """Enter ``step``: status, documented text and a log line."""
        values: SyncValues = {
            "status": step.state.value,
            "step": step.value,
            "current_step": step.opening_text,
            "progress_percentage": percentage(step, 0),
            **NOT_WAITING,
        }
        await self._write(values, [(LogLevel.INFO, step.opening_text)], step=step)

    async def progress(
        self,
        *,
        fraction: float | None = None,
        text: str | None = None,
        log: tuple[LogLevel, str] | None = None,
        **columns: Unpack[SyncValues],
    ) -> None:
        """Show how the current step goes on.

        Written at most ten times a second; what comes faster is kept and joins the next write. A ``log`` line is
        never held back.
        """
        self._unwritten |= self._progress_values(fraction, text, columns)
        if log is not None or time.monotonic() - self._written_at >= MIN_INTERVAL_SECONDS:
            await self._write({}, [log] if log else [])

    async def begin_wait(self, reason: WaitReason, text: str, resumes_at: datetime) -> None:
        """Show that the sync waits, why and until when, with a log line."""
        if self._text_before_wait is None:
            self._text_before_wait = self._unwritten.get("current_step", self.snapshot.current_step)
        values: SyncValues = {"current_step": text, "resumes_at": resumes_at, "waiting_for": reason.value}
        await self._write(values, [(LogLevel.WARNING, text)])

    async def end_wait(self) -> None:
        """Show what was shown before the wait. Called before the next request, however long its answer takes."""
        if self._text_before_wait is not None:
            await self._write({"current_step": self._text_before_wait, **NOT_WAITING}, [])
            self._text_before_wait = None

    async def checkpoint(
        self,
        cursor: dict[str, Any],
        save: Save | None = None,
        *,
        fraction: float | None = None,
        text: str | None = None,
        log: tuple[LogLevel, str] | None = None,
        notes: Sequence[tuple[LogLevel, str]] = (),
        **columns: Unpack[SyncValues],
    ) -> None:
        """Store what was read and where to go on, and show it, in one transaction. ``log`` follows ``notes``."""
        values = self._progress_values(fraction, text, columns) | {"checkpoint": cursor}
        if is_progress := cursor != self.cursor:  # a slice that is repeated after a break is none
            values |= {"lost_claims": 0, "pauses": 0}
        await self._write(values, [*notes, log] if log else list(notes), save=save)
        self.cursor = cursor
        if is_progress:
            self.lost_claims = self.pauses = 0
            self._on_progress()

    async def complete(
        self, save: Callable[[AsyncConnection], Awaitable[int]], messages: Callable[[int], list[str]]
    ) -> None:
        """End the sync as completed in the transaction of ``save``, which returns how many active patients it stored.

        ``messages`` makes the last log lines from that number.
        """
        async with self._database.bulk_turn, self.change_lock, self._database.writing() as connection:
            stored = await save(connection)
            values: SyncValues = {
                **self._take_unwritten(),
                "status": SyncState.COMPLETED.value,
                "current_step": COMPLETED_TEXT,
                "progress_percentage": 100,
                "active_patients_stored": stored,
                "completed_at": utc_now(),
                "estimated_completion": None,
                **NOT_WAITING,
            }
            lines = [NewLine(LogLevel.SUCCESS.value, SyncStep.STORING.value, text) for text in messages(stored)]
            row = await change_running(connection, self.key, self.epoch, values, lines)
            if row is None:
                raise StopRequested
        self.show(row)

    async def fail(self, failure: SyncFailure) -> None:
        """End the sync as failed."""
        self._take_unwritten()
        await self._write(
            failure_values(failure, SyncState.FAILED, utc_now()), [(LogLevel.ERROR, failure.message)], step=failure.step
        )

    async def show_pause(self, resumes_at: datetime) -> None:
        """Show that the sync waits for the database, if that takes this little change, and release the claim.

        Raises:
            StorageError: It doesn't; then nothing is shown.
            StopRequested: The sync is not ours any more.
        """
        self._take_unwritten()  # what the interrupted step wanted to show is not stored
        values: SyncValues = {
            "current_step": WAITING_FOR_DATABASE_TEXT,
            "resumes_at": resumes_at,
            "waiting_for": WaitReason.DATABASE.value,
            "claimed_by": None,
            "pauses": self.pauses,
        }
        text = "The database can't be used at the moment; the sync waits and resumes by itself"
        lines = [NewLine(LogLevel.WARNING.value, self.step.value, text)] if self.pauses == 1 else []
        async with self.change_lock, self._database.writing(PAUSE_PATIENCE_SECONDS) as connection:
            row = await change_running(connection, self.key, self.epoch, values, lines)
            if row is None:
                raise StopRequested
        self.show(row)

    @property
    def silent_seconds(self) -> float:
        """How long ago the last change was committed."""
        return time.monotonic() - self._written_at

    @property
    def has_unwritten(self) -> bool:
        """Whether something that ``progress`` was told waits to be written."""
        return bool(self._unwritten)

    async def write_now(self) -> None:
        """Write what waits, or only that the sync lives.

        Raises:
            StopRequested: It is not ours any more.
        """
        await self._write({}, [])

    def _progress_values(
        self,
        fraction: float | None,
        text: str | None,
        columns: SyncValues,
    ) -> SyncValues:
        values = columns.copy()
        if fraction is not None:
            values["progress_percentage"] = percentage(self.step, fraction)
        if text is not None:
            values["current_step"] = text
        return values

    def _take_unwritten(self) -> SyncValues:
        taken, self._unwritten = self._unwritten, {}
        return taken

    async def _write(
        self,
        values: SyncValues,
        lines: list[tuple[LogLevel, str]],
        *,
        step: SyncStep | None = None,
        save: Save | None = None,
    ) -> None:
        async with self._database.bulk_turn if save is not None else nullcontext(), self.change_lock:
            number = (step or self.step).value
            values = self._take_unwritten() | values
            new_lines = [NewLine(level.value, number, message) for level, message in lines]
            async with self._database.writing() as connection:
                row = await change_running(connection, self.key, self.epoch, values, new_lines)
                if row is None:
                    raise StopRequested
                if save is not None:
                    await save(connection)
            # Pages may come faster than anyone wants to hear; the next page, line or sign of life tells of this one.
            self.show(row, is_urgent=step is not None or save is None or bool(lines))

    def show(self, row: SyncRow, *, is_urgent: bool = True) -> None:
        """Note a committed change and tell watchers of it; without ``is_urgent`` at most ten times a second."""
        self._written_at = time.monotonic()
        self.snapshot = snapshot_of(row)
        if is_urgent or self._written_at - self._published_at >= MIN_INTERVAL_SECONDS:
            self._published_at = self._written_at
            self._bus.publish(self.snapshot)
        if self.snapshot.duration_seconds is not None:
            metrics.sync_ended(self.snapshot.status.value, self.snapshot.duration_seconds)
