"""Receipts, the range of the estimate, modes and the next sync in GraphQL, REST and the event stream."""

from dataclasses import replace
from datetime import timedelta

import pytest

from routiq_gql.clock import format_time, utc_now
from routiq_gql.sync.forecast import NextSyncForecast
from routiq_gql.sync.model import NextSync, SyncMode
from routiq_gql.sync.receipt import to_json
from tests.emulated_cliniko import Cliniko
from tests.graphql_documents import HISTORY, RECEIPT_FIELDS, STATUS
from tests.organization import ORGANIZATION
from tests.receipts import AGREES, CHECKED_AT, DENIED, DIFFERS, IN_PART, UNREADABLE, store_receipt
from tests.server import Server

RECEIPT = f"query ($id: ID!) {{ syncStatus(syncId: $id) {{ receipt {{ {RECEIPT_FIELDS} }} }} }}"


async def _completed(server: Server) -> str:
    return (await server.until_ended(await server.start_sync()))["sync_id"]


async def test_a_receipt_is_shown_whole_in_both_apis(server: Server):
    """Every number of the stored receipt is in GraphQL and in REST: status, last sync and history."""
    sync_id = await _completed(server)
    lists = (*DIFFERS.lists[:-1], DENIED)
    receipt = replace(DIFFERS, waited_seconds=1.50012, lists=lists, unreadable_rows=UNREADABLE)
    await store_receipt(server.runtime.database, sync_id, receipt)
    shown = (await server.ask(RECEIPT, id=sync_id))["data"]["syncStatus"]["receipt"]
    assert (shown["agrees"], shown["checkedAt"]) == (False, format_time(CHECKED_AT))
    assert (shown["requests"], shown["waitedSeconds"]) == (14, 1.5)
    assert [one["list"] for one in shown["lists"]] == [one.list for one in receipt.lists]
    patients, _, attendees, practitioners = shown["lists"]
    assert (patients["inCliniko"], patients["inMirror"], patients["agrees"]) == (641, 640, False)
    assert (patients["read"], patients["added"], patients["updated"], patients["removed"]) == (4, 1, 2, 1)
    assert (attendees["compared"], attendees["of"], attendees["oldestCheck"]) == (147, 147, format_time(CHECKED_AT))
    assert (practitioners["inCliniko"], practitioners["agrees"]) == (None, None)
    assert shown["unreadableRows"] == [
        {"list": "patients", "id": "514810976034364378", "reason": "id"},
        {"list": "attendees", "id": None, "reason": "id"},
    ]

    rest = (await server.status(sync_id))["receipt"]
    assert (rest["waited_seconds"], rest["lists"][0]["in_mirror"]) == (1.5, 640)
    assert rest["unreadable_rows"] == shown["unreadableRows"]
    dashboard = (await server.http.get(f"/api/v1/sync/dashboard/{ORGANIZATION}")).json()
    history = (await server.http.get(f"/api/v1/sync/history/{ORGANIZATION}")).json()
    assert dashboard["last_sync"]["receipt"] == history["recent_syncs"][0]["receipt"] == rest
    (listed,) = (await server.ask(HISTORY, id=ORGANIZATION))["data"]["history"]["recentSyncs"]
    assert listed["receipt"] == shown


@pytest.mark.parametrize("stored", [None, True])
async def test_a_receipt_that_compares_in_part_is_null_in_both_apis(server: Server, stored: bool | None):
    """If Cliniko did not count patients, neither API says that all agrees, even if an earlier version stored that."""
    sync_id = await _completed(server)
    await store_receipt(server.runtime.database, sync_id, IN_PART, receipt={**to_json(IN_PART), "agrees": stored})
    shown = (await server.ask(RECEIPT, id=sync_id))["data"]["syncStatus"]["receipt"]
    rest = (await server.status(sync_id))["receipt"]
    for receipt, in_cliniko in ((shown, "inCliniko"), (rest, "in_cliniko")):
        assert receipt["agrees"] is None
        assert [one["list"] for one in receipt["lists"] if one["agrees"] is one[in_cliniko] is None] == ["patients"]


async def test_unreadable_rows_have_a_limit(server: Server):
    """A client asks for a number of unreadable rows, 1 to 100."""
    sync_id = await _completed(server)
    await store_receipt(server.runtime.database, sync_id, replace(AGREES, unreadable_rows=UNREADABLE))
    rows = "query ($id: ID!, $n: Int!) { syncStatus(syncId: $id) { receipt { unreadableRows(limit: $n) { list } } } }"
    answer = await server.ask(rows, id=sync_id, n=1)
    assert answer["data"]["syncStatus"]["receipt"]["unreadableRows"] == [{"list": "patients"}]
    for wrong in (0, 101):
        (error,) = (await server.ask(rows, id=sync_id, n=wrong))["errors"]
        assert error["extensions"]["code"] == "BAD_USER_INPUT"


async def test_only_the_last_status_of_a_stream_has_a_receipt(server: Server):
    """While a sync runs its receipt is null; the last event has it."""
    async with server.stream(await server.start_sync()) as stream:
        states = [event.json async for event in stream if event.name != "log" and event.json]
    receipts = [state["receipt"] for state in states if "receipt" in state]
    assert receipts[-1]["agrees"] is True
    assert receipts[:-1] == [None] * (len(receipts) - 1)


async def test_a_running_sync_has_a_range_for_its_end(server: Server, cliniko: Cliniko):
    """The range is shown in both APIs while it is known, and is null without one."""
    cliniko.gate.hold("patients")
    sync_id = await server.start_sync()
    await cliniko.gate.reached()
    earliest = utc_now() + timedelta(seconds=20)
    known = {"estimated_earliest": earliest, "estimated_latest": earliest + timedelta(seconds=10)}
    for column, value in known.items():
        others = dict.fromkeys(known.keys() - {column})
        await store_receipt(server.runtime.database, sync_id, AGREES, **{column: value}, **others)
        assert (await server.status(sync_id))["estimated_completion_range"] is None
    await store_receipt(server.runtime.database, sync_id, AGREES, **known)
    expected = {"earliest": format_time(earliest), "latest": format_time(earliest + timedelta(seconds=10))}
    assert (await server.status(sync_id))["estimated_completion_range"] == expected
    shown = (await server.ask(STATUS, id=sync_id))["data"]["syncStatus"]
    assert shown["estimatedCompletionRange"] == expected
    cliniko.gate.open()
    await server.until_ended(sync_id)


@pytest.mark.parametrize("next_sync", [None, NextSync(SyncMode.INCREMENTAL, 15, 6.5)])
async def test_the_dashboard_describes_the_next_sync(
    server: Server, monkeypatch: pytest.MonkeyPatch, next_sync: NextSync | None
):
    """Mode, requests and seconds of the next sync are in both APIs, or null."""
    monkeypatch.setattr(NextSyncForecast, "now", lambda _forecast: next_sync)
    query = "query ($id: ID!) { dashboard(organizationId: $id) { nextSync { mode requests seconds } } }"
    shown = (await server.ask(query, id=ORGANIZATION))["data"]["dashboard"]["nextSync"]
    rest = (await server.http.get(f"/api/v1/sync/dashboard/{ORGANIZATION}")).json()["next_sync"]
    if next_sync is None:
        assert shown is rest is None
    else:
        assert shown == {"mode": "INCREMENTAL", "requests": 15, "seconds": 6.5}
        assert rest == {"mode": "incremental", "requests": 15, "seconds": 6.5}


@pytest.mark.parametrize(
    ("query", "mode"),
    [("", "incremental"), ("?mode=", "incremental"), ("?mode=auto", "incremental"), ("?mode=full", "full")],
)
async def test_rest_starts_a_sync_in_a_mode(server: Server, query: str, mode: str):
    """After the first sync a start reads changes; with mode=full it reads everything."""
    assert (await server.status(await _completed(server)))["mode"] == "full"
    started = await server.http.post(f"/api/v1/sync/start/{ORGANIZATION}{query}")
    assert started.status_code == 200
    assert (await server.until_ended(started.json()["sync_id"]))["mode"] == mode


async def test_graphql_starts_a_sync_in_a_mode(server: Server):
    """The argument decides how much is read; without it the server chooses."""
    await _completed(server)
    start = "mutation ($id: ID!, $mode: SyncMode!) { startSync(organizationId: $id, mode: $mode) { syncId } }"
    for given, mode in (("FULL", "full"), ("INCREMENTAL", "incremental"), ("AUTO", "incremental")):
        sync_id = (await server.ask(start, id=ORGANIZATION, mode=given))["data"]["startSync"]["syncId"]
        assert (await server.until_ended(sync_id))["mode"] == mode


@pytest.mark.parametrize("mode", ["everything", "FULL", "full,auto", "\x00"])
async def test_an_unknown_mode_is_refused_with_a_sentence(server: Server, mode: str):
    """A misspelt mode starts nothing."""
    answer = await server.http.post(f"/api/v1/sync/start/{ORGANIZATION}", params={"mode": mode})
    assert answer.status_code == 422
    assert answer.json()["detail"] == "“mode” must be auto, full or incremental."
    history = (await server.http.get(f"/api/v1/sync/history/{ORGANIZATION}")).json()
    assert history["total_syncs"] == 0


async def test_a_running_sync_keeps_its_mode(server: Server, cliniko: Cliniko):
    """Starting a full sync during another sync returns that sync, which does not read more than it would have."""
    await _completed(server)
    cliniko.gate.hold("patients")
    first = await server.start_sync()
    await cliniko.gate.reached()
    again = (await server.http.post(f"/api/v1/sync/start/{ORGANIZATION}?mode=full")).json()
    assert (again["sync_id"], again["message"]) == (first, "Sync already in progress")
    cliniko.gate.open()
    assert (await server.until_ended(first))["mode"] == "incremental"
