"""Cursors of the history page through it; malformed cursors are refused with a sentence."""

import base64
import json

import pytest
from sqlalchemy import insert, text

from routiq_gql.clock import utc_now
from routiq_gql.database.tables import SYNC
from routiq_gql.errors import BadInput
from routiq_gql.organizations.cursors import history_cursor, read_history_cursor
from routiq_gql.sync.mapping import first_values
from routiq_gql.sync.model import SyncMode
from tests.organization import ORGANIZATION
from tests.server import Server

pytestmark = pytest.mark.both_databases

HISTORY = """query ($id: ID!, $after: String) {
  history(organizationId: $id, limit: 2, after: $after) { nextCursor recentSyncs { syncId } } }"""


def encoded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


ODD = [
    "",
    " ",
    "no cursor",
    "\x00",
    encoded("sync:1") + "\x00",
    encoded("sync:1") + "=",
    encoded("sync:1") + " ",
    "!" + encoded("sync:1"),
    encoded("sync:1\n"),
    encoded("sync:0"),
    encoded("sync:01"),
    encoded("sync:-1"),
    encoded("sync:+1"),
    encoded("sync: 1"),
    encoded("sync:1.0"),
    encoded("sync:1e3"),
    encoded("sync:1_0"),
    encoded("sync:٣"),
    encoded(f"sync:{2**63}"),
    encoded("sync:" + "9" * 19),
    encoded("sync:" + "9" * 5_000),
    encoded("log:1"),
    encoded(json.dumps(["2026-07-01T09:30:00.000Z", "sync_a"])),
    encoded(json.dumps(["0001-01-01T00:00:00+14:00", "sync_a"])),
    encoded("[" * 3_000),
    encoded("9" * 5_000),
    "ü" * 20,
    "\ud800",
    "\U0001f600",
    "A" * 100_000,
]


async def test_an_odd_cursor_is_refused_with_a_sentence(bare_server: Server):
    """Any malformed cursor is refused with an explanation."""
    for cursor in ODD:
        with pytest.raises(BadInput, match="not a cursor of this history"):
            read_history_cursor(cursor)
        if "\ud800" in cursor:  # can't be sent as UTF-8
            continue
        answer = await bare_server.ask(HISTORY, id=ORGANIZATION, after=cursor)
        (error,) = answer["errors"]
        assert error["extensions"]["code"] == "BAD_USER_INPUT", cursor
        assert "not a cursor of this history" in error["message"]
        if 0 < len(cursor) < 10_000:  # an empty parameter means none, and a longer address is refused earlier
            path = f"/api/v1/sync/history/{ORGANIZATION}"
            rest = await bare_server.http.get(path, params={"after": cursor})
            assert (rest.status_code, rest.json()["code"]) == (422, "BAD_USER_INPUT"), cursor


async def test_cursors_page_through_everything(bare_server: Server):
    """The pages have each sync once, the newest first, whatever the clock said at its start."""
    now = utc_now()
    row = {**first_values(SyncMode.FULL, now), "organization_id": ORGANIZATION, "version": 1, "epoch": 0}
    async with bare_server.runtime.database.writing() as connection:
        for number in (1, 2, 3, 4, 2**53 + 1, 2**63 - 1):
            await connection.execute(insert(SYNC).values(**row, completed_at=now, key=number, sync_id=f"sync_{number}"))
    seen: list[str] = []
    after = None
    while True:
        page = (await bare_server.ask(HISTORY, id=ORGANIZATION, after=after))["data"]["history"]
        seen += [sync["syncId"] for sync in page["recentSyncs"]]
        after = page["nextCursor"]
        if after is None:
            break
    assert seen == [f"sync_{number}" for number in (2**63 - 1, 2**53 + 1, 4, 3, 2, 1)]
    assert read_history_cursor(history_cursor(2**63 - 1)) == 2**63 - 1


async def test_every_page_is_read_from_an_index(bare_server: Server, database_kind: str):
    """A page of a clinic with many syncs takes no longer than with few: nothing is sorted."""
    queries = {
        "a page": "organization_id = 'a' AND key < 9 ORDER BY key DESC LIMIT 10",
        "newest ended": "organization_id = 'a' AND completed_at IS NOT NULL ORDER BY key DESC LIMIT 1",
        "newest success": "organization_id = 'a' AND completed_at IS NOT NULL AND status = 'completed' "
        "ORDER BY key DESC LIMIT 1",
        "one outcome": "organization_id = 'a' AND status = 'failed' AND key < 9 ORDER BY key DESC LIMIT 10",
    }
    async with bare_server.runtime.database.writing() as connection:
        if database_kind == "postgres":
            await connection.execute(text("SET LOCAL enable_seqscan = off"))
            await connection.execute(text("SET LOCAL enable_bitmapscan = off"))
        explain = "EXPLAIN" if database_kind == "postgres" else "EXPLAIN QUERY PLAN"
        for name, condition in queries.items():
            rows = await connection.execute(text(f"{explain} SELECT * FROM syncs WHERE {condition}"))
            plan = "\n".join(str(tuple(row)) for row in rows)
            assert "Sort" not in plan, name
            assert "TEMP B-TREE" not in plan, name
            assert "ix_syncs_organization_key" in plan or "ix_syncs_organization_status" in plan, (name, plan)
