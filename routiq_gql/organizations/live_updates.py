"""Live updates: consecutive syncs that looks at Cliniko have started, as one entry beside the syncs of a history."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.database.live_updates import live_updates_after
from routiq_gql.sync.model import SyncSnapshot


@dataclass(frozen=True, slots=True)
class LiveUpdates:
    """Consecutive completed syncs that looks have started. They are deleted after 7 days.

    Attributes:
        after: The id of the sync in the history after which they came; the next sync of the history is newer than all.
        first_at: When the first of them was started.
        last_at: When the last of them ended.
        patient_changes: The patients that each of them has changed, added up; a patient may count several times.
    """

    after: str
    count: int
    first_at: datetime
    last_at: datetime
    patient_changes: int

    @property
    def updates_text(self) -> str:
        """``14 live updates``."""
        return "1 live update" if self.count == 1 else f"{self.count:,} live updates"

    @property
    def patients_text(self) -> str:
        """``23 patients changed``."""
        return f"{self.patient_changes:,} {'patient' if self.patient_changes == 1 else 'patients'} changed"


async def read_live_updates(
    connection: AsyncConnection, organization_id: str, syncs: Sequence[SyncSnapshot]
) -> list[LiveUpdates]:
    """The live updates after each of these syncs of an organization's history, the newest first."""
    ids = {sync.key: sync.sync_id for sync in syncs}
    rows = await live_updates_after(connection, organization_id, ids)
    return [LiveUpdates(ids[row.after], row.count, row.first_at, row.last_at, row.patient_changes) for row in rows]
