"""The story of a simulation: its events, with virtual times. Two runs of a seed write the same story."""

import hashlib
from collections.abc import Callable

SHOWN_LINES = 70
"""The newest lines show how a failure came about; a story may have thousands."""


class Story:
    """Lines in the order in which things happened.

    Args:
        moment: The virtual time in seconds, and the step of the loop.
    """

    def __init__(self, moment: Callable[[], tuple[float, int]]) -> None:
        self._moment = moment
        self._lines: list[tuple[float, int, str]] = []

    def tell(self, text: str) -> None:
        """Add a line."""
        self._lines.append((*self._moment(), text))

    @property
    def now(self) -> float:
        """The virtual time in seconds."""
        return self._moment()[0]

    @property
    def digest(self) -> str:
        """A hash of all lines with their times and steps."""
        return hashlib.sha256(repr(self._lines).encode()).hexdigest()[:16]

    def text(self, lines: int | None = SHOWN_LINES) -> str:
        """The newest lines, or all of them."""
        shown = self._lines if lines is None else self._lines[-lines:]
        left_out = len(self._lines) - len(shown)
        parts = [f"… {left_out} earlier lines"] if left_out else []
        parts += [f"{seconds:12.3f} s  step {step:6}  {text}" for seconds, step, text in shown]
        return "\n".join(parts)
