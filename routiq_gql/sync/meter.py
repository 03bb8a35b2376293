"""What counts the requests of a run, so that the run can show and store their cost."""

from collections import Counter
from typing import Protocol


class Meter(Protocol):
    """Counts what requests to Cliniko cost; a client."""

    @property
    def requests(self) -> Counter[str]: ...
    @property
    def waited_seconds(self) -> float: ...
