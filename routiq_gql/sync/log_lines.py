"""The lines that a sync writes to its log. A sync that a look at Cliniko has started writes few, as there are many."""

from collections.abc import Iterable, Sequence

from routiq_gql.database.syncs import NewLine
from routiq_gql.sync.model import LogLevel, SyncStep

Lines = Sequence[tuple[LogLevel, str]]


def opening_lines(steps: Iterable[SyncStep], *, is_brief: bool) -> list[NewLine]:
    """A line for each step that begins; none in a brief log."""
    return [] if is_brief else [NewLine(LogLevel.INFO.value, one.value, one.opening_text) for one in steps]


def important(lines: Lines, step: SyncStep) -> Lines:
    """The lines of a brief log: warnings and errors, and what step 3 says the sync is for."""
    usual = {LogLevel.SUCCESS} if step is SyncStep.CHECKING_CREDENTIALS else {LogLevel.SUCCESS, LogLevel.INFO}
    return [line for line in lines if line[0] not in usual]
