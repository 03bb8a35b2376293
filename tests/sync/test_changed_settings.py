"""After a change of settings a clinic shows the same as one that was first synced with them."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from sqlalchemy import select, update

from routiq_gql.clock import utc_now
from routiq_gql.database.mirror import visible
from routiq_gql.database.publishing import ensure_mirror, mirror_of
from routiq_gql.database.tables import LISTING, MIRROR
from routiq_gql.emulator import EMULATED_API_KEY, Emulator, EmulatorServer, generated_clinic
from routiq_gql.runtime import Runtime, open_runtime
from routiq_gql.security.viewer import LOCAL_OPERATOR
from routiq_gql.settings import Settings
from routiq_gql.sync.model import SyncMode, SyncState
from tests.organization import ORGANIZATION
from tests.syncs import ACTIVITY_COLUMNS, run_sync, shown_rows

pytestmark = [pytest.mark.sqlite_only, pytest.mark.usefixtures("midday")]

Changes = Mapping[str, int]


async def synced(settings: Settings, base_url: str, changes: Changes, *, keeps_window: bool) -> Mapping[str, Any]:
    """Sync with these settings, and return the rows and lists that readers see, as if no patient ever was active."""
    async with open_runtime(settings.model_copy(update=dict(changes))) as runtime:
        await runtime.connections.connect(LOCAL_OPERATOR, ORGANIZATION, EMULATED_API_KEY, base_url, check=False)
        async with runtime.database.writing() as connection:
            await ensure_mirror(connection, ORGANIZATION)
            await connection.execute(update(MIRROR).values(keeps_window=keeps_window))
        last = await run_sync(runtime, mode=SyncMode.AUTO)
        assert last.status is SyncState.COMPLETED, last.failure
        assert last.receipt is not None
        assert last.receipt.agrees
        shown = dict(await shown_rows(runtime.database))
        place = ACTIVITY_COLUMNS.index("is_active")
        shown["active_patients"] = [row for row in shown["active_patients"] if row[place]]
        figures = {"found": last.appointments_found, "active": last.active_patients_stored}
        return {**shown, "lists": await lists_of(runtime), **figures}


async def lists_of(runtime: Runtime) -> set[tuple[int, int]]:
    async with runtime.database.reading() as connection:
        mirror = await mirror_of(connection, ORGANIZATION)
        assert mirror is not None
        query = select(LISTING.c.list, LISTING.c.id).where(visible(LISTING, mirror.number, mirror.sync))
        return {(row.list, row.id) for row in await connection.execute(query)}


@pytest.mark.parametrize(
    ("before", "after", "keeps_window"),
    [
        ({"history_days": 400}, {"history_days": 60}, False),
        ({"history_days": 60}, {"history_days": 400}, False),
        ({}, {"recent_days": 10, "upcoming_days": 5}, True),
        ({"recent_days": 10, "upcoming_days": 5}, {}, True),
        ({}, {"history_days": 200}, True),
    ],
)
async def test_a_change_of_settings_is_as_good_as_a_new_beginning(
    settings: Settings,
    new_database_url: Callable[[], str],
    before: Changes,
    after: Changes,
    keeps_window: bool,
):
    """Shorter and longer horizons and windows: no appointment stays that left them, and none is missing."""
    changed, fresh = (settings.model_copy(update={"database_url": new_database_url()}) for _ in range(2))
    async with EmulatorServer(Emulator(generated_clinic(60, utc_now()))) as server:
        first = await synced(changed, server.base_url, before, keeps_window=keeps_window)
        second = await synced(changed, server.base_url, after, keeps_window=keeps_window)
        assert second == await synced(fresh, server.base_url, after, keeps_window=keeps_window)
        assert second["INDIVIDUAL_APPOINTMENTS"] != first["INDIVIDUAL_APPOINTMENTS"]
