"""An organization whose id equals another organization's sync id: followers of each get only its updates."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from routiq_gql.database.connections import save_connection
from routiq_gql.database.rows import ConnectionValues
from routiq_gql.emulator import EMULATED_API_KEY
from routiq_gql.security.token_file import TokenFile
from routiq_gql.settings import Settings
from tests.emulated_cliniko import Cliniko
from tests.graphql_documents import CANCEL, DASHBOARD, LOG, PROGRESS, START, STATUS, UPDATES
from tests.issuing import bearer
from tests.server import Event, Server, Socket, open_socket, read_events
from tests.waiting import LIMIT_SECONDS

OURS = "org_ours"
DISCONNECTED: ConnectionValues = {
    "state": "disabled", "base_url": "", "shard": "", "encrypted_key": b"", "encryption_key_id": ""
}  # fmt: skip

pytestmark = pytest.mark.both_databases


class Clinic:
    """An organization and its requests, with a token if needed."""

    def __init__(self, server: Server, organization_id: str, token: str | None) -> None:
        self.server = server
        self.organization_id = organization_id
        self.credentials = bearer(token) if token else {}

    async def ask(self, query: str, name: str) -> dict[str, Any]:
        answer = await self.server.http.post(
            "/graphql", json={"query": query, "variables": {"id": name}}, headers=self.credentials
        )
        return dict(answer.json())

    async def start(self) -> str:
        answer = await self.ask(START, self.organization_id)
        return str(answer["data"]["startSync"]["sync"]["id"])

    async def follow(self, stack: AsyncExitStack, query: str, name: str) -> Socket:
        socket = await stack.enter_async_context(open_socket(self.server, init=False))
        await socket.init(payload=self.credentials)
        await socket.subscribe(query, id=name)
        return socket

    async def stream(self, stack: AsyncExitStack, sync_id: str) -> AsyncIterator[Event]:
        path = f"/api/v1/sync/stream/{sync_id}"
        answer = await stack.enter_async_context(self.server.http.stream("GET", path, headers=self.credentials))
        assert answer.status_code == 200
        return read_events(answer)


@pytest.fixture(params=["off", "token"])
async def ours(
    request: pytest.FixtureRequest, settings: Settings, cliniko: Cliniko, tmp_path: Path
) -> AsyncIterator[Clinic]:
    """The clinic whose sync is followed, on a server with and without authentication."""
    path = tmp_path / "tokens"
    if request.param == "token":
        settings = settings.model_copy(
            update={"auth": "token", "tokens_file": str(path), "allowed_hosts": ("127.0.0.1",)}
        )
    async with Server(settings) as server:
        yield await _clinic(server, cliniko, OURS)
        cliniko.gate.open()
        await server.without_watchers()


async def _clinic(server: Server, cliniko: Cliniko, organization_id: str) -> Clinic:
    if organization_id != OURS:  # only earlier versions connected an organization with such an id
        async with server.runtime.database.writing() as connection:
            await save_connection(connection, organization_id, DISCONNECTED)
    await server.connect_organization(cliniko.base_url, EMULATED_API_KEY, organization_id)
    file = server.settings.tokens_file
    token = TokenFile(Path(file)).add(organization_id, ["admin"])[1] if file else None
    return Clinic(server, organization_id, token)


async def test_followers_are_shown_their_own_organization_only(ours: Clinic, cliniko: Cliniko):
    """While our sync is paused, an organization with our sync's id runs a sync to its end."""
    cliniko.gate.hold("patients")
    sync_id = await ours.start()
    await cliniko.gate.reached()
    theirs = await _clinic(ours.server, cliniko, sync_id)
    async with AsyncExitStack() as stack:
        progress = await ours.follow(stack, PROGRESS, sync_id)
        log = await ours.follow(stack, LOG, sync_id)
        dashboard = await ours.follow(stack, UPDATES, OURS)
        events = await ours.stream(stack, sync_id)
        their_dashboard = await theirs.follow(stack, UPDATES, sync_id)
        assert (await progress.receive())["payload"]["data"]["syncProgress"]["id"] == sync_id
        assert (await dashboard.receive())["payload"]["data"]["dashboardUpdated"]["currentSync"]["id"] == sync_id
        first = (await their_dashboard.receive())["payload"]["data"]["dashboardUpdated"]
        assert (first["id"], first["status"]) == (sync_id, "IDLE")

        cliniko.gate.keep()
        their_sync_id = await theirs.start()
        shown = first
        while shown["lastSync"] is None:
            shown = (await their_dashboard.receive())["payload"]["data"]["dashboardUpdated"]
            assert shown["currentSync"] is None or shown["currentSync"]["id"] == their_sync_id
        assert shown["lastSync"] == {"id": their_sync_id, "status": "COMPLETED"}

        cliniko.gate.open()
        states = [one["data"]["syncProgress"] for one in await progress.results()]
        assert {state["id"] for state in states} == {sync_id}
        assert states[-1]["status"] == "COMPLETED"
        lines = [one["data"]["syncLog"] for one in await log.results()]
        assert [line["id"] for line in lines] == [f"{sync_id}:{number}" for number in range(1, len(lines) + 1)]
        assert len(lines) > 10
        async with asyncio.timeout(LIMIT_SECONDS):
            shown_events = [event async for event in events]
        assert {event.json["organization_id"] for event in shown_events if not event.name} == {OURS}
        assert shown_events[-1].json["status"] == "completed"
        assert len([event for event in shown_events if event.name == "log"]) == len(lines)
        while True:
            shown = (await dashboard.receive())["payload"]["data"]["dashboardUpdated"]
            assert shown["id"] == OURS
            if shown["currentSync"] is None:
                break
            assert shown["currentSync"]["id"] == sync_id
        assert shown["lastSync"] == {"id": sync_id, "status": "COMPLETED"}


@pytest.mark.parametrize("ours", ["token"], indirect=True)
async def test_the_name_of_a_sync_opens_nothing(ours: Clinic, cliniko: Cliniko):
    """An organization with our sync's id reads neither the sync nor its log, and gets no token for it."""
    cliniko.gate.hold("patients")
    sync_id = await ours.start()
    await cliniko.gate.reached()
    theirs = await _clinic(ours.server, cliniko, sync_id)
    make_token = "mutation ($id: ID!) { createStreamToken(syncId: $id) { token } }"
    for query in (STATUS, CANCEL, make_token):
        (error,) = (await theirs.ask(query, sync_id))["errors"]
        assert error["extensions"]["code"] == "SYNC_NOT_FOUND"
    (error,) = (await ours.ask(DASHBOARD, sync_id))["errors"]
    assert error["extensions"]["code"] == "FORBIDDEN"
    answer = await ours.server.http.get(f"/api/v1/sync/stream/{sync_id}", headers=theirs.credentials)
    assert answer.status_code == 404
    async with AsyncExitStack() as stack:
        for query in (PROGRESS, LOG):
            socket = await theirs.follow(stack, query, sync_id)
            frame = await socket.receive()
            assert (frame["type"], frame["payload"][0]["extensions"]["code"]) == ("error", "SYNC_NOT_FOUND")
    token = (await ours.ask(make_token, sync_id))["data"]["createStreamToken"]["token"]
    for path in (f"/api/v1/sync/dashboard/{sync_id}", f"/api/v1/sync/status/{sync_id}"):
        assert (await ours.server.http.get(path, params={"token": token})).status_code == 401
