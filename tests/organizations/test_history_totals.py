"""The totals of a history cover all syncs, whichever page of it is asked for."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest
from sqlalchemy import insert

from routiq_gql.database.engine import Database
from routiq_gql.database.tables import SYNC
from routiq_gql.organizations.history import read_history
from routiq_gql.sync.mapping import first_values
from routiq_gql.sync.model import SyncMode, SyncState

NOW = datetime(2026, 7, 1, 9, 30, tzinfo=UTC)
ENDED = (SyncState.COMPLETED, SyncState.FAILED, SyncState.CANCELLED)
COUNT = 9


@pytest.mark.usefixtures("inline_sqlite")
async def test_every_page_has_the_same_totals(database_url: str):
    """Counts, times and the average don't depend on the length, the place or the filter of the page."""
    database = Database(database_url)
    async with database.writing() as connection:
        for key in range(1, COUNT + 1):
            at = NOW + timedelta(hours=key)
            values = {**first_values(SyncMode.FULL, at), "version": 1, "epoch": 0}
            values |= {"status": ENDED[key % 3].value, "completed_at": at + timedelta(minutes=key)}
            await connection.execute(
                insert(SYNC).values(**values, key=key, sync_id=f"sync_{key}", organization_id="org_a")
            )
    filters = [[], *([one] for one in ENDED), list(ENDED)]
    async with database.reading() as connection:
        seen = []
        for limit, before, outcomes in product((1, 3, COUNT), (None, 1, 5, COUNT), filters):
            history = await read_history(connection, "org_a", limit, before, outcomes)
            keys = [key for key in range(COUNT, 0, -1) if before is None or key < before]
            shown = [key for key in keys if not outcomes or ENDED[key % 3] in outcomes]
            assert [one.key for one in history.recent_syncs] == shown[:limit]
            assert (history.next_cursor is None) == (len(shown) <= limit)
            seen.append(replace(history, recent_syncs=[], next_cursor=None))
    await database.close()
    assert seen == [seen[0]] * len(seen)
    assert (seen[0].total_syncs, seen[0].successful_syncs, seen[0].failed_syncs, seen[0].cancelled_syncs) == (
        9,
        3,
        3,
        3,
    )
    assert seen[0].last_sync_at == NOW + timedelta(hours=COUNT)
    assert seen[0].last_successful_sync_at == NOW + timedelta(hours=9, minutes=9)
    assert seen[0].average_sync_duration_seconds == 60 * (3 + 6 + 9) / 3
