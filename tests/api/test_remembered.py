"""Answers from memory: fast for readers, and never older than the database or wider than the viewer's reach."""

import asyncio
import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from structlog.contextvars import get_contextvars

from routiq_gql.api.remembered import (
    BYTES_PER_ANSWER,
    MAX_AGE_SECONDS,
    MAX_ANSWER_BYTES,
    MAX_BYTES,
    EncodedAnswer,
    OncePerTurn,
    RememberedAnswers,
)
from routiq_gql.security.token_file import TokenFile
from routiq_gql.security.viewer import LOCAL_OPERATOR, NO_RIGHTS, Viewer
from routiq_gql.settings import Settings
from tests.graphql_documents import CANCEL, DASHBOARD, HISTORY, START, STATUS
from tests.issuing import bearer
from tests.organization import ORGANIZATION
from tests.server import Server

ANSWER = EncodedAnswer(b"{}", "org_1")
GRAPHQL_JSON = "application/graphql-response+json"


class Memory:
    """Remembered answers with a token and a clock that a test sets."""

    def __init__(self) -> None:
        self.token: int | None = 1
        self.time = 100.0
        self.answers = RememberedAnswers(lambda: self.token, lambda: self.time)

    def knows(self, *request: str, viewer: Viewer = LOCAL_OPERATOR) -> bool:
        return self.answers.find(self.answers.place(viewer, *request)) is not None

    def read(self, *request: str, viewer: Viewer = LOCAL_OPERATOR, answer: EncodedAnswer = ANSWER) -> None:
        self.answers.keep(self.answers.place(viewer, *request), answer)


@pytest.fixture
def memory() -> Memory:
    return Memory()


def test_an_answer_is_known_until_the_database_changes(memory: Memory):
    """A reader gets a stored state once and again, and never after a newer one was committed."""
    memory.read("status", "sync_1")
    assert memory.knows("status", "sync_1")
    assert not memory.knows("status", "sync_2")
    memory.token = 2
    assert not memory.knows("status", "sync_1")
    memory.token = 1
    assert not memory.knows("status", "sync_1"), "forgotten with the first change"
    assert memory.answers.bytes == len(memory.answers) == 0


def test_an_answer_read_during_a_change_is_not_kept(memory: Memory):
    """A read that may have begun before a commit is not shown after it."""
    place = memory.answers.place(LOCAL_OPERATOR, "status")
    memory.token = 2
    memory.answers.keep(place, ANSWER)
    assert not memory.knows("status")
    memory.answers.keep(place, ANSWER)
    assert not memory.knows("status")


def test_an_answer_is_known_for_a_second_at_most(memory: Memory):
    """Values that depend on the clock are read again, even if nothing was stored."""
    memory.read("dashboard")
    memory.time += MAX_AGE_SECONDS * 0.99
    assert memory.knows("dashboard")
    memory.time += MAX_AGE_SECONDS * 0.01
    assert not memory.knows("dashboard")


def test_nothing_is_kept_while_the_token_is_unknown(memory: Memory):
    """Without proof that nothing has changed, each request reads the database."""
    memory.token = None
    memory.read("status")
    assert not memory.knows("status")
    memory.token = 1
    assert not memory.knows("status")
    memory.read("status")
    memory.token = None
    assert not memory.knows("status")


VIEWERS = [
    Viewer("org_1", NO_RIGHTS),
    Viewer("org_1"),
    Viewer("org_2"),
    Viewer(),
    Viewer("org_1", NO_RIGHTS, sync_id="sync_1"),
    Viewer("org_1", NO_RIGHTS, has_lapsed=True),
]


@pytest.mark.parametrize("reader", VIEWERS)
def test_only_viewers_with_the_same_reach_share_an_answer(memory: Memory, reader: Viewer):
    """Another organization, other rights, a token for one sync, or an expired token: each reads by itself."""
    memory.read("status", "sync_1", viewer=reader)
    assert [viewer for viewer in VIEWERS if memory.knows("status", "sync_1", viewer=viewer)] == [reader]
    colleague = Viewer(
        reader.organization_id, reader.rights, "user_2", "192.0.2.7", reader.sync_id, has_lapsed=reader.has_lapsed
    )
    assert memory.knows("status", "sync_1", viewer=colleague)


def test_the_memory_is_limited(memory: Memory):
    """However many different requests come, the oldest answers give way; a huge one is not kept at all."""
    for number in range(MAX_BYTES // BYTES_PER_ANSWER + 100):
        memory.read("status", f"sync_{number}")
    assert memory.answers.bytes <= MAX_BYTES
    assert not memory.knows("status", "sync_0")
    assert memory.knows("status", f"sync_{number}")
    for size in (MAX_ANSWER_BYTES, MAX_ANSWER_BYTES // 2):
        memory.read("huge", answer=EncodedAnswer(b"x" * size, ""))
        assert memory.knows("huge") == (size < MAX_ANSWER_BYTES)
    memory.read("x" * MAX_ANSWER_BYTES)
    assert not memory.knows("x" * MAX_ANSWER_BYTES), "a long request takes memory as well"
    for _ in range(3):
        memory.read("status", "sync_0")
    known = memory.answers.bytes
    memory.read("status", "sync_0")
    assert memory.answers.bytes == known


async def test_what_begins_after_a_change_gets_its_token():
    """Requests of the same moment share a look at the database; none shares one from before it arrived."""
    token = 0
    current = OncePerTurn(lambda: token)
    seen: list[tuple[int, int]] = []

    async def request(arrived_at: int) -> None:
        seen.append((arrived_at, current()))

    for _ in range(5):
        tasks = [asyncio.create_task(request(token)) for _ in range(3)]
        await asyncio.sleep(0)  # they run
        token += 1
        tasks += [asyncio.create_task(request(token)) for _ in range(3)]
        await asyncio.gather(*tasks)
        token += 1
    assert all(got >= arrived_at for arrived_at, got in seen)
    looks = 0

    def look() -> int:
        nonlocal looks
        looks += 1
        return looks

    current = OncePerTurn(look)
    assert [current(), current(), current()] == [1, 1, 1]
    await asyncio.sleep(0)
    assert current() == 2


# With a real server and database


@pytest.fixture
def statements(bare_server: Server) -> Iterator[list[str]]:
    """Statements of requests that read a table, in their order. Other parts of the process read meanwhile."""
    found: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if statement.startswith("SELECT") and "request_id" in get_contextvars():
            found.append(statement)

    engine = bare_server.runtime.database._engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    yield found
    event.remove(engine, "before_cursor_execute", note)


def _requests(server: Server, sync_id: str) -> dict[str, Callable[[], Any]]:
    """The reads that are answered from memory, by name."""

    def query(document: str, name: str) -> Callable[[], Any]:
        return lambda: server.http.post("/graphql", json={"query": document, "variables": {"id": name}})

    return {
        "status": lambda: server.http.get(f"/api/v1/sync/status/{sync_id}"),
        "dashboard": lambda: server.http.get(f"/api/v1/sync/dashboard/{ORGANIZATION}"),
        "history": lambda: server.http.get(f"/api/v1/sync/history/{ORGANIZATION}?limit=5"),
        "syncStatus": query(STATUS, sync_id),
        "dashboard query": query(DASHBOARD, ORGANIZATION),
        "history query": query(HISTORY, ORGANIZATION),
        "query by GET": lambda: server.http.get(
            "/graphql", params={"query": STATUS, "variables": json.dumps({"id": sync_id})}
        ),
    }


def _lasting_headers(answer: Any) -> dict[str, str]:
    """The headers in which two answers with the same content agree."""
    return {name: value for name, value in answer.headers.items() if name not in {"date", "x-request-id"}}


def _commit_elsewhere(path: Path, statement: str) -> None:
    """Commit a change as another process would, on another connection."""
    with closing(sqlite3.connect(path, timeout=20)) as connection, connection:
        connection.execute(statement)


@pytest.mark.sqlite_only
async def test_equal_reads_cost_one_read_until_a_commit_of_any_process(bare_server: Server, statements: list[str]):
    """Twenty readers of a sync, dashboard or history cost as much as one; a commit elsewhere is seen at once."""
    sync_id = await bare_server.start_sync()
    await bare_server.until_ended(sync_id)
    path = bare_server.runtime.database.path
    assert path is not None
    for name, ask in _requests(bare_server, sync_id).items():
        first = await ask()
        assert first.status_code == 200
        _commit_elsewhere(path, "UPDATE syncs SET patients_found = patients_found + 1")
        statements.clear()
        changed = await ask()
        assert changed.content != first.content, name
        one = len(statements)
        assert one > 0
        for _ in range(20):
            again = await ask()
            assert again.content == changed.content
            assert _lasting_headers(again) == _lasting_headers(changed), name
            assert "no-store" in again.headers["cache-control"]
            assert again.headers["x-request-id"] != changed.headers["x-request-id"]
        assert len(statements) <= 3 * one, name  # a second may have passed
        statements.clear()


@pytest.mark.postgres_only
async def test_on_postgresql_each_read_of_a_sync_is_one_statement(bare_server: Server, statements: list[str]):
    """Other processes commit unseen there, so that every read asks the database, with one statement."""
    sync_id = await bare_server.start_sync()
    await bare_server.until_ended(sync_id)
    for ask in (_requests(bare_server, sync_id)[name] for name in ("status", "syncStatus")):
        counts = []
        for _ in range(4):
            statements.clear()
            assert (await ask()).status_code == 200
            counts.append(len([one for one in statements if "FROM syncs" in one]))
        assert counts == [1, 1, 1, 1]
    assert len(bare_server.services.remembered) == 0


@pytest.mark.both_databases
async def test_no_reader_sees_a_state_older_than_an_answer_that_was_given(bare_server: Server):
    """After a start or a cancel is answered, every read shows it, while others read the same all the time."""
    sync_id = await bare_server.start_sync()
    await bare_server.until_ended(sync_id)
    is_over = False

    async def read_all_the_time(ask: Callable[[], Any]) -> None:
        while not is_over:
            assert (await ask()).status_code == 200

    names = ("dashboard", "history", "dashboard query", "history query")
    readers = [asyncio.create_task(read_all_the_time(_requests(bare_server, sync_id)[name])) for name in names]
    total = (await bare_server.http.get(f"/api/v1/sync/history/{ORGANIZATION}?limit=5")).json()["total_syncs"]
    for number in range(8):
        if number % 2:
            sync_id = await bare_server.start_sync()
        else:
            sync_id = (await bare_server.ask(START, id=ORGANIZATION))["data"]["startSync"]["sync"]["syncId"]
        total += 1
        asked = _requests(bare_server, sync_id)
        assert (await asked["status"]()).json()["sync_id"] == sync_id
        assert (await asked["syncStatus"]()).json()["data"]["syncStatus"]["syncId"] == sync_id
        assert (await asked["history"]()).json()["recent_syncs"][0]["sync_id"] == sync_id
        listed = (await asked["history query"]()).json()["data"]["history"]
        assert (listed["recentSyncs"][0]["syncId"], listed["totalSyncs"]) == (sync_id, total)
        cancelled = (await bare_server.ask(CANCEL, id=sync_id))["data"]["cancelSync"]["sync"]["status"]
        assert (await asked["syncStatus"]()).json()["data"]["syncStatus"]["status"] == cancelled
        seen = (await asked["dashboard query"]()).json()["data"]["dashboard"]
        assert (seen["currentSync"], seen["lastSync"]["syncId"]) == (None, sync_id)
        assert (await asked["dashboard"]()).json()["last_sync"]["sync_id"] == sync_id
    is_over = True
    await asyncio.gather(*readers)


async def test_what_others_read_helps_nobody_beyond_their_reach(settings: Settings, tmp_path: Path):
    """An organization's answers are refused to another organization, and to a token that was revoked meanwhile."""
    tokens = TokenFile(tmp_path / "tokens")
    entry, ours = tokens.add("org_1")
    _, theirs = tokens.add("org_2")
    values = {"auth": "token", "tokens_file": str(tmp_path / "tokens"), "allowed_hosts": ("127.0.0.1",)}
    async with Server(settings.model_copy(update=values)) as server:
        started = await server.runtime.syncs.start(LOCAL_OPERATOR, "org_1")
        query = {"query": STATUS, "variables": {"id": started.sync.sync_id}}

        async def read(token: str) -> list[int]:
            return [
                (await server.http.get(f"/api/v1/sync/{path}", headers=bearer(token))).status_code
                for path in (f"status/{started.sync.sync_id}", "dashboard/org_1", "history/org_1")
            ]

        async def ask(token: str) -> Any:
            return (await server.http.post("/graphql", json=query, headers=bearer(token))).json()

        for _ in range(3):
            assert await read(ours) == [200, 200, 200]
            assert await read(theirs) == [404, 403, 403]
            assert (await ask(ours))["data"]["syncStatus"]["syncId"] == started.sync.sync_id
            assert (await ask(theirs))["errors"][0]["extensions"]["code"] == "SYNC_NOT_FOUND"
        tokens.revoke(entry.id)
        assert await read(ours) == [401, 401, 401]
        assert (await ask(ours))["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"


async def test_nothing_of_an_erased_organization_is_remembered(server: Server):
    """Once the erasure is confirmed, its syncs are unknown and its dashboard is empty."""
    sync_id = await server.start_sync()
    await server.until_ended(sync_id)
    asked = _requests(server, sync_id)
    for _ in range(2):
        assert (await asked["status"]()).status_code == 200
        assert (await asked["dashboard"]()).json()["last_sync"] is not None
        assert (await asked["syncStatus"]()).json()["data"]["syncStatus"] is not None
    await server.runtime.connections.erase(LOCAL_OPERATOR, ORGANIZATION)
    assert (await asked["status"]()).status_code == 404
    assert (await asked["dashboard"]()).json()["last_sync"] is None
    assert (await asked["syncStatus"]()).json()["data"]["syncStatus"] is None


@pytest.mark.sqlite_only
async def test_each_client_gets_the_form_that_it_asked_for(bare_server: Server):
    """The media type, and a shorter selection, are not those of another client's equal question."""
    sync_id = await bare_server.start_sync()
    await bare_server.until_ended(sync_id)
    short = "query ($id: ID!) { syncStatus(syncId: $id) { syncId } }"
    for _ in range(2):
        for accept in ("application/json", GRAPHQL_JSON, "*/*"):
            answer = await bare_server.http.post(
                "/graphql", json={"query": short, "variables": {"id": sync_id}}, headers={"Accept": accept}
            )
            media_type = accept if accept == GRAPHQL_JSON else "application/json"
            assert answer.headers["content-type"].startswith(media_type)
            assert answer.json() == {"data": {"syncStatus": {"syncId": sync_id}}}
    assert len(bare_server.services.remembered) == 3
    two = "query A($id: ID!) { syncStatus(syncId: $id) { syncId } } query B { __typename }"
    for name, expected in (("A", "syncStatus"), ("B", "__typename"), ("A", "syncStatus")):
        body = {"query": two, "operationName": name, "variables": {"id": sync_id}}
        assert [*(await bare_server.http.post("/graphql", json=body)).json()["data"]] == [expected]


@pytest.mark.sqlite_only
async def test_only_complete_answers_to_queries_are_remembered(bare_server: Server):
    """A change is made each time that it is asked for, and an error is checked and logged each time."""
    sync_id = await bare_server.start_sync()
    await bare_server.until_ended(sync_id)
    await bare_server.ask(CANCEL, id=sync_id)
    await bare_server.ask(STATUS, id="sync_nobody_20241222_143022")
    assert "errors" in (await bare_server.http.post("/graphql", json={"query": "{ nothing }"})).json()
    assert (await bare_server.http.get("/api/v1/sync/status/sync_nobody_20241222_143022")).status_code == 404
    assert (await bare_server.http.get(f"/api/v1/sync/history/{ORGANIZATION}?limit=x")).status_code == 422
    assert len(bare_server.services.remembered) == 0


@pytest.mark.sqlite_only
async def test_an_organization_at_its_limit_waits_for_its_turn(bare_server: Server):
    """An answer in memory is no way around the limit of operations."""
    sync_id = await bare_server.start_sync()
    await bare_server.until_ended(sync_id)
    asked = _requests(bare_server, sync_id)
    admission = bare_server.services.admission
    turns = [admission.turn(ORGANIZATION) for _ in range(bare_server.settings.max_operations)]
    for name in ("status", "syncStatus"):
        assert (await asked[name]()).status_code == 200
    for turn in turns:
        await turn.__aenter__()
    try:
        for name in ("status", "syncStatus"):
            assert (await asked[name]()).status_code == 429
    finally:
        for turn in turns:
            await turn.__aexit__(None, None, None)
    assert (await asked["status"]()).status_code == 200
