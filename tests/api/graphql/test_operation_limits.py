"""Time limits of operations, and disconnected clients: queries are stopped, mutations are completed."""

import asyncio
import json
from collections.abc import AsyncIterator

import httpx
import pytest

from routiq_gql.settings import Settings
from routiq_gql.sync.service import SyncService
from tests.api.slow_reads import SLOW, HeldStarts, make_slow
from tests.graphql_documents import START, UPDATES
from tests.server import Server, open_socket
from tests.waiting import until

pytestmark = pytest.mark.usefixtures("threaded_sqlite")

HISTORY = "query ($id: ID!) { history(organizationId: $id) { totalSyncs } }"
TOO_LONG = "The operation took longer than 1 s and was stopped. Request less data at a time."


@pytest.fixture
async def hasty(settings: Settings) -> AsyncIterator[Server]:
    """A server with a time limit of one second."""
    async with Server(settings.model_copy(update={"operation_timeout": 1})) as server:
        yield server
        await until(lambda: server.services.admission.executing == 0)


def _checked_out(server: Server) -> int:
    return int(server.runtime.database._engine.pool.checkedout())  # type: ignore[attr-defined]


@pytest.mark.both_databases
async def test_a_query_is_stopped_at_the_time_limit(hasty: Server, database_kind: str, monkeypatch: pytest.MonkeyPatch):
    """Over every transport the client reads the reason; the statement is interrupted and its connection free again."""
    reads = make_slow(monkeypatch, database_kind, hasty.runtime.database)
    body = {"query": HISTORY, "variables": {"id": SLOW}}
    post, get, stream, rest = await asyncio.gather(
        hasty.http.post("/graphql", json=body),
        hasty.http.get("/graphql", params={"query": HISTORY, "variables": json.dumps(body["variables"])}),
        hasty.http.post("/graphql", json=body, headers={"Accept": "text/event-stream"}),
        hasty.http.get(f"/api/v1/sync/history/{SLOW}"),
    )
    for answer in (post, get):
        assert answer.json()["data"] is None
        (error,) = answer.json()["errors"]
        assert (error["message"], error["extensions"]) == (TOO_LONG, {"code": "BAD_USER_INPUT"})
    assert TOO_LONG in stream.text
    assert (rest.status_code, rest.json()["code"], rest.json()["detail"]) == (503, "TOOK_TOO_LONG", TOO_LONG)
    async with open_socket(hasty) as socket:
        await socket.subscribe(HISTORY, id=SLOW)
        (result,) = await socket.results()
        assert result["errors"][0]["message"] == TOO_LONG
        await socket.subscribe(HISTORY, id="org_1")
        assert await socket.results() == [{"data": {"history": {"totalSyncs": 0}}}]
    assert reads.ended == 5
    await until(lambda: _checked_out(hasty) == 0)


@pytest.mark.both_databases
async def test_a_query_ends_when_its_client_leaves(
    bare_server: Server, database_kind: str, monkeypatch: pytest.MonkeyPatch
):
    """Over HTTP, as an event stream and over REST, a disconnected client's query is stopped."""
    reads = make_slow(monkeypatch, database_kind, bare_server.runtime.database)
    monkeypatch.setattr(bare_server.services.admission, "_seconds", 600)  # rules out the time limit as the cause
    body = {"query": HISTORY, "variables": {"id": SLOW}}
    requests = [
        ("POST", "/graphql", {"json": body}),
        ("GET", "/graphql", {"params": {"query": HISTORY, "variables": json.dumps(body["variables"])}}),
        ("POST", "/graphql", {"json": body, "headers": {"Accept": "text/event-stream"}}),
        ("GET", f"/api/v1/sync/history/{SLOW}", {}),
    ]
    for ended, (method, path, options) in enumerate(requests, 1):
        async with httpx.AsyncClient(base_url=bare_server.url, verify=False) as client:
            asking = asyncio.create_task(client.request(method, path, **options))  # type: ignore[arg-type]
            await until(lambda: reads.running == 1)
            asking.cancel()
            await asyncio.wait({asking})
        await until(lambda ended=ended: reads.ended == ended)  # type: ignore[misc]
    await until(lambda: _checked_out(bare_server) == 0)
    await until(lambda: bare_server.services.admission.executing == 0)


@pytest.mark.both_databases
async def test_a_query_on_a_socket_ends_with_complete_and_with_the_socket(
    bare_server: Server, database_kind: str, monkeypatch: pytest.MonkeyPatch
):
    """A client that completes a query stops it, and closing the socket stops all its queries."""
    reads = make_slow(monkeypatch, database_kind, bare_server.runtime.database)
    monkeypatch.setattr(bare_server.services.admission, "_seconds", 600)  # rules out the time limit as the cause
    async with open_socket(bare_server) as socket:
        for name in ("a", "b", "c"):
            await socket.subscribe(HISTORY, name, id=SLOW)
        await until(lambda: reads.running == 3)
        await socket.send({"id": "a", "type": "complete"})
        await until(lambda: (reads.running, reads.ended) == (2, 1))
    await until(lambda: reads.ended == 3)
    await until(lambda: _checked_out(bare_server) == 0)
    await until(lambda: bare_server.services.admission.executing == 0)


@pytest.mark.both_databases
async def test_a_mutation_is_finished_though_its_client_has_left(
    server: Server, database_kind: str, monkeypatch: pytest.MonkeyPatch
):
    """A requested sync starts and runs even if the page is closed meanwhile."""
    held = HeldStarts(monkeypatch)
    async with httpx.AsyncClient(base_url=server.url, verify=False) as client:
        body = {"query": START, "variables": {"id": "org_1"}}
        asking = [
            asyncio.create_task(client.post("/graphql", json=body)),
            asyncio.create_task(client.post("/api/v1/sync/start/org_2")),
        ]
        async with open_socket(server) as socket:
            await socket.subscribe(START, id="org_3")
            await until(lambda: held.waiting == 3)
            assert server.services.admission.executing == 3
        for one in asking:
            one.cancel()
        await asyncio.wait(asking)
    held.go_on.set()
    await until(lambda: held.done == 3)
    await until(lambda: server.services.admission.executing == 0)
    for organization in ("org_1", "org_2", "org_3"):
        history = (await server.http.get(f"/api/v1/sync/history/{organization}")).json()
        assert history["total_syncs"] == 1
        await server.until_ended(history["recent_syncs"][0]["sync_id"])


async def test_a_mutation_has_no_time_limit(hasty: Server, monkeypatch: pytest.MonkeyPatch):
    """A slow mutation returns its result: an error halfway would leave the clinic in doubt."""
    held = HeldStarts(monkeypatch)
    asking = asyncio.create_task(hasty.ask(START, id="org_1"))
    await until(lambda: held.waiting == 1)
    stopped = await hasty.http.post("/graphql", json={"query": HISTORY, "variables": {"id": "org_1"}})
    assert "errors" not in stopped.json()
    done, _ = await asyncio.wait({asking}, timeout=1.2)  # longer than the time limit
    assert not done
    held.go_on.set()
    answer = await asking
    assert answer["data"]["startSync"]["created"]
    await hasty.until_ended(answer["data"]["startSync"]["sync"]["id"])


async def test_a_stopping_server_lets_mutations_finish(settings: Settings, monkeypatch: pytest.MonkeyPatch):
    """A start in progress when the server stops is committed, and found after a restart."""
    held = HeldStarts(monkeypatch)
    async with Server(settings) as server:
        async with open_socket(server) as socket:
            await socket.subscribe(START, id="org_1")
            await until(lambda: held.waiting == 1)
        stopping = asyncio.create_task(server.stop())
        await until(lambda: server.services.admission.executing == 1)
        held.go_on.set()
        await stopping
        assert held.done == 1
        await server.start()
        assert (await server.http.get("/api/v1/sync/history/org_1")).json()["total_syncs"] == 1


async def test_the_start_of_a_subscription_is_stopped_at_the_time_limit(hasty: Server, monkeypatch: pytest.MonkeyPatch):
    """A subscription that can't begin in time ends with the reason, in GraphQL and in the REST stream."""

    async def never(*_: object, **__: object) -> None:
        await asyncio.Event().wait()

    with monkeypatch.context() as patched:
        patched.setattr(SyncService, "follow_dashboard", never)
        patched.setattr(SyncService, "status", never)
        async with open_socket(hasty) as socket:
            await socket.subscribe(UPDATES, id="org_1")
            refused = await socket.receive()
            assert refused["type"] == "error"
            (error,) = refused["payload"]
            assert (error["message"], error["extensions"]["code"]) == (TOO_LONG, "BAD_USER_INPUT")
        stream = await hasty.http.get("/api/v1/sync/stream/sync_org_1_20241222_143022")
        assert (stream.status_code, stream.json()["code"]) == (503, "TOOK_TOO_LONG")
    async with open_socket(hasty) as socket:
        await socket.subscribe(UPDATES, id="org_1")
        assert (await socket.receive())["type"] == "next"


async def test_an_event_is_stopped_at_the_time_limit_and_the_next_one_shown(
    hasty: Server, monkeypatch: pytest.MonkeyPatch
):
    """A subscription outlives the limit; only an event that takes too long is an error."""
    watched = """subscription { dashboardUpdated(organizationId: "org_1") {
      currentSync { log { seq } } lastSync { log { seq } } } }"""
    logs, is_slow = SyncService.logs, True

    async def sometimes(self: SyncService, *arguments: object) -> object:
        if is_slow:
            await asyncio.Event().wait()
        return await logs(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(SyncService, "logs", sometimes)
    async with open_socket(hasty) as socket:
        await socket.subscribe(watched)
        assert (await socket.receive())["payload"] == {
            "data": {"dashboardUpdated": {"currentSync": None, "lastSync": None}}
        }
        sync_id = await hasty.start_sync("org_1")
        await hasty.until_ended(sync_id)
        errors = 0
        while True:
            payload = (await socket.receive())["payload"]
            if "errors" not in payload:
                break
            assert payload["errors"][0]["message"] == TOO_LONG
            errors += 1
            if is_slow:
                is_slow = False
                await hasty.until_ended(await hasty.start_sync("org_1"))
    assert errors >= 1
