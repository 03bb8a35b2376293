"""Limits on simultaneous operations of an organization, which don't affect other organizations."""

import asyncio
from collections.abc import AsyncIterator, Callable

import httpx
import pytest

from routiq_gql.api import admission
from routiq_gql.security.token_file import TokenFile
from routiq_gql.settings import Settings
from routiq_gql.shares import FOLLOW_CONNECTIONS, LARGE_AT_ONCE, OPERATION_CONNECTIONS, WATCH_CONNECTIONS
from tests.api.slow_reads import SLOW, SlowReads, make_slow
from tests.graphql_documents import UPDATES
from tests.server import Server, open_socket
from tests.waiting import until

pytestmark = pytest.mark.usefixtures("threaded_sqlite")

HISTORY = "query ($id: ID!) { history(organizationId: $id) { totalSyncs } }"
DASHBOARD = "query ($id: ID!) { dashboard(organizationId: $id) { id } }"
BODY = {"query": HISTORY, "variables": {"id": SLOW}}


@pytest.fixture
def most() -> int:
    """The maximum of simultaneous operations; tests may override it."""
    return 2


@pytest.fixture
async def busy_server(settings: Settings, most: int) -> AsyncIterator[Server]:
    """A server with a low limit of simultaneous operations per organization."""
    async with Server(settings.model_copy(update={"max_operations": most})) as server:
        yield server
        await until(lambda: server.services.admission.executing == 0)
        assert server.services.admission._queues == {}


@pytest.fixture
def reads(busy_server: Server, database_kind: str, monkeypatch: pytest.MonkeyPatch) -> SlowReads:
    monkeypatch.setattr(admission, "WAIT_SECONDS", 0.2)
    return make_slow(monkeypatch, database_kind, busy_server.runtime.database)


async def _cancel(tasks: list[asyncio.Task[httpx.Response]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


async def test_more_operations_than_allowed_are_refused(busy_server: Server, reads: SlowReads):
    """An operation over the limit is refused after a short wait on every transport, with the time to try again."""
    async with httpx.AsyncClient(base_url=busy_server.url, verify=False) as client:
        running = [
            asyncio.create_task(client.post("/graphql", json=BODY)),
            asyncio.create_task(client.get(f"/api/v1/sync/history/{SLOW}")),
        ]
        await until(lambda: reads.running == 2)
        for accept in ("application/json", "application/graphql-response+json"):
            answer = await busy_server.http.post("/graphql", json=BODY, headers={"Accept": accept})
            assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
            (error,) = answer.json()["errors"]
            assert error["extensions"]["code"] == "RATE_LIMITED"
            assert "2 operations of this organization" in error["message"]
            assert "ROUTIQ_MAX_OPERATIONS" in error["message"]
            assert "data" not in answer.json()
        rest = await busy_server.http.get(f"/api/v1/sync/status/sync_{SLOW}_20241222_143022")
        assert (rest.status_code, rest.json()["code"], rest.headers["retry-after"]) == (429, "RATE_LIMITED", "1")
        started = await busy_server.http.post(f"/api/v1/sync/start/{SLOW}")
        assert started.status_code == 429
        async with open_socket(busy_server) as socket:
            await socket.subscribe(HISTORY, id=SLOW)
            refused = await socket.receive()
            assert (refused["type"], refused["payload"][0]["extensions"]["code"]) == ("error", "RATE_LIMITED")
            # Subscriptions are not counted, and another organization has a separate count.
            await socket.subscribe(UPDATES, "watching", id=SLOW)
            assert (await socket.receive())["type"] == "next"
            await socket.subscribe(HISTORY, "other", id="org_1")
            assert (await socket.receive())["payload"] == {"data": {"history": {"totalSyncs": 0}}}
        assert (await busy_server.http.get("/api/v1/sync/dashboard/org_1")).status_code == 200
        await _cancel(running)
    await until(lambda: busy_server.services.admission.executing == 0)
    assert (await busy_server.http.get(f"/api/v1/sync/dashboard/{SLOW}")).status_code == 200


async def test_operations_wait_for_their_turn_in_order(busy_server: Server, monkeypatch: pytest.MonkeyPatch):
    """Operations beyond the limit begin as others end, in the order of arrival."""
    waiting = busy_server.services.admission
    order: list[int] = []
    go_on = [asyncio.Event() for _ in range(6)]

    async def operation(number: int) -> None:
        async with waiting.turn("org_1"):
            order.append(number)
            await go_on[number].wait()

    tasks = [asyncio.create_task(operation(number)) for number in range(6)]
    await until(lambda: waiting.executing == 6)
    assert order == [0, 1]
    for number in range(6):
        go_on[number].set()
        await until(lambda number=number: len(order) == min(number + 3, 6))  # type: ignore[misc]
    await asyncio.wait(tasks)
    assert order == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("end", ["result", "error", "cancelled", "cancelled while waiting", "refused"])
async def test_the_count_returns_to_zero(busy_server: Server, monkeypatch: pytest.MonkeyPatch, end: str):
    """After any ending of an operation its place is free."""
    monkeypatch.setattr(admission, "WAIT_SECONDS", 0.05)
    counting = busy_server.services.admission

    async def operation(work: Callable[[], object]) -> None:
        async with counting.turn("org_1"):
            work()
            await asyncio.sleep(0)
            if end.startswith("cancelled") or end == "refused":
                await asyncio.Event().wait()

    def fail() -> None:
        raise ValueError(end)

    tasks = [asyncio.create_task(operation(fail if end == "error" else lambda: None)) for _ in range(3)]
    if end == "refused":
        await until(tasks[2].done)
    elif end.startswith("cancelled"):
        await until(lambda: counting.executing == 3)
    for task in reversed(tasks) if end.endswith("waiting") else tasks:
        if end.startswith("cancelled") or (not task.done() and end == "refused"):
            task.cancel()
    await asyncio.wait(tasks)
    failed = [task for task in tasks if not task.cancelled() and task.exception() is not None]
    assert len(failed) == {"error": 3, "refused": 1}.get(end, 0)
    assert counting.executing == 0
    assert counting._queues == {}


@pytest.mark.both_databases
@pytest.mark.parametrize("most", [32])
async def test_one_organization_cannot_take_all_connections(busy_server: Server, reads: SlowReads, most: int):
    """While 32 operations of an organization read slowly, others get their dashboards, and its streams continue."""
    query = "{ " + " ".join(f'a{n}: history(organizationId: "{SLOW}") {{ totalSyncs }}' for n in range(5)) + " }"
    limits = httpx.Limits(max_connections=most)
    async with httpx.AsyncClient(base_url=busy_server.url, limits=limits, verify=False) as client:
        running = [asyncio.create_task(client.post("/graphql", json={"query": query})) for _ in range(most)]
        await until(lambda: busy_server.services.admission.executing == most)
        await until(lambda: reads.running > 0)
        for _ in range(5):
            answer = await busy_server.ask(DASHBOARD, id="org_1")
            assert answer == {"data": {"dashboard": {"id": "org_1"}}}
        async with open_socket(busy_server) as socket:
            await socket.subscribe(UPDATES, id=SLOW)
            assert (await socket.receive())["type"] == "next"
        assert 0 < reads.most <= OPERATION_CONNECTIONS
        await _cancel(running)
    pool = busy_server.runtime.database._engine.pool
    await until(lambda: pool.checkedout() == 0)  # type: ignore[attr-defined]
    assert OPERATION_CONNECTIONS + WATCH_CONNECTIONS + FOLLOW_CONNECTIONS <= 15 - 5, "SQLite's pool has 15"


async def test_organizations_are_distinguished_by_their_tokens(
    settings: Settings, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
):
    """With tokens, an operation counts for the organization of its token, even if it names another."""
    monkeypatch.setattr(admission, "WAIT_SECONDS", 0.1)
    path = tmp_path_factory.mktemp("tokens") / "tokens"
    tokens = TokenFile(path)
    (_, one), (_, two) = tokens.add(SLOW), tokens.add("org_1")
    with_tokens = {"auth": "token", "tokens_file": str(path), "allowed_hosts": ("127.0.0.1",), "max_operations": 1}
    async with Server(settings.model_copy(update=with_tokens)) as server:
        reads = make_slow(monkeypatch, "sqlite", server.runtime.database)
        async with httpx.AsyncClient(base_url=server.url, verify=False) as client:
            mine = {"Authorization": f"Bearer {one}"}
            running = [asyncio.create_task(client.post("/graphql", json=BODY, headers=mine))]
            await until(lambda: reads.running == 1)
            refused = await server.http.post(
                "/graphql", json={"query": DASHBOARD, "variables": {"id": "org_1"}}, headers=mine
            )
            assert refused.status_code == 429
            others = await server.http.post(
                "/graphql",
                json={"query": DASHBOARD, "variables": {"id": "org_1"}},
                headers={"Authorization": f"Bearer {two}"},
            )
            assert others.json() == {"data": {"dashboard": {"id": "org_1"}}}
            await _cancel(running)
        await until(lambda: server.services.admission.executing == 0)


@pytest.mark.parametrize("most", [8])
async def test_large_operations_wait_for_each_other(busy_server: Server, reads: SlowReads, most: int):
    """Two large operations run at a time, and small operations of the same organization overtake them."""
    large = f'{{ history(organizationId: "{SLOW}") {{ recentSyncs {{ log {{ id }} }} }} }}'
    async with httpx.AsyncClient(base_url=busy_server.url, verify=False) as client:
        running = [asyncio.create_task(client.post("/graphql", json={"query": large})) for _ in range(6)]
        await until(lambda: busy_server.services.admission.executing == 6)
        await until(lambda: reads.running == LARGE_AT_ONCE)
        assert await busy_server.ask(DASHBOARD, id=SLOW) == {"data": {"dashboard": {"id": SLOW}}}
        assert reads.most == LARGE_AT_ONCE
        await _cancel(running)
