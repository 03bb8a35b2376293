"""The results of starting and cancelling a sync: its snapshot and the documented sentence."""

from dataclasses import dataclass

from routiq_gql.sync.model import SyncSnapshot


@dataclass(frozen=True, slots=True)
class StartedSync:
    """The running sync; ``created`` is true if this call started it."""

    sync: SyncSnapshot
    created: bool

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
