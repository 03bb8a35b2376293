"""What a process writes about the syncs that it runs changes the rows of these syncs only."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.clock import utc_now
from routiq_gql.database.engine import Database
from routiq_gql.database.rows import SyncRow
from routiq_gql.database.syncs import change_running, claim, end_sync, release_claims, touch_running
from routiq_gql.database.tables import SYNC
from tests.database.clinics import Clinic

pytestmark = pytest.mark.both_databases

HOLDERS = ("one", "one", "another", None)
"""Of four syncs of as many organizations. The last is not claimed."""
TEXTS = {1: "Initializing sync…"}

Write = Callable[[AsyncConnection, list[SyncRow]], Awaitable[object]]
WRITES: dict[str, tuple[Write, set[int]]] = {
    "claim": (lambda connection, rows: claim(connection, rows[0].key, "third", TEXTS, rows[0].epoch), {0}),
    "change": (
        lambda connection, rows: change_running(connection, rows[1].key, rows[1].epoch, {"current_step": "…"}),
        {1},
    ),
    "heartbeat": (lambda connection, rows: touch_running(connection, {one.key: one.epoch for one in rows[:2]}), {0, 1}),
    "heartbeat of an earlier claim": (
        lambda connection, rows: touch_running(connection, {one.key: one.epoch - 1 for one in rows}),
        set(),
    ),
    "end": (
        lambda connection, rows: end_sync(connection, rows[2].key, {"status": "failed"}, [], epoch=rows[2].epoch),
        {2},
    ),
    "release of all": (lambda connection, _rows: release_claims(connection, "one", TEXTS), {0, 1}),
    "release of one": (lambda connection, rows: release_claims(connection, "one", TEXTS, rows[1].key), {1}),
    "release of another's": (lambda connection, rows: release_claims(connection, "one", TEXTS, rows[2].key), set()),
}


@pytest.mark.parametrize("name", WRITES)
async def test_a_write_changes_no_sync_of_another_process(database: Database, name: str):
    """All four syncs wait for Cliniko; the others still say so, and are still claimed, after each write."""
    write, changed = WRITES[name]
    rows = []
    for number, holder in enumerate(HOLDERS):
        key = await Clinic(database, f"org_{number}").start()
        async with database.writing() as connection:
            if holder is not None:
                await claim(connection, key, holder, TEXTS)
            waits: Any = {"waiting_for": "RATE_LIMIT", "resumes_at": utc_now(), "current_step": "Waiting…"}
            row = await change_running(connection, key, int(holder is not None), waits)
        assert row is not None
        rows.append(row)
    async with database.writing() as connection:
        await write(connection, rows)
    async with database.reading() as connection:
        found = [SyncRow(*row) for row in await connection.execute(select(SYNC).order_by(SYNC.c.key))]
    assert {number for number, row in enumerate(found) if row != rows[number]} == changed
