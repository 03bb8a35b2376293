"""When a sync entered its steps, as stored, and the times of each step that follow from it.

Stored as JSON in ``syncs.steps`` and written only when a step is entered. An entry holds the waits of the sync until
then, so the waits of all steps always add up to those of the sync.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

FORMAT = 1


@dataclass(frozen=True, slots=True)
class StepEntry:
    """The entry of a sync into a step.

    Attributes:
        number: The step, 1 to 8.
        entered_at: When the sync first entered it; not before the entry into the step before.
        waited_before: Seconds that the sync had waited for Cliniko until then, to the millisecond.
    """

    number: int
    entered_at: datetime
    waited_before: float


@dataclass(frozen=True, slots=True)
class StepTiming:
    """The time that a sync spent in a step.

    Attributes:
        number: The step, 1 to 8.
        started_at: When the sync entered it.
        ended_at: When the sync entered the next step, or ended; ``None`` while the step runs.
        waited_seconds: Seconds of waits for Cliniko within it.
    """

    number: int
    started_at: datetime
    ended_at: datetime | None
    waited_seconds: float


StepEntries = tuple[StepEntry, ...]


def entering(entries: StepEntries, number: int, at: datetime, waited_seconds: float) -> StepEntries:
    """The entries of a sync that enters the step ``number``.

    A sync that goes back to an earlier step, as it has to read everything after all, repeats the steps from there. Its
    time since then belongs to that step. A sync of an earlier version has no entries, and gets none.
    """
    kept = tuple(one for one in entries if one.number <= number)
    if not kept or kept[-1].number == number:
        return kept
    last = kept[-1]  # neither the clock nor the waits may go back
    entry = StepEntry(number, max(at, last.entered_at), max(_milliseconds(waited_seconds), last.waited_before))
    return (*kept, entry)


def timings_of(entries: StepEntries, completed_at: datetime | None, waited_seconds: float) -> tuple[StepTiming, ...]:
    """The times of the steps, in order; each step ends where the next begins.

    Args:
        completed_at: When the sync ended; ``None`` while it runs.
        waited_seconds: Seconds of all its waits until now.
    """
    timings = []
    ended_at, waited = completed_at, _milliseconds(waited_seconds)
    for one in reversed(entries):
        started_at = one.entered_at
        if ended_at is not None and ended_at < started_at:
            ended_at = started_at
        within = _milliseconds(waited - one.waited_before) if waited > one.waited_before else 0.0
        timings.append(StepTiming(one.number, started_at, ended_at, within))
        ended_at, waited = started_at, one.waited_before
    timings.reverse()
    return tuple(timings)


def to_json(entries: StepEntries) -> dict[str, object]:
    """The entries as JSON; times are ISO 8601 in UTC."""
    return {
        "format": FORMAT,
        "entered": [[one.number, one.entered_at.isoformat(), one.waited_before] for one in entries],
    }


def read_entries(stored: Mapping[str, Any] | None) -> StepEntries:
    """The entries that ``to_json`` stored; none for a sync of an earlier version, or in a format of a later version."""
    if stored is None or stored["format"] != FORMAT:
        return ()
    return tuple(StepEntry(number, datetime.fromisoformat(at), waited) for number, at, waited in stored["entered"])


def _milliseconds(seconds: float) -> float:
    return round(seconds, 3)
