"""The display of a sync in a terminal and in a pipe, with any texts."""

import io
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine

from routiq_gql.cli.plain_text import COUNT, clean_text, counted
from routiq_gql.cli.progress import Bar, counts_text, outcome_lines, progress_view, time_text
from routiq_gql.cli.terminal import open_terminal
from routiq_gql.cli.times import local_time
from routiq_gql.sync.model import (
    FailureCode,
    LogLevel,
    LogLine,
    SyncFailure,
    SyncMode,
    SyncSnapshot,
    SyncState,
    SyncStep,
    WaitReason,
)
from tests.snapshots import BEGIN, SNAPSHOT

LINE = LogLine(SNAPSHOT.sync_id, 1, BEGIN, LogLevel.SUCCESS, SyncStep.FETCHING_PATIENTS, "Found 641 patients")


ESTIMATE = {"estimated_completion": BEGIN + timedelta(seconds=20)}
RANGE = {"estimated_earliest": BEGIN + timedelta(seconds=17), "estimated_latest": BEGIN + timedelta(seconds=28)}


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _kind_of_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("NO_COLOR", raising=False)


def _shown(*updates: LogLine | SyncSnapshot, terminal: bool) -> str:
    text = _Terminal() if terminal else io.StringIO()
    console = open_terminal(text)
    with progress_view(console) as view:
        for update in updates:
            if isinstance(update, LogLine):
                view.show_line(update)
            else:
                view.show_progress(update)
    return text.getvalue()


def test_a_terminal_shows_step_percentage_counts_and_log():
    """The terminal shows the step, the percentage, the counts and the log."""
    shown = _shown(SNAPSHOT, LINE, terminal=True)
    for part in ("Step 4 of 8", "300 of 641 patients", "43 %", "1,247 appointments", "89 active", "Found 641 patients"):
        assert part in shown
    assert "━" in shown


@pytest.mark.parametrize(
    ("mode", "text"),
    [(SyncMode.FULL, "full sync · 300"), (SyncMode.INCREMENTAL, "incremental sync · 300"), (SyncMode.AUTO, "│300")],
)
def test_a_terminal_shows_how_much_is_read(mode: SyncMode, text: str):
    """The bar says whether the sync reads everything or only changes, once that is decided."""
    bar = Bar(open_terminal(_Terminal()))
    bar.refresh = lambda: None
    bar.show_progress(replace(SNAPSHOT, mode=mode))
    console = open_terminal(io.StringIO())
    console.print(bar.draw())
    assert text in "│" + console.file.getvalue().splitlines()[-1]


def test_a_pipe_gets_plain_lines_and_not_too_many():
    """A file or another program gets a line per step or five percent, without control codes."""
    further = [replace(SNAPSHOT, progress_percentage=p, version=p) for p in range(43, 50)]
    shown = _shown(LINE, *further, replace(SNAPSHOT, step=SyncStep.LOADING_TYPES, version=60), terminal=False)
    lines = shown.splitlines()
    assert "\x1b" not in shown
    time = local_time(SNAPSHOT.last_updated, seconds=True)
    assert [line.removeprefix(time)[:7].strip() for line in lines[1:]] == ["43 %", "48 %", "43 %"]
    assert "success: Found 641 patients" in lines[0]
    assert "step 4/8  300 of 641 patients  (300 patients · 1,247 appointments · 89 active)" in lines[1]


@pytest.mark.parametrize("terminal", [True, False])
def test_sentences_of_a_sync_have_separators(terminal: bool):
    """Counts in the sentences of a sync are written like all other numbers; ids and years stay as they are."""
    snapshot = replace(SNAPSHOT, current_step="600 of 1337 patients")
    shown = _shown(replace(LINE, message="Found 12470 appointments, the last one in 2026"), snapshot, terminal=terminal)
    assert "600 of 1,337 patients" in shown
    assert "Found 12,470 appointments, the last one in 2026" in shown
    failed = replace(
        SNAPSHOT,
        status=SyncState.FAILED,
        completed_at=BEGIN,
        failure=SyncFailure(FailureCode.CLINIKO_UNEXPECTED_ANSWER, SNAPSHOT.step, "1200 rows instead of 100.", "Wait."),
    )
    assert outcome_lines(failed)[0].endswith(": 1,200 rows instead of 100.")


def test_the_terminal_and_the_page_find_the_same_counts():
    """The page has the same expression for counts in sentences."""
    formats = (Path(__file__).parents[2] / "examples/client/src/words/formats.ts").read_text()
    assert f"/{COUNT.pattern}/g" in formats


def test_a_wait_is_shown_at_once_in_a_pipe():
    """A wait for Cliniko is printed at once, even if the percentage stays the same."""
    waiting = replace(
        SNAPSHOT, current_step="Waiting for Cliniko's rate limit", resumes_at=BEGIN + timedelta(seconds=23)
    )
    assert "Waiting for Cliniko's rate limit" in _shown(SNAPSHOT, waiting, terminal=False)


@pytest.mark.parametrize(
    ("changes", "seconds", "expected"),
    [
        ({}, 8.4, "8 s"),
        ({}, -3, "0 s"),
        ({"estimated_completion": BEGIN + timedelta(seconds=20)}, 8, "8 s · about 12 s left"),
        ({"estimated_completion": BEGIN + timedelta(seconds=20)}, 19.5, "19 s · a moment left"),
        ({"estimated_completion": BEGIN + timedelta(seconds=20)}, 95, "1 min 35 s · a moment left"),
        ({"estimated_completion": BEGIN + timedelta(hours=2, seconds=70)}, 60, "1 min 0 s · about 2 h 0 min left"),
        ({**ESTIMATE, **RANGE}, 8, "8 s · about 12 s left (9 s to 20 s)"),
        ({**ESTIMATE, **RANGE}, 18.4, "18 s · about 2 s left (at most 10 s)"),
        ({**ESTIMATE, **RANGE, "estimated_latest": BEGIN + timedelta(seconds=17)}, 8, "8 s · about 12 s left"),
        ({"resumes_at": BEGIN + timedelta(seconds=23)}, 8.5, "8 s · resumes in 15 s"),
        ({"resumes_at": BEGIN + timedelta(seconds=23)}, 23.5, "23 s · resuming"),
        ({"waiting_for": WaitReason.DATABASE}, 8, "8 s · waiting"),
        (
            {
                "waiting_for": WaitReason.RATE_LIMIT,
                "resumes_at": BEGIN + timedelta(seconds=50),
                "estimated_completion": BEGIN + timedelta(seconds=20),
            },
            10,
            "10 s · resumes in 40 s",
        ),
    ],
)
def test_the_bar_says_how_long_and_how_much_longer(changes: dict[str, Any], seconds: float, expected: str):
    """Elapsed and remaining time are never negative; during a wait, an older estimate is hidden."""
    assert time_text(replace(SNAPSHOT, **changes), BEGIN + timedelta(seconds=seconds)) == expected


def test_the_time_in_the_bar_moves_while_nothing_else_does():
    """During a long wait the terminal counts the seconds, without updates from the sync."""
    with time_machine.travel(BEGIN + timedelta(seconds=8), tick=False) as clock:
        bar = Bar(open_terminal(_Terminal()))
        bar.refresh = lambda: None
        bar.show_progress(replace(SNAPSHOT, resumes_at=BEGIN + timedelta(seconds=23)))
        shown = []
        for second in (8, 9):
            clock.move_to(BEGIN + timedelta(seconds=second))
            console = open_terminal(io.StringIO())
            console.print(bar.draw())
            shown.append(console.file.getvalue())
    assert "8 s · resumes in 15 s" in shown[0]
    assert "9 s · resumes in 14 s" in shown[1]


@pytest.mark.parametrize("terminal", [True, False])
def test_texts_cannot_steer_the_terminal(terminal: bool):
    """A hostile text is shown as text: it can't recolour, clear, retitle or mirror anything."""
    hostile = "[bold red]x[/] [link=http://evil]y[/link] :smile: \x1b]0;title\x07\x1b[2J\r\u202egnp.exe\x9b31m"
    snapshot, line = replace(SNAPSHOT, current_step=hostile), replace(LINE, message=hostile)
    shown = _shown(line, snapshot, terminal=terminal)
    for dangerous in ("\x1b]0", "\x1b[2J", "\x07", "\u202e", "\x9b"):
        assert dangerous not in shown
    for plain in ("[bold red]x[/]", "[link=http://evil]y[/link]", ":smile:"):
        assert plain in shown


def test_clean_text_keeps_unusual_names():
    """Names from all over the world stay unchanged."""
    assert clean_text("Zoë Ångström 李 🙂 – …") == "Zoë Ångström 李 🙂 – …"
    assert clean_text("a\nb\tc\u2028d\ud800e") == "a�b�c�d�e"


def test_counts_read_like_a_sentence():
    """Singular, plural, and separators in large numbers."""
    assert [counted(n, "patient") for n in (0, 1, 1247)] == ["0 patients", "1 patient", "1,247 patients"]
    assert counts_text(SNAPSHOT) == "300 patients · 1,247 appointments · 89 active"


def test_each_ending_is_described():
    """The output has a completed sync's figures, a failed sync's reason and advice, or a cancelled sync's progress."""
    ended = replace(SNAPSHOT, completed_at=BEGIN + timedelta(seconds=20.25), patients_found=641)
    completed = replace(ended, status=SyncState.COMPLETED, progress_percentage=100, active_patients_stored=89)
    assert outcome_lines(completed) == [
        "Sync completed in 20.2 s, full: 641 patients, 1,247 appointments, 89 active patients stored."
    ]
    failure = SyncFailure(FailureCode.KEY_REFUSED, SyncStep.CHECKING_CREDENTIALS, "Refused.\x1b[2J", "Make a new key.")
    failed = replace(ended, status=SyncState.FAILED, failure=failure)
    assert outcome_lines(failed) == ["Sync failed at step 4 of 8, 43 %: Refused.�[2J", "Make a new key."]
    cancelled = replace(ended, status=SyncState.CANCELLED, failure=failure)
    assert outcome_lines(cancelled) == ["Sync was cancelled at step 4 of 8, 43 %."]
