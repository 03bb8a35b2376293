"""An event for several subscribers is executed and encoded once, but only for subscribers with the same rights."""

import asyncio
import gc
import json
import weakref
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from typing import Any

import pytest
from graphql import ExecutionResult, GraphQLError, OperationDefinitionNode, parse

from routiq_gql.api.graphql import sharing
from routiq_gql.api.graphql.executor import SharingExecutor, StrawberryGraphQLCoreExecutionContext
from routiq_gql.api.graphql.sharing import (
    SharedData,
    SharedResults,
)
from routiq_gql.emulator import Issuer
from routiq_gql.sync.service import SyncService
from tests.emulated_cliniko import Cliniko
from tests.graphql_documents import LOG, PROGRESS, UPDATES
from tests.issuing import OURS, THEIRS, bearer
from tests.organization import ORGANIZATION
from tests.server import Server, Socket, open_socket
from tests.waiting import until

MANY = 20
WITH_LOG = "subscription ($id: ID!) { syncProgress(syncId: $id) { version log(limit: 2) { seq } } }"

Executions = list[tuple[str, Any]]


@pytest.fixture
def executions(monkeypatch: pytest.MonkeyPatch) -> Executions:
    """The name of the root field and the event, of each executed event."""
    executed: Executions = []
    execute = StrawberryGraphQLCoreExecutionContext.execute_operation

    def counted(self: SharingExecutor, serially: bool | None = None) -> Any:
        if self.operation.operation.value == "subscription":
            executed.append((self.operation.selection_set.selections[0].name.value, self.root_value))
        return execute(self, serially)

    monkeypatch.setattr(StrawberryGraphQLCoreExecutionContext, "execute_operation", counted)
    return executed


def _shared(server: Server) -> SharedResults:
    (view,) = {route.endpoint for route in server.app.routes if getattr(route, "path", "") == "/graphql"}
    return view._shared_results


async def _sockets(stack: AsyncExitStack, server: Server, count: int, **options: Any) -> list[Socket]:
    return [await stack.enter_async_context(open_socket(server, **options)) for _ in range(count)]


async def test_many_watch_and_each_event_is_executed_once(server: Server, cliniko: Cliniko, executions: Executions):
    """Twenty subscribers to the same sync all get its events, and each event is executed once."""
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
    """All subscribers get every line and the newest dashboard; both are executed about once."""
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
    assert len(executions) == 6, "none has the result of another one, and none is kept after its subscriber"


async def test_the_first_to_leave_does_not_affect_the_others(
    server: Server, monkeypatch: pytest.MonkeyPatch, executions: Executions
):
    """The first subscriber to a slow field leaves; the others still get its result."""
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
            await until(lambda: len(server.runtime.syncs.subscriptions) == 2)
        await until(lambda: len(server.runtime.syncs.subscriptions) == 1)
        may_go_on.set()
        (result,) = await other.results()
    assert [line["seq"] for line in result["data"]["syncProgress"]["log"]]
    assert asked["log"] == len(executions) == 1


async def test_an_error_is_not_stored(server: Server, monkeypatch: pytest.MonkeyPatch):
    """An error for one subscriber is not stored: the next subscriber's result is executed again."""
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


def _operation() -> OperationDefinitionNode:
    (operation,) = parse("subscription { syncProgress }").definitions
    assert isinstance(operation, OperationDefinitionNode)
    return operation


class _Executions:
    """Requests results as sockets do, and records the executed ones."""

    def __init__(self) -> None:
        self.shared = SharedResults(json.dumps)
        self.operation = _operation()
        self.executed: list[tuple[str, int]] = []

    def result_of(self, name: str, event: int, **result: Any) -> ExecutionResult:
        def execute() -> ExecutionResult:
            self.executed.append((name, event))
            return ExecutionResult(**(result or {"data": {"name": name, "event": event}}))

        found = self.shared.result_of(self.operation, {"id": name}, "sight", event, execute)
        assert isinstance(found, ExecutionResult)
        return found

    def subscribed(self, name: str) -> Any:
        return self.shared.subscribed(self.operation, {"id": name})


def test_the_number_of_stored_results_is_limited(monkeypatch: pytest.MonkeyPatch):
    """Only the newest event of recent operations is kept, and no error, not even an immediate one."""
    monkeypatch.setattr(sharing, "REMEMBERED_OPERATIONS", 2)
    one = _Executions()
    with one.subscribed("a"), one.subscribed("b"), one.subscribed("c"), one.subscribed("d"):
        assert one.result_of("a", 1) is one.result_of("a", 1)
        for name, event in (("b", 1), ("a", 1), ("c", 1), ("a", 1), ("b", 1), ("b", 2), ("b", 2)):
            assert one.result_of(name, event).data == {"name": name, "event": event}
        assert one.executed == [("a", 1), ("b", 1), ("c", 1), ("b", 1), ("b", 2)]
        assert one.result_of("d", 1, data=None, errors=[GraphQLError("no")]).errors
        assert one.result_of("d", 1).errors is None
        assert len(one.shared) == 2
    assert (len(one.shared), one.shared.bytes) == (0, 0)


def test_the_bytes_kept_have_an_end(monkeypatch: pytest.MonkeyPatch):
    """With any number of different subscriptions, results use limited memory, and each subscription is served."""
    monkeypatch.setattr(sharing, "MAX_SHARED_BYTES", 10_000)
    monkeypatch.setattr(sharing, "MAX_RESULT_BYTES", 5_000)
    one, names = _Executions(), [f"{number}" for number in range(50)]
    with ExitStack() as stack:
        for name in names:
            stack.enter_context(one.subscribed(name))
        for event in range(3):
            for name in names:
                text = name * 1_000
                result = one.result_of(name, event, data={"text": text})
                assert result.data == {"text": text}
                assert one.shared.bytes <= 10_000
        assert 2 <= len(one.shared) < 10
        kept = one.shared.bytes
        for _ in range(2):
            assert one.result_of("0", 9, data={"text": "x" * 6_000}).data == {"text": "x" * 6_000}
        assert one.shared.bytes == kept, "one that is too large displaces no other"
        assert one.executed[-2:] == [("0", 9), ("0", 9)]
    assert (len(one.shared), one.shared.bytes) == (0, 0)


async def test_an_execution_without_subscribers_is_cancelled():
    """When the last subscriber leaves, the execution is cancelled; a failed execution is not kept."""
    shared, operation, may_end = SharedResults(json.dumps), _operation(), asyncio.Event()
    ended: list[str] = []

    async def slow() -> ExecutionResult:
        try:
            await may_end.wait()
        finally:
            ended.append("slow")
        return ExecutionResult({"slow": True})

    async def failing() -> ExecutionResult:
        raise RuntimeError

    with shared.subscribed(operation, {}):
        with shared.subscribed(operation, {}):
            waiting = [asyncio.ensure_future(shared.result_of(operation, {}, "sight", 1, slow)) for _ in range(2)]
            await asyncio.sleep(0)
            waiting[0].cancel()
        assert not ended
        assert len(shared) == 1
    await asyncio.wait(waiting)
    assert all(one.cancelled() for one in waiting)
    assert ended == ["slow"]
    with shared.subscribed(operation, {}):
        with pytest.raises(RuntimeError):
            await shared.result_of(operation, {}, "sight", 1, failing)
        assert len(shared) == 0
        may_end.set()
        assert (await shared.result_of(operation, {}, "sight", 1, slow)).data == {"slow": True}
        assert (len(shared), shared.bytes > 0) == (1, True)
    assert (len(shared), shared.bytes) == (0, 0)


def _large(number: int) -> str:
    """A separate document per number, with a large result."""
    lines = " ".join(f"l{number}_{alias}: log(limit: 100) {{ id seq time message }}" for alias in range(8))
    return f"subscription ($id: ID!) {{ syncProgress(syncId: $id) {{ version {lines} }} }}"


async def test_ended_subscriptions_leave_nothing_behind(server: Server, monkeypatch: pytest.MonkeyPatch):
    """After seventy different subscriptions to an ended sync, no result is left in memory."""
    made: weakref.WeakSet[SharedData] = weakref.WeakSet()

    class _Noted(SharedData):
        __hash__ = object.__hash__  # type: ignore[assignment]

        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            made.add(self)

    monkeypatch.setattr(sharing, "SharedData", _Noted)
    sync_id = await server.start_sync()
    await server.until_ended(sync_id)
    shared = _shared(server)
    async with open_socket(server) as socket:
        for number in range(70):
            await socket.subscribe(_large(number), id=sync_id)
            (result,) = await socket.results()
            assert result["data"]["syncProgress"][f"l{number}_7"]
            assert (len(shared), shared.bytes) == (0, 0)
    gc.collect()
    assert len(made) <= 1, "the last one may still be in the hands of the socket's task"


@asynccontextmanager
async def _over_http(server: Server, accept: str, query: str, sync_id: str) -> AsyncIterator[None]:
    asked = {"query": query, "variables": {"id": sync_id}}
    async with server.http.stream("POST", "/graphql", json=asked, headers={"Accept": accept}) as answer:
        async for text in answer.aiter_text():
            if '"syncProgress"' in text:
                break
        yield


async def test_results_last_as_long_as_their_last_subscriber(server: Server, cliniko: Cliniko):
    """A result is freed when its last subscriber ends, by any way and over any transport."""
    cliniko.gate.hold("patients")
    sync_id = await server.start_sync()
    await cliniko.gate.reached()
    shared = _shared(server)
    async with open_socket(server) as kept, open_socket(server) as socket:
        for one in (kept, socket):
            await one.subscribe(_large(0), id=sync_id)
            assert (await one.receive())["type"] == "next"
        assert len(shared) == 1
        await socket.send({"id": "1", "type": "complete"})
        await until(lambda: len(server.runtime.syncs.subscriptions) == 1)
        assert len(shared) == 1, "another subscriber is still there"
        await kept.send({"id": "1", "type": "complete"})
        await until(lambda: len(shared) == 0)
        await socket.subscribe(_large(0), "2", id=sync_id)
        assert (await socket.receive())["type"] == "next"
        assert len(shared) == 1
        socket.connection.transport.abort()
        await until(lambda: len(shared) == 0)
    for accept in ("text/event-stream", 'multipart/mixed;subscriptionSpec="1.0", application/json'):
        async with _over_http(server, accept, _large(0), sync_id):
            assert (len(shared), shared.bytes > 0) == (1, True)
        await until(lambda: len(shared) == 0)
    assert shared.bytes == 0
    async with open_socket(server) as socket:
        await socket.subscribe(_large(0), id=sync_id)
        assert (await socket.receive())["type"] == "next"
        cliniko.gate.open()
        await socket.results()
    assert (len(shared), shared.bytes) == (0, 0)


async def test_rights_and_organizations_are_kept_apart(guarded: Server, issuer: Issuer, executions: Executions):
    """Two members share an execution; an admin of the same organization, with more rights, gets another."""
    async with AsyncExitStack() as stack:

        async def watch(token: str) -> dict[str, Any]:
            socket = await stack.enter_async_context(open_socket(guarded, init=False))
            await socket.init(payload=bearer(token))
            await socket.subscribe(UPDATES, id=OURS)
            return await socket.receive()

        shown = [await watch(issuer.token(OURS, subject=name)) for name in ("user_1", "user_2")]
        assert len(executions) == 1
        shown.append(await watch(issuer.token(OURS, role="admin")))
        assert len(executions) == 2
        assert all(one == shown[0] for one in shown)
        refused = await watch(issuer.token(THEIRS))
        assert refused["type"] == "error"
        assert refused["payload"][0]["extensions"]["code"] == "FORBIDDEN"
        assert len(executions) == 2
