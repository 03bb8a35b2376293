"""A fixed piece of work, done beside every page, that measures the machine's current speed.

A shared machine's speed changes by half within seconds, far more than a page's time may. So ratios compare page times
in units of this work; the milliseconds beside them are by the clock.
"""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

_TEXT = json.dumps(
    [{"id": str(number), "name": "x" * 40, "starts_at": "2024-12-22T14:30:22Z"} for number in range(150)]
)
_ROUNDS = 3
TENTHS = 10


def measure() -> float:
    """Seconds that the work takes now, about half a millisecond."""
    began = time.perf_counter()
    for _ in range(_ROUNDS):
        json.loads(_TEXT)
    return time.perf_counter() - began


@dataclass(slots=True)
class Times:
    """Times of a list's pages.

    Attributes:
        seconds: By the clock.
        relative: In units of the work done right after the page.
    """

    seconds: list[float] = field(default_factory=list)
    relative: list[float] = field(default_factory=list)

    @classmethod
    def read(cls, value: dict[str, Any]) -> "Times":
        """Read the form that a child sends."""
        return cls(list(value["seconds"]), list(value["relative"]))

    def add(self, seconds: float) -> None:
        """Record a page, and measure the machine. The next page begins after this."""
        self.seconds.append(seconds)
        self.relative.append(seconds / measure())


def tenths(values: Sequence[float]) -> tuple[float, float, float]:
    """The medians of the first, the middle and the last tenth, so that a single slow moment has no effect."""
    size = max(1, len(values) // TENTHS)
    middle = (len(values) - size) // 2
    return median(values[:size]), median(values[middle : middle + size]), median(values[-size:])
