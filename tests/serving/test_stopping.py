"""Responses that begin while the server stops."""

import asyncio
from typing import Any

import pytest

from routiq_gql.sync.service import SyncService
from tests.emulated_cliniko import Cliniko
from tests.graphql_documents import PROGRESS
from tests.server import Server
from tests.waiting import LIMIT_SECONDS

ACCEPTED = {
    "rest": "",
    "sse": "text/event-stream",
    "multipart": 'multipart/mixed;subscriptionSpec="1.0", application/json',
}


@pytest.mark.parametrize("kind", ACCEPTED)
async def test_a_stream_that_begins_while_the_server_stops_ends_at_once(
    server: Server, cliniko: Cliniko, monkeypatch: pytest.MonkeyPatch, kind: str
):
    """A page that asks for a stream at the moment of a restart gets a complete response, and the restart goes on."""
    cliniko.gate.hold("patients")
    sync_id = await server.start_sync()
    await cliniko.gate.reached()
    is_asked, may_begin = asyncio.Event(), asyncio.Event()
    name = "status" if kind == "rest" else "follow_progress"
    begin = getattr(SyncService, name)

    async def begin_later(*args: Any) -> Any:
        is_asked.set()
        await may_begin.wait()
        return await begin(*args)

    monkeypatch.setattr(SyncService, name, begin_later)
    path = f"/api/v1/sync/stream/{sync_id}" if kind == "rest" else "/graphql"
    asked = server.http.build_request(
        "GET" if kind == "rest" else "POST",
        path,
        headers={"Accept": ACCEPTED[kind]},
        json=None if kind == "rest" else {"query": PROGRESS, "variables": {"id": sync_id}},
    )
    asking = asyncio.create_task(server.http.send(asked))
    await is_asked.wait()
    stopping = asyncio.create_task(server.stop())
    await asyncio.sleep(0.2)  # the server has told its open connections
    may_begin.set()
    async with asyncio.timeout(LIMIT_SECONDS):
        answer = await asking  # raises if the response is cut off
        await stopping
    assert answer.status_code == 200
