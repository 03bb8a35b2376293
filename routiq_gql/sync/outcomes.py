"""What starting and cancelling a sync come to: the sync as it is then, and the documented sentence."""

from dataclasses import dataclass

from routiq_gql.sync.model import SyncSnapshot


@dataclass(frozen=True, slots=True)
class StartedSync:
    """The sync that runs now; ``created`` tells whether this call started it."""

    sync: SyncSnapshot
    created: bool

    @property
    def message(self) -> str:
        return "Sync started" if self.created else "Sync already in progress"


@dataclass(frozen=True, slots=True)
class CancelledSync:
    """The sync's final state; ``cancelled`` tells whether this call ended it."""

    sync: SyncSnapshot
    cancelled: bool

    @property
    def message(self) -> str:
        return "Sync cancelled" if self.cancelled else f"Sync already {self.sync.status.value}"
