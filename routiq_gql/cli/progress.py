"""Shows a sync in the terminal: a progress bar below its log lines, or plain lines if the output is no terminal.

All texts of a sync are shown as plain text: no markup, no control characters.
"""

from collections.abc import Callable, Iterator
from contextlib import aclosing, contextmanager
from datetime import datetime
from math import ceil
from typing import Protocol

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from routiq_gql.cli.plain_text import counted, sentence_text
from routiq_gql.cli.receipts import MODE_TEXTS, receipt_lines
from routiq_gql.cli.times import duration_text, local_time, whole_duration
from routiq_gql.clock import utc_now
from routiq_gql.security.viewer import LOCAL_OPERATOR
from routiq_gql.sync.model import TOTAL_STEPS, LogLevel, LogLine, SyncSnapshot, SyncState
from routiq_gql.sync.service import SyncService

LEVEL_STYLES = {LogLevel.INFO: "", LogLevel.SUCCESS: "green", LogLevel.WARNING: "yellow", LogLevel.ERROR: "red"}

PLAIN_STEP_PERCENT = 5
"""Without a terminal, a new percentage within a step is printed only after this many points."""


class ProgressView(Protocol):
    """A display for a sync."""

    def show_line(self, line: LogLine) -> None: ...

    def show_progress(self, snapshot: SyncSnapshot) -> None: ...


async def follow_sync(syncs: SyncService, sync_id: str, view: ProgressView) -> SyncSnapshot:
    """Show a sync until it has ended, and return its last snapshot.

    Raises:
        SyncNotFound: There is no such sync.
    """
    last: SyncSnapshot | None = None
    async with aclosing(syncs.follow(LOCAL_OPERATOR, sync_id)) as updates:
        async for update in updates:
            if isinstance(update, LogLine):
                view.show_line(update)
            else:
                view.show_progress(update)
                last = update
    return last or await syncs.status(LOCAL_OPERATOR, sync_id)


@contextmanager
def progress_view(console: Console) -> Iterator[ProgressView]:
    """A view that fits ``console``. The bar disappears at the end of the block, the log lines stay."""
    if not console.is_terminal:
        yield _PlainLines(console)
        return
    bar = Bar(console)
    with Live(console=console, transient=True, refresh_per_second=8, get_renderable=bar.draw) as live:
        bar.refresh = live.refresh
        yield bar


def outcome_lines(snapshot: SyncSnapshot) -> list[str]:
    """Lines for an ended sync: the result and its receipt, or the failure and what to do."""
    seconds = snapshot.duration_seconds
    if snapshot.status is SyncState.COMPLETED and seconds is not None:
        found = f"{counted(snapshot.patients_found, 'patient')}, {counted(snapshot.appointments_found, 'appointment')}"
        stored = counted(snapshot.active_patients_stored, "active patient")
        mode = f", {MODE_TEXTS[snapshot.mode]}" if MODE_TEXTS[snapshot.mode] else ""
        receipt = receipt_lines(snapshot.receipt, utc_now()) if snapshot.receipt else []
        return [f"Sync completed in {duration_text(seconds)}{mode}: {found}, {stored} stored.", *receipt]
    ending = "was cancelled" if snapshot.status is SyncState.CANCELLED else "failed"
    where = f"Sync {ending} at step {snapshot.step.value} of {TOTAL_STEPS}, {snapshot.progress_percentage} %"
    if snapshot.failure is None or snapshot.status is SyncState.CANCELLED:
        return [f"{where}."]
    return [f"{where}: {sentence_text(snapshot.failure.message)}", sentence_text(snapshot.failure.what_to_do)]


def counts_text(snapshot: SyncSnapshot) -> str:
    """``641 patients · 1,247 appointments · 89 active``."""
    found = f"{counted(snapshot.patients_found, 'patient')} · {counted(snapshot.appointments_found, 'appointment')}"
    return f"{found} · {snapshot.active_patients_identified:,} active"


def time_text(snapshot: SyncSnapshot, now: datetime) -> str:
    """``8 s · about 12 s left (9 s to 20 s)``: the time since the start, and the estimate or the wait, if known.

    The clocks of two machines may differ, so no time is below zero.
    """
    parts = [whole_duration(max(0, int((now - snapshot.started_at).total_seconds())))]
    estimate = snapshot.estimated_completion
    left = (estimate - now).total_seconds() if estimate is not None else None
    wait = (snapshot.resumes_at - now).total_seconds() if snapshot.resumes_at is not None else None
    if is_waiting(snapshot):
        parts.append(
            "waiting" if wait is None else "resuming" if wait < 1 else f"resumes in {whole_duration(ceil(wait))}"
        )
        if left is not None and (wait is None or left <= wait):
            left = None  # an estimate from before the wait
    if left is not None:
        parts.append(
            "a moment left" if left < 1 else f"about {whole_duration(round(left))} left{_range(snapshot, now)}"
        )
    return " · ".join(parts)


def _range(snapshot: SyncSnapshot, now: datetime) -> str:
    """`` (9 s to 20 s)``: the range of the estimate; empty where it would repeat the estimate."""
    if (within := snapshot.estimated_completion_range) is None:
        return ""
    earliest, latest = (max(0, round((moment - now).total_seconds())) for moment in (within.earliest, within.latest))
    if latest <= earliest:
        return ""
    least = f"{whole_duration(earliest)} to" if earliest > 0 else "at most"
    return f" ({least} {whole_duration(latest)})"


def is_waiting(snapshot: SyncSnapshot) -> bool:
    """Whether the sync waits for Cliniko or the database."""
    return snapshot.waiting_for is not None or snapshot.resumes_at is not None


class Bar:
    """Four lines at the bottom of the terminal, redrawn several times a second; rich draws log lines above them.

    Attributes:
        refresh: Draws at once.
    """

    refresh: Callable[[], None]

    def __init__(self, console: Console) -> None:
        self._console = console
        self._snapshot: SyncSnapshot | None = None

    def show_line(self, line: LogLine) -> None:
        text = Text(f"{line.time.astimezone():%H:%M:%S}  ", style="dim")
        text.append(sentence_text(line.message), style=LEVEL_STYLES[line.level] or "not dim")
        self._console.print(text)

    def show_progress(self, snapshot: SyncSnapshot) -> None:
        self._snapshot = snapshot
        self.refresh()

    def draw(self) -> RenderableType:
        """The current display."""
        snapshot = self._snapshot
        if snapshot is None:
            return Text()
        waits = is_waiting(snapshot)
        bar = Table.grid(expand=True, padding=(0, 1))
        bar.add_column(ratio=1)
        bar.add_column(justify="right", width=5)
        progress = ProgressBar(
            total=100,
            completed=snapshot.progress_percentage,
            complete_style="yellow" if waits else "bar.complete",
        )
        bar.add_row(progress, f"{snapshot.progress_percentage} %")
        step = Text(f"Step {snapshot.step.value} of {TOTAL_STEPS}  ", style="bold")
        step.append(sentence_text(snapshot.current_step), style="yellow" if waits else "not bold")
        times = Text(time_text(snapshot, utc_now()), style="yellow" if waits else "")
        mode = f"{MODE_TEXTS[snapshot.mode]} sync · " if MODE_TEXTS[snapshot.mode] else ""
        return Group(Text(), step, bar, times, Text(mode + counts_text(snapshot), style="dim"))


class _PlainLines:
    """Prints each log line, each new step, and the progress every few percent."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._shown: SyncSnapshot | None = None

    def show_line(self, line: LogLine) -> None:
        level = "" if line.level is LogLevel.INFO else f"{line.level.value}: "
        self._console.print(f"{local_time(line.time, seconds=True)}  {level}{sentence_text(line.message)}")

    def show_progress(self, snapshot: SyncSnapshot) -> None:
        if self._shown is not None and not self._needs_line(self._shown, snapshot):
            return
        self._shown = snapshot
        step = f"step {snapshot.step.value}/{TOTAL_STEPS}  {sentence_text(snapshot.current_step)}"
        time = local_time(snapshot.last_updated, seconds=True)
        self._console.print(f"{time}  {snapshot.progress_percentage:3d} %  {step}  ({counts_text(snapshot)})")

    @staticmethod
    def _needs_line(shown: SyncSnapshot, snapshot: SyncSnapshot) -> bool:
        return (
            snapshot.step != shown.step
            or snapshot.status != shown.status
            or snapshot.resumes_at != shown.resumes_at
            or snapshot.progress_percentage >= shown.progress_percentage + PLAIN_STEP_PERCENT
        )
