"""The results of starting and cancelling a sync: its snapshot and the documented sentence."""

from dataclasses import dataclass

from routiq_gql.sync.model import SyncSnapshot
from routiq_gql.sync.problems import CancelProblem, StartProblem, already_ended


@dataclass(frozen=True, slots=True)
class StartedSync:
    """The running sync.

    Attributes:
        created: Whether this call started it.
        problem: Why it will not do as asked; ``None`` if it does.
    """

    sync: SyncSnapshot
    created: bool
    problem: StartProblem | None

    @property
    def message(self) -> str:
        return "Sync started" if self.created else "Sync already in progress"


@dataclass(frozen=True, slots=True)
class CancelledSync:
    """The sync's final state; ``cancelled`` is true if this call ended it."""

    sync: SyncSnapshot
    cancelled: bool

    @property
    def message(self) -> str:
        return "Sync cancelled" if self.cancelled else f"Sync already {self.sync.status.value}"

    @property
    def problem(self) -> CancelProblem | None:
        """Why it was not cancelled; ``None`` if it was."""
        return None if self.cancelled else already_ended(self.sync)
