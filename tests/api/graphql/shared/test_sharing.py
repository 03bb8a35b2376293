"""An event for several subscribers is executed and encoded once, but only for subscribers with the same rights."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from routiq_gql.api.graphql.executor import LimitedExecutor
from routiq_gql.api.graphql.shared import logs, states
from routiq_gql.api.graphql.shared.operations import SharedOperations
from routiq_gql.api.graphql.shared.payload import Payload
from routiq_gql.emulator import Issuer
from routiq_gql.sync.service import SyncService
from tests.emulated_cliniko import Cliniko
from tests.graphql_documents import LOG, PROGRESS, UPDATES
from tests.issuing import OURS, THEIRS, bearer
from tests.organization import ORGANIZATION
from tests.server import Server, Socket, open_socket
from tests.waiting import LIMIT_SECONDS, until

MANY = 20
WITH_LOG = "subscription ($id: ID!) { syncProgress(syncId: $id) { version log(limit: 2) { seq } } }"
STREAMS = ("text/event-stream", 'multipart/mixed;subscriptionSpec="1.0", application/json')


@pytest.fixture
def payloads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Each result that was encoded, in order."""
    encoded: list[str] = []
    make = Payload.__init__

    def noted(self: Payload, result: bytes) -> None:
        encoded.append(result.decode())
        make(self, result)

    monkeypatch.setattr(Payload, "__init__", noted)
    return encoded


@pytest.fixture
def executions(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The root field of each subscription and event that the ordinary executor has executed."""
    executed: list[str] = []
    execute = LimitedExecutor.execute_operation

    def noted(self: LimitedExecutor, serially: bool | None = None) -> Any:
        if self.operation.operation.value == "subscription":
            executed.append(self.operation.selection_set.selections[0].name.value)  # type: ignore[attr-defined]
        return execute(self, serially)

    monkeypatch.setattr(LimitedExecutor, "execute_operation", noted)
    return executed


def _shared(server: Server) -> SharedOperations:
    (view,) = {route.endpoint for route in server.app.routes if getattr(route, "path", "") == "/graphql"}
    return view.shared


async def _sockets(stack: AsyncExitStack, server: Server, count: int, **options: Any) -> list[Socket]:
    return [await stack.enter_async_context(open_socket(server, **options)) for _ in range(count)]


@pytest.mark.parametrize("document", [PROGRESS, PROGRESS.replace("unreadableRows { list id reason }", "")])
async def test_many_watch_and_each_event_is_encoded_once(
    server: Server, cliniko: Cliniko, payloads: list[str], document: str
):
    """Twenty subscribers to the same sync all get its events, and each event is encoded once."""
    cliniko.gate.hold("individual_appointments")
    sync_id = await server.start_sync()
    await cliniko.gate.reached()
    async with AsyncExitStack() as stack:
        sockets = await _sockets(stack, server, MANY)
        texts: list[list[str]] = [[] for _ in sockets]
        for socket, seen in zip(sockets, texts, strict=True):
            await socket.subscribe(document, id=sync_id)
            seen.append(str(await socket.connection.recv()))
        cliniko.gate.open()
        for socket, seen in zip(sockets, texts, strict=True):
            while '"complete"' not in seen[-1]:
                seen.append(str(await socket.connection.recv()))
    states_seen: dict[int, set[str]] = {}
    for seen in texts:
        frames = [json.loads(text) for text in seen[:-1]]
        assert [json.dumps(frame, separators=(",", ":")) for frame in frames] == seen[:-1]
        shown = [frame["payload"]["data"]["syncProgress"] for frame in frames]
        assert shown[-1]["status"] == "COMPLETED"
        versions = [one["version"] for one in shown]
        assert versions == sorted(set(versions))
        for version, text in zip(versions, seen, strict=False):
            states_seen.setdefault(version, set()).add(text)
    assert all(len(alike) == 1 for alike in states_seen.values())
    assert len(payloads) == len(set(payloads)) >= len(states_seen) > 1
    assert sum(len(seen) - 1 for seen in texts) > len(payloads) * MANY / 2
    await until(lambda: len(_shared(server)) == 0)


async def test_logs_and_dashboards_are_shared_too(server: Server, payloads: list[str], executions: list[str]):
    """All subscribers get every line and the newest dashboard; each is encoded once, and executed by no executor."""
    sync_id = await server.start_sync()
    last = (await server.until_ended(sync_id))["version"]
    async with AsyncExitStack() as stack:
        sockets = await _sockets(stack, server, MANY)
        for socket in sockets:
            await socket.subscribe(LOG, id=sync_id)
        lines = await asyncio.gather(*(socket.results() for socket in sockets))
        assert all(one == lines[0] for one in lines)
        assert len(lines[0]) > 10
        assert [line["data"]["syncLog"]["seq"] for line in lines[0]] == list(range(1, len(lines[0]) + 1))
        payloads.clear()
        for socket in sockets:
            await socket.subscribe(UPDATES, "2", id=ORGANIZATION)
        shown = [await socket.receive() for socket in sockets]
        assert all(one == shown[0] for one in shown)
        assert shown[0]["payload"]["data"]["dashboardUpdated"]["lastSync"]["id"] == sync_id
        assert len(payloads) == 1
    assert last
    assert executions == []


async def test_a_late_reader_of_a_log_gets_all_lines(server: Server, cliniko: Cliniko):
    """A reader that comes in the middle of a sync gets the earlier lines, then the new lines with the others."""
    cliniko.gate.hold("individual_appointments")
    sync_id = await server.start_sync()
    await cliniko.gate.reached()
    async with open_socket(server) as first, open_socket(server) as late:
        await first.subscribe(LOG, id=sync_id)
        assert (await first.receive())["payload"]["data"]["syncLog"]["seq"] == 1
        await late.subscribe(LOG, id=sync_id)
        cliniko.gate.open()
        lines = await late.results()
        assert [line["data"]["syncLog"]["seq"] for line in lines] == list(range(1, len(lines) + 1))
        assert lines[1:] == await first.results()
        assert lines[-1]["data"]["syncLog"]["message"].startswith("Sync completed")


async def test_a_late_reader_of_a_long_log_reads_alone(
    server: Server, cliniko: Cliniko, monkeypatch: pytest.MonkeyPatch
):
    """A reader that comes when the first lines have left memory gets them too, and can unsubscribe like any other."""
    monkeypatch.setattr(logs, "KEPT_LINES", 1)
    cliniko.gate.hold("individual_appointments")
    sync_id = await server.start_sync()
    await cliniko.gate.reached()
    syncs = server.runtime.syncs
    async with open_socket(server) as first, open_socket(server) as late:
        await first.subscribe(LOG, id=sync_id)
        for seq in (1, 2):
            assert (await first.receive())["payload"]["data"]["syncLog"]["seq"] == seq
        for seq in (1, 2):
            await late.subscribe(LOG, str(seq), id=sync_id)
            while (frame := await late.receive())["id"] != str(seq):
                pass
            assert frame["payload"]["data"]["syncLog"]["seq"] == 1
            assert len(_shared(server)) == 1
            await late.send({"id": str(seq), "type": "complete"})
            await until(lambda: len(syncs.subscriptions) == 1)
        cliniko.gate.open()
        assert (await first.results())[-1]["data"]["syncLog"]["message"].startswith("Sync completed")


async def test_other_operations_get_their_own(server: Server, payloads: list[str]):
    """Another document, other variables or another operation of a document are separate subscriptions."""
    sync_id = await server.start_sync()
    await server.until_ended(sync_id)
    two = """subscription Short($id: ID!) { syncProgress(syncId: $id) { id } }
        subscription Long($id: ID!, $log: Boolean = false) {
          syncProgress(syncId: $id) { id version log(limit: 1) @include(if: $log) { seq } } }"""
    asked = [("Short", {}), ("Long", {}), ("Long", {"log": True}), ("Long", {"log": False}), ("Short", {})]
    async with open_socket(server) as socket:
        results = []
        for name, variables in asked:
            payload = {"query": two, "variables": {"id": sync_id, **variables}, "operationName": name}
            await socket.send({"id": "1", "type": "subscribe", "payload": payload})
            (result,) = await socket.results()
            results.append(result["data"]["syncProgress"])
        await socket.subscribe("subscription ($id: ID!) { syncProgress(syncId: $id) { again: id } }", id=sync_id)
        assert await socket.results() == [{"data": {"syncProgress": {"again": sync_id}}}]
    assert [set(one) for one in results] == [
        {"id"},
        {"id", "version"},
        {"id", "version", "log"},
        {"id", "version"},
        {"id"},
    ]
    assert len(payloads) == 6, "none has the result of another one, and none is kept after its subscriber"


async def test_the_first_to_leave_does_not_affect_the_others(
    server: Server, monkeypatch: pytest.MonkeyPatch, payloads: list[str]
):
    """The first subscriber to a slow field leaves; the others still get its result."""
    sync_id = await server.start_sync()
    await server.until_ended(sync_id)
    read, may_go_on, asked = SyncService.logs, asyncio.Event(), Counter[str]()

    async def slow(self: SyncService, *arguments: Any, **options: Any) -> Any:
        asked["log"] += 1
        await may_go_on.wait()
        return await read(self, *arguments, **options)

    monkeypatch.setattr(SyncService, "logs", slow)
    async with open_socket(server) as other:
        async with open_socket(server) as first:
            await first.subscribe(WITH_LOG, id=sync_id)
            await until(lambda: asked["log"] == 1)
            await other.subscribe(WITH_LOG, id=sync_id)
            await until(lambda: len(server.runtime.syncs.subscriptions) == 2)
        await until(lambda: len(server.runtime.syncs.subscriptions) == 1)
        may_go_on.set()
        (result,) = await other.results()
    assert [line["seq"] for line in result["data"]["syncProgress"]["log"]]
    assert asked["log"] == len(payloads) == 1


@pytest.mark.parametrize("document", [PROGRESS, PROGRESS.replace("unreadableRows { list id reason }", ""), LOG])
async def test_a_sync_that_is_erased_while_subscriptions_begin_ends_them(
    server: Server, cliniko: Cliniko, monkeypatch: pytest.MonkeyPatch, document: str
):
    """Subscribers whose sync is erased at the moment at which they subscribe get an error; none waits for ever."""
    cliniko.gate.hold("patients")
    sync_id = await server.start_sync()
    await cliniko.gate.reached()
    follow = SyncService.follow_progress
    feeds = server.runtime.syncs.feeds.syncs

    async def follow_until_erased(self: SyncService, *args: Any) -> Any:
        following = await follow(self, *args)
        feed = feeds.find(sync_id)
        assert feed is not None
        feed.note_erased()
        return following

    monkeypatch.setattr(SyncService, "follow_progress", follow_until_erased)
    async with AsyncExitStack() as stack:
        for socket in await _sockets(stack, server, 3):
            await socket.subscribe(document, id=sync_id)
            async with asyncio.timeout(LIMIT_SECONDS):
                while not (frame := await socket.receive()).get("payload") or "SYNC_NOT_FOUND" not in str(frame):
                    assert frame["type"] == "next"
    cliniko.gate.open()
    await server.without_watchers()
    assert len(_shared(server)) == 0


async def test_an_error_is_not_kept(server: Server, cliniko: Cliniko, monkeypatch: pytest.MonkeyPatch):
    """An error for one subscriber is not kept: the next subscriber's result is executed again."""
    cliniko.gate.hold("patients")
    sync_id = await server.start_sync()
    await cliniko.gate.reached()
    async with open_socket(server) as socket, open_socket(server) as next_one:
        with monkeypatch.context() as patched:
            patched.setattr(SyncService, "logs", lambda *_, **__: 1 / 0)
            await socket.subscribe(WITH_LOG, id=sync_id)
            failed = await socket.receive()
        assert failed["payload"]["errors"][0]["extensions"]["code"] == "INTERNAL"
        await next_one.subscribe(WITH_LOG, id=sync_id)
        result = await next_one.receive()
        assert "errors" not in result["payload"]
        assert result["payload"]["data"]["syncProgress"]["version"]
        cliniko.gate.open()


async def test_long_results_are_not_kept(server: Server, cliniko: Cliniko, monkeypatch: pytest.MonkeyPatch):
    """A result above the limit is sent to all subscribers and then freed; a further subscriber gets one of its own."""
    monkeypatch.setattr(states, "MAX_KEPT_BYTES", 100)
    cliniko.gate.hold("patients")
    sync_id = await server.start_sync()
    await cliniko.gate.reached()
    shared = _shared(server)
    async with open_socket(server) as first, open_socket(server) as second:
        for socket in (first, second):
            await socket.subscribe(UPDATES, id=ORGANIZATION)
            shown = await socket.receive()
            assert shown["payload"]["data"]["dashboardUpdated"]["currentSync"]["id"] == sync_id
            (operation,) = shared._open.values()
            assert operation._shown is None  # type: ignore[attr-defined]
        cliniko.gate.open()
        for socket in (first, second):
            while (await socket.receive())["payload"]["data"]["dashboardUpdated"]["lastSync"] is None:
                pass


@asynccontextmanager
async def _over_http(server: Server, accept: str, query: str, sync_id: str) -> AsyncIterator[None]:
    asked = {"query": query, "variables": {"id": sync_id}}
    async with server.http.stream("POST", "/graphql", json=asked, headers={"Accept": accept}) as answer:
        async for text in answer.aiter_text():
            if '"syncProgress"' in text:
                break
        yield


@pytest.mark.parametrize("document", [WITH_LOG, WITH_LOG.replace("log(limit: 2) { seq }", "")])
async def test_an_operation_lasts_as_long_as_its_last_subscriber(server: Server, cliniko: Cliniko, document: str):
    """A shared operation ends with its last subscriber, by any way and over any transport, and frees all it holds."""
    cliniko.gate.hold("patients")
    sync_id = await server.start_sync()
    await cliniko.gate.reached()
    shared, syncs = _shared(server), server.runtime.syncs
    async with open_socket(server) as kept, open_socket(server) as socket:
        for one in (kept, socket):
            await one.subscribe(document, id=sync_id)
            assert (await one.receive())["type"] == "next"
        assert (len(shared), len(syncs.subscriptions)) == (1, 2)
        await socket.send({"id": "1", "type": "complete"})
        await until(lambda: len(syncs.subscriptions) == 1)
        assert len(shared) == 1, "another subscriber is still there"
        await kept.send({"id": "1", "type": "complete"})
        await until(lambda: len(shared) == 0)
        await socket.subscribe(document, "2", id=sync_id)
        assert (await socket.receive())["type"] == "next"
        assert len(shared) == 1
        socket.connection.transport.abort()
        await until(lambda: len(shared) == 0)
    for accept in STREAMS:
        async with _over_http(server, accept, document, sync_id):
            assert len(shared) == 1
        await until(lambda: len(shared) == 0)
    async with open_socket(server) as socket:
        await socket.subscribe(document, id=sync_id)
        assert (await socket.receive())["type"] == "next"
        cliniko.gate.open()
        await socket.results()
    assert (len(shared), len(syncs.subscriptions)) == (0, 0)


@pytest.mark.parametrize("number", ["1", "sse", "multipart-subscription"])
async def test_all_transports_share_an_operation(server: Server, cliniko: Cliniko, payloads: list[str], number: str):
    """A websocket, an event stream and a multipart response get the same bytes, encoded once, whatever the id."""
    cliniko.gate.hold("patients")
    sync_id = await server.start_sync()
    await cliniko.gate.reached()
    document = "subscription ($id: ID!) { syncProgress(syncId: $id) { version status } }"
    asked = {"query": document, "variables": {"id": sync_id}}
    async with open_socket(server) as socket, AsyncExitStack() as stack:
        await socket.subscribe(document, number, id=sync_id)
        frame = str(await socket.connection.recv())
        (payload,) = payloads
        assert frame == f'{{"id":"{number}","type":"next","payload":{payload}}}'
        for accept, expected in zip(STREAMS, (f"event: next\ndata: {payload}\n\n", payload), strict=True):
            answer = await stack.enter_async_context(
                server.http.stream("POST", "/graphql", json=asked, headers={"Accept": accept})
            )
            async for text in answer.aiter_text():
                if "syncProgress" in text:
                    assert expected in text
                    break
        assert len(payloads) == len(_shared(server)) == 1
        cliniko.gate.open()


async def test_rights_and_organizations_are_kept_apart(guarded: Server, issuer: Issuer, payloads: list[str]):
    """Two members share an operation; an admin of the same organization, with more rights, gets another."""
    async with AsyncExitStack() as stack:

        async def watch(token: str) -> dict[str, Any]:
            socket = await stack.enter_async_context(open_socket(guarded, init=False))
            await socket.init(payload=bearer(token))
            await socket.subscribe(UPDATES, id=OURS)
            return await socket.receive()

        shown = [await watch(issuer.token(OURS, subject=name)) for name in ("user_1", "user_2")]
        assert len(payloads) == 1
        shown.append(await watch(issuer.token(OURS, role="admin")))
        assert len(payloads) == 2
        assert all(one == shown[0] for one in shown)
        refused = await watch(issuer.token(THEIRS))
        assert refused["type"] == "error"
        assert refused["payload"][0]["extensions"]["code"] == "FORBIDDEN"
        assert len(payloads) == 2
