"""How long syncs pause whose database can't be used: longer each time, until they make progress again.

Counted per sync in each process, and in the sync's row as far as that can be written, so that the next process that
claims the sync continues the count.
"""

import time
from dataclasses import dataclass
from math import inf

FIRST_PAUSE_SECONDS = 5.0
LONGEST_PAUSE_SECONDS = 60.0
UNDECIDED_SECONDS = 15.0
"""After a pause it takes a page of Cliniko's to show whether the database can be used again."""
REMEMBERED_SECONDS = 600.0
"""A sync that was not claimed here for so long after its pause was claimed elsewhere or has ended."""


@dataclass(slots=True)
class _Pause:
    number: int
    ends_at: float


class Pauses:
    """The pauses of all syncs that this process has run."""

    def __init__(self) -> None:
        self._pauses: dict[int, _Pause] = {}

    def begin(self, key: int, earlier: int = 0) -> tuple[int, float]:
        """Begin the next pause of a sync. Returns its number, from 1, and its length in seconds.

        Args:
            earlier: How many pauses in a row the sync's row counts.
        """
        now = time.monotonic()
        self._pauses = {one: pause for one, pause in self._pauses.items() if pause.ends_at > now - REMEMBERED_SECONDS}
        known = self._pauses.get(key)
        number = max(earlier, known.number if known is not None else 0) + 1
        seconds = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2.0 ** min(number - 1, 10))
        self._pauses[key] = _Pause(number, now + seconds)
        return number, seconds

    def end(self, key: int) -> None:
        """Forget the pauses of a sync that has made progress or has ended: its next pause is short again."""
        self._pauses.pop(key, None)

    def left(self, key: int) -> float:
        """Seconds until the sync may be claimed; 0 when it may be claimed now."""
        pause = self._pauses.get(key)
        return max(0.0, pause.ends_at - time.monotonic()) if pause is not None else 0.0

    def until_next_end(self) -> float:
        """Seconds until the next pause ends; infinite without a pause."""
        now = time.monotonic()
        return min((pause.ends_at - now for pause in self._pauses.values() if pause.ends_at > now), default=inf)

    @property
    def count(self) -> int:
        """How many syncs pause, or have not made progress since their pause."""
        now = time.monotonic()
        return sum(pause.ends_at + UNDECIDED_SECONDS > now for pause in self._pauses.values())
