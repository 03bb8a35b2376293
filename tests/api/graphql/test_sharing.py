"""What many are shown of the same event is executed and encoded once, and only among those who may see the same."""

import asyncio
import json
from collections import Counter
from contextlib import AsyncExitStack
from typing import Any

import pytest
from graphql import ExecutionResult, GraphQLError, parse

from routiq_gql.api.graphql.sharing import SharedResults, SharingExecutor, StrawberryGraphQLCoreExecutionContext
from routiq_gql.emulator import Issuer
from routiq_gql.sync.service import SyncService
from tests.api.auth.conftest import guarded, issuer, issuer_server  # noqa: F401 - the server that asks for tokens
from tests.api.auth.issuing import OURS, THEIRS, bearer
from tests.api.conftest import Cliniko
from tests.api.graphql.documents import LOG, PROGRESS, UPDATES
from tests.api.serving import ORGANIZATION, Server, Socket, open_socket, until

MANY = 20
WITH_LOG = "subscription ($id: ID!) { syncProgress(syncId: $id) { version log(limit: 2) { seq } } }"

Executions = list[tuple[str, Any]]


@pytest.fixture
def executions(monkeypatch: pytest.MonkeyPatch) -> Executions:
    """The name of the root field and the event, of each event that is executed."""
    executed: Executions = []
    execute = StrawberryGraphQLCoreExecutionContext.execute_operation

    def counted(self: SharingExecutor, serially: bool | None = None) -> Any:
        if self.operation.operation.value == "subscription":
            executed.append((self.operation.selection_set.selections[0].name.value, self.root_value))
        return execute(self, serially)

    monkeypatch.setattr(StrawberryGraphQLCoreExecutionContext, "execute_operation", counted)
    return executed


async def _sockets(stack: AsyncExitStack, server: Server, count: int, **options: Any) -> list[Socket]:
    return [await stack.enter_async_context(open_socket(server, **options)) for _ in range(count)]


async def test_many_watch_and_each_event_is_executed_once(server: Server, cliniko: Cliniko, executions: Executions):
    """Twenty watch a sync from its middle to its end: all see it, in frames of the usual form, for the work of one."""
    cliniko.gate.hold("individual_appointments")
    sync_id = await server.start_sync()
    await cliniko.gate.reached()
    async with AsyncExitStack() as stack:
        sockets = await _sockets(stack, server, MANY)
        texts: list[list[str]] = [[] for _ in sockets]
        for socket, seen in zip(sockets, texts, strict=True):
            await socket.subscribe(PROGRESS, id=sync_id)
            seen.append(str(await socket.connection.recv()))
        cliniko.gate.open()
        for socket, seen in zip(sockets, texts, strict=True):
            while '"complete"' not in seen[-1]:
                seen.append(str(await socket.connection.recv()))
    states: dict[int, set[str]] = {}
    for seen in texts:
        frames = [json.loads(text) for text in seen[:-1]]
        assert [json.dumps(frame, separators=(",", ":")) for frame in frames] == seen[:-1]
        assert frames[-1]["payload"]["data"]["syncProgress"]["status"] == "COMPLETED"
        for frame, text in zip(frames, seen, strict=False):
            states.setdefault(frame["payload"]["data"]["syncProgress"]["version"], set()).add(text)
    assert all(len(alike) == 1 for alike in states.values())
    sent = sum(len(seen) - 1 for seen in texts)
    assert sent >= 2 * MANY
    assert len(executions) < sent / 4, "one who lags behind may have an event executed again, not everybody"


async def test_log_lines_and_dashboards_are_shared_too(server: Server, executions: Executions):
    """Everybody gets every line and the newest dashboard; both are executed about once."""
    sync_id = await server.start_sync()
    await server.until_ended(sync_id)
    async with AsyncExitStack() as stack:
        sockets = await _sockets(stack, server, MANY)
        for socket in sockets:
            await socket.subscribe(LOG, id=sync_id)
        lines = await asyncio.gather(*(socket.results() for socket in sockets))
        assert all(one == lines[0] for one in lines)
        assert len(lines[0]) > 10
        executions.clear()
        for socket in sockets:
            await socket.subscribe(UPDATES, "2", id=ORGANIZATION)
        shown = [await socket.receive() for socket in sockets]
        assert all(one == shown[0] for one in shown)
        assert shown[0]["payload"]["data"]["dashboardUpdated"]["lastSync"]["id"] == sync_id
        assert [name for name, _ in executions] == ["dashboardUpdated"]


async def test_other_operations_get_their_own(server: Server, executions: Executions):
    """Another document, other variables or another of its operations is another subscription."""
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
    assert len(executions) == 4, "the last two of the five are like earlier ones, and one more has an alias"


async def test_whoever_leaves_first_takes_nothing_away(
    server: Server, monkeypatch: pytest.MonkeyPatch, executions: Executions
):
    """The one for whom a slow field is read goes away; the others still get what was being read."""
    sync_id = await server.start_sync()
    await server.until_ended(sync_id)
    logs, may_go_on, asked = SyncService.logs, asyncio.Event(), Counter[str]()

    async def slow(self: SyncService, *arguments: Any, **options: Any) -> Any:
        asked["log"] += 1
        await may_go_on.wait()
        return await logs(self, *arguments, **options)

    monkeypatch.setattr(SyncService, "logs", slow)
    async with open_socket(server) as other:
        async with open_socket(server) as first:
            await first.subscribe(WITH_LOG, id=sync_id)
            await until(lambda: asked["log"] == 1)
            await other.subscribe(WITH_LOG, id=sync_id)
            await until(lambda: server.runtime.bus.watcher_count == 2)
        await until(lambda: server.runtime.bus.watcher_count == 1)
        may_go_on.set()
        (result,) = await other.results()
    assert [line["seq"] for line in result["data"]["syncProgress"]["log"]]
    assert asked["log"] == len(executions) == 1


async def test_an_error_is_kept_for_nobody(server: Server, monkeypatch: pytest.MonkeyPatch):
    """A fault while one is served does not become everybody's: the next one is served anew."""
    sync_id = await server.start_sync()
    await server.until_ended(sync_id)
    with monkeypatch.context() as patched:
        patched.setattr(SyncService, "logs", lambda *_, **__: 1 / 0)
        async with open_socket(server) as socket:
            await socket.subscribe(WITH_LOG, id=sync_id)
            (failed,) = await socket.results()
    assert failed["errors"][0]["extensions"]["code"] == "INTERNAL"
    async with open_socket(server) as socket:
        await socket.subscribe(WITH_LOG, id=sync_id)
        (result,) = await socket.results()
    assert "errors" not in result
    assert result["data"]["syncProgress"]["version"]


def test_what_is_remembered_has_an_end(monkeypatch: pytest.MonkeyPatch):
    """Only the newest event of the operations used last is kept, and no error, even one that came at once."""
    monkeypatch.setattr("routiq_gql.api.graphql.sharing.REMEMBERED_OPERATIONS", 2)
    shared, executed = SharedResults(), []
    (operation,) = parse("subscription { syncProgress }").definitions

    def result_of(key: str, event: int, **result: Any) -> ExecutionResult:
        def execute() -> ExecutionResult:
            executed.append((key, event))
            return ExecutionResult(**(result or {"data": {"key": key, "event": event}}))

        found = shared.result_of(key, operation, event, execute)
        assert isinstance(found, ExecutionResult)
        return found

    assert result_of("a", 1) is result_of("a", 1)
    for key, event in (("b", 1), ("a", 1), ("c", 1), ("a", 1), ("b", 1), ("b", 2), ("b", 2)):
        assert result_of(key, event).data == {"key": key, "event": event}
    assert executed == [("a", 1), ("b", 1), ("c", 1), ("b", 1), ("b", 2)]
    assert result_of("d", 1, data=None, errors=[GraphQLError("no")]).errors
    assert result_of("d", 1).errors is None


async def test_rights_and_organizations_are_kept_apart(guarded: Server, issuer: Issuer, executions: Executions):  # noqa: F811
    """Two members share; an admin of the same organization, who may do more, gets an execution of the own."""
    started = await guarded.http.post(f"/api/v1/sync/start/{OURS}")
    sync_id = started.json()["sync_id"]
    assert (await guarded.until_ended(sync_id))["status"] == "failed", "it was never connected"

    async def watch(token: str) -> dict[str, Any]:
        async with open_socket(guarded, init=False) as socket:
            await socket.init(payload=bearer(token))
            await socket.subscribe(PROGRESS, id=sync_id)
            return await socket.receive()

    shown = [await watch(issuer.token(OURS, subject=name)) for name in ("user_1", "user_2")]
    assert len(executions) == 1
    shown.append(await watch(issuer.token(OURS, role="admin")))
    assert len(executions) == 2
    assert all(one == shown[0] for one in shown)
    refused = await watch(issuer.token(THEIRS))
    assert refused["type"] == "error"
    assert refused["payload"][0]["extensions"]["code"] == "SYNC_NOT_FOUND"
    assert len(executions) == 2
