"""Which appointments of an organization are stored: from a day on, or, as in earlier versions, within a window.

A longer history holds more personal data, so a database of an earlier version keeps its window until an operator gives
``ROUTIQ_HISTORY_DAYS``. The page and ``routiq-gql connect`` say so.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.database.publishing import any_keeps_window, ensure_mirror
from routiq_gql.settings import Settings
from routiq_gql.sync.plan import history_days, horizon_of


@dataclass(frozen=True, slots=True)
class StoredHistory:
    """The appointments that the next sync of an organization stores.

    Attributes:
        days: How many days back it begins.
        start: Appointments are stored from this time on.
        end: The end of the window; ``None`` without an end.
    """

    days: int
    start: datetime
    end: datetime | None

    @property
    def keeps_window(self) -> bool:
        """Whether it is the window of an earlier version."""
        return self.end is not None


async def stored_history(
    connection: AsyncConnection, organization_id: str, settings: Settings, now: datetime
) -> StoredHistory:
    """The organization's stored history. In a writing transaction: its row in ``mirrors`` is made if missing."""
    mirror = await ensure_mirror(connection, organization_id)
    horizon = horizon_of(mirror, settings, now)
    days = history_days(mirror, settings)
    return StoredHistory(settings.recent_days if days is None else days, horizon.start, horizon.end)


async def keeps_window(connection: AsyncConnection, settings: Settings) -> bool:
    """Whether any organization of this database keeps the window of an earlier version."""
    return "history_days" not in settings.model_fields_set and await any_keeps_window(connection)
