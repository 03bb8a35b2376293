"""Which appointments of an organization are stored: from a day on, or, as in earlier versions, within a window.

A longer history holds more personal data, so a database of an earlier version keeps its window until an operator gives
``ROUTIQ_HISTORY_DAYS``. The page and ``routiq-gql connect`` say so.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.cliniko import Horizon
from routiq_gql.database.publishing import any_keeps_window, mirror_or_new
from routiq_gql.settings import Settings
from routiq_gql.sync.plan import history_days, horizon_of


@dataclass(frozen=True, slots=True)
class StoredHistory:
    """The appointments that the next sync of an organization stores.

    Attributes:
        days: How many days back it begins.
        horizon: From when to when appointments are stored; with an end if it is the window of an earlier version.
    """

    days: int
    horizon: Horizon


async def stored_history(
    connection: AsyncConnection, organization_id: str, settings: Settings, now: datetime
) -> StoredHistory:
    """The organization's stored history, also before its first sync."""
    mirror = await mirror_or_new(connection, organization_id)
    days = history_days(mirror, settings)
    return StoredHistory(settings.recent_days if days is None else days, horizon_of(mirror, settings, now))


async def keeps_window(connection: AsyncConnection, settings: Settings) -> bool:
    """Whether any organization of this database keeps the window of an earlier version."""
    return "history_days" not in settings.model_fields_set and await any_keeps_window(connection)
