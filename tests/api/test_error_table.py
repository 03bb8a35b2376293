"""Each row of the table of errors, triggered over real HTTP and a real websocket, in GraphQL and REST."""

import ast
import asyncio
import importlib
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from routiq_gql.api import graphql as graphql_api
from routiq_gql.api.auth import Credentials, authentication
from routiq_gql.api.errors import GRAPHQL_CODES, OUTCOMES
from routiq_gql.api.graphql.error_codes import ErrorCode
from routiq_gql.clock import utc_now
from routiq_gql.errors import DatabaseAway, RoutiqError
from routiq_gql.runtime import Runtime
from routiq_gql.security.viewer import Viewer
from routiq_gql.sync.service import SyncService
from tests.graphql_documents import (
    CANCEL,
    CHANGE_WEBHOOK,
    DASHBOARD,
    HISTORY,
    LOG,
    PROGRESS,
    REPEAT_DELIVERY,
    START,
    STATUS,
    UPDATES,
    WEBHOOKS,
)
from tests.server import Server, open_socket
from tests.webhooks.stored import DELIVERY_ID, WEBHOOK_ID, stored_webhook

SECRET = "Annabel Nguyen, 0400 111 222"
UNKNOWN = "sync_nobody_20241222_143022"
WITH_TOKENS = {"ISSUER_AWAY"}
"""Rows that need authentication; its tests trigger them."""
WITH_BODIES = {"BODY_TOO_LARGE"}
"""Rows that need a body; the tests of webhooks trigger them."""
AT_START_OR_IN_PAYLOADS = {"SETTINGS", "CONNECTION_PROBLEM"}
"""Errors that end a command, or that are part of a mutation's payload."""

PACKAGES = Path(graphql_api.__file__).parents[3]

Prepare = Callable[[Server, pytest.MonkeyPatch], Any]


def _as_is(_server: Server, _monkeypatch: pytest.MonkeyPatch) -> None:
    pass


def _as_another_organization(_server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        authentication, "_operator_at", lambda address: Credentials(Viewer("org_other", address=address))
    )


def _after_one_start(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    one = server.runtime.settings.model_copy(update={"starts_per_minute": 1})
    monkeypatch.setattr(server.runtime.syncs, "_settings", one)


async def _with_a_broken_database(server: Server, _monkeypatch: pytest.MonkeyPatch) -> None:
    await server.break_database()


def _with_an_absent_server(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    @asynccontextmanager
    async def away(_options: object) -> AsyncIterator[None]:
        raise DatabaseAway("The database can't be reached at the moment.")
        yield

    monkeypatch.setattr(server.runtime.database, "_transaction", away)


def _with_endless_reads(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    async def endless(*_: object, **__: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(SyncService, "status", endless)
    monkeypatch.setattr(server.services.admission, "_seconds", 0.05)


def _with_a_fault_of_ours(_server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise LookupError(SECRET)

    for method in ("status", "dashboard", "follow_progress", "follow_dashboard", "follow_log"):
        monkeypatch.setattr(SyncService, method, broken)


async def _with_a_disabled_webhook(server: Server, _monkeypatch: pytest.MonkeyPatch) -> None:
    await stored_webhook(server.runtime.database, "org_1", disabled_at=utc_now(), disabled_reason="It failed.")


def _with_a_dead_engine(_server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Runtime, "is_working", False)


@dataclass(frozen=True)
class Row:
    """How a code is triggered: over REST, and with operations over GraphQL's two transports."""

    code: str
    title: str
    prepare: Prepare = _as_is
    rest: list[tuple[str, str]] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    operations: list[tuple[str, dict[str, object]]] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{self.code}: {self.title}"


SYNCS = "/api/v1/sync"
HOOKS = "/api/v1/webhooks"
ROWS = [
    Row(
        "BAD_USER_INPUT",
        "out of range or of a wrong form",
        rest=[
            ("GET", f"{SYNCS}/history/org_1?limit=0"),
            ("GET", f"{SYNCS}/history/org_1?limit=101"),
            ("GET", f"{SYNCS}/history/org_1?limit=%3Cb%3E"),
            ("GET", f"{SYNCS}/history/org_1?after=%3Cimg%20src%3Dx%3E"),
            ("GET", f"{SYNCS}/history/org_1?status=%3Cb%3E"),
            ("GET", f"{SYNCS}/dashboard/%3Cb%3E"),
            ("POST", f"{SYNCS}/start/{'x' * 65}"),
        ],
        operations=[
            (HISTORY, {"id": "org_1", "limit": 0}),
            (HISTORY, {"id": "org_1", "after": "no cursor"}),
            (DASHBOARD, {"id": "<b>"}),
            (START, {"id": "x" * 65}),
            (UPDATES, {"id": "<b>"}),
        ],
    ),
    Row(
        "SYNC_NOT_FOUND",
        "unknown",
        rest=[
            ("GET", f"{SYNCS}/status/{UNKNOWN}"),
            ("GET", f"{SYNCS}/stream/{UNKNOWN}"),
            ("DELETE", f"{SYNCS}/cancel/{UNKNOWN}"),
            ("GET", f"{SYNCS}/status/%3Cb%3E"),
        ],
        operations=[(document, {"id": UNKNOWN}) for document in (STATUS, CANCEL, PROGRESS, LOG)],
    ),
    Row(
        "SYNC_NOT_FOUND",
        "another organization's sync",
        prepare=_as_another_organization,
        rest=[
            ("GET", f"{SYNCS}/status/{{sync_id}}"),
            ("GET", f"{SYNCS}/stream/{{sync_id}}"),
            ("DELETE", f"{SYNCS}/cancel/{{sync_id}}"),
        ],
        operations=[(document, {"id": "{sync_id}"}) for document in (STATUS, CANCEL, PROGRESS, LOG)],
    ),
    Row(
        "WEBHOOK_NOT_FOUND",
        "unknown",
        rest=[
            ("GET", f"{HOOKS}/org_1/{WEBHOOK_ID}"),
            ("DELETE", f"{HOOKS}/org_1/%3Cb%3E"),
            ("POST", f"{HOOKS}/org_1/{WEBHOOK_ID}/secret"),
            ("POST", f"{HOOKS}/org_1/deliveries/{DELIVERY_ID}/repeat"),
        ],
        operations=[
            (CHANGE_WEBHOOK, {"id": "org_1", "webhook": WEBHOOK_ID}),
            (REPEAT_DELIVERY, {"id": "org_1", "delivery": DELIVERY_ID}),
        ],
    ),
    Row(
        "WEBHOOK_REFUSED",
        "a disabled webhook",
        prepare=_with_a_disabled_webhook,
        rest=[
            ("POST", f"{HOOKS}/org_1/{WEBHOOK_ID}/test"),
            ("POST", f"{HOOKS}/org_1/deliveries/{DELIVERY_ID}/repeat"),
        ],
    ),
    Row(
        "FORBIDDEN",
        "another organization",
        prepare=_as_another_organization,
        rest=[
            ("POST", f"{SYNCS}/start/org_1"),
            ("GET", f"{SYNCS}/dashboard/org_1"),
            ("GET", f"{SYNCS}/history/org_1"),
            ("GET", f"{HOOKS}/org_1"),
        ],
        operations=[(document, {"id": "org_1"}) for document in (START, DASHBOARD, HISTORY, UPDATES, WEBHOOKS)],
    ),
    Row("UNAUTHENTICATED", "a stream token that is none", rest=[("GET", f"{SYNCS}/stream/{{sync_id}}?token=none")]),
    Row(
        "RATE_LIMITED",
        "one start too many",
        prepare=_after_one_start,
        rest=[("POST", f"{SYNCS}/start/org_1")],
        operations=[(START, {"id": "org_1"})],
    ),
    Row(
        "NOT_LOCAL",
        "a proxy that serves others",
        rest=[("GET", f"{SYNCS}/dashboard/org_1"), ("POST", "/graphql"), ("GET", "/metrics")],
        headers={"X-Forwarded-For": "203.0.113.5"},
    ),
    Row(
        "STORAGE",
        "the database can't be used",
        prepare=_with_a_broken_database,
        rest=[
            ("GET", f"{SYNCS}/status/{{sync_id}}"),
            ("GET", f"{SYNCS}/dashboard/org_1"),
            ("POST", f"{SYNCS}/start/org_1"),
        ],
        operations=[(STATUS, {"id": "{sync_id}"}), (START, {"id": "org_1"}), (PROGRESS, {"id": "{sync_id}"})],
    ),
    Row(
        "DATABASE_AWAY",
        "the database server can't be reached",
        prepare=_with_an_absent_server,
        rest=[
            ("GET", f"{SYNCS}/status/{{sync_id}}"),
            ("GET", f"{SYNCS}/stream/{{sync_id}}"),
            ("GET", f"{SYNCS}/dashboard/org_1"),
            ("POST", f"{SYNCS}/start/org_1"),
        ],
        operations=[(STATUS, {"id": "{sync_id}"}), (START, {"id": "org_1"}), (PROGRESS, {"id": "{sync_id}"})],
    ),
    Row(
        "INTERNAL",
        "a fault of ours",
        prepare=_with_a_fault_of_ours,
        rest=[("GET", f"{SYNCS}/status/{{sync_id}}"), ("GET", f"{SYNCS}/dashboard/org_1")],
        operations=[(STATUS, {"id": "{sync_id}"}), (DASHBOARD, {"id": "org_1"}), (UPDATES, {"id": "org_1"})],
    ),
    Row("NOT_READY", "the engine", prepare=_with_a_dead_engine, rest=[("GET", "/readyz")]),
    Row("NOT_READY", "the database", prepare=_with_a_broken_database, rest=[("GET", "/readyz")]),
    Row(
        "NOT_FOUND",
        "no such address",
        rest=[("GET", "/nowhere"), ("GET", f"{SYNCS}/nowhere/org_1"), ("GET", "/%3Cb%3E"), ("GET", f"{SYNCS}/")],
    ),
    Row(
        "METHOD_NOT_ALLOWED",
        "other methods are",
        rest=[
            ("GET", f"{SYNCS}/start/org_1"),
            ("POST", f"{SYNCS}/status/x"),
            ("POST", f"{SYNCS}/cancel/x"),
            ("PUT", "/healthz"),
            ("POST", "/"),
        ],
    ),
    Row(
        "HOST_NOT_ALLOWED",
        "a foreign name",
        rest=[("GET", f"{SYNCS}/dashboard/org_1"), ("POST", "/graphql"), ("GET", "/metrics"), ("GET", "/nowhere")],
        headers={"Host": "evil.example"},
    ),
    Row(
        "ORIGIN_NOT_ALLOWED",
        "a page elsewhere",
        rest=[("POST", f"{SYNCS}/start/org_1"), ("DELETE", f"{SYNCS}/cancel/x"), ("POST", "/graphql")],
        headers={"Origin": "https://evil.example"},
    ),
    Row(
        "CROSS_SITE",
        "a page elsewhere, blindly",
        rest=[("GET", f"{SYNCS}/dashboard/org_1"), ("GET", "/graphql?query={__typename}"), ("GET", "/")],
        headers={"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"},
    ),
    Row(
        "TOOK_TOO_LONG",
        "a read at the time limit",
        prepare=_with_endless_reads,
        rest=[("GET", f"{SYNCS}/status/{{sync_id}}"), ("GET", f"{SYNCS}/stream/{{sync_id}}")],
        operations=[(STATUS, {"id": "{sync_id}"}), (PROGRESS, {"id": "{sync_id}"})],
    ),
    Row("BAD_REQUEST", "not to be read", operations=[("{ a: }", {}), ("{ nothing }", {}), (STATUS, {})]),
]


def test_every_row_is_triggered():
    """The test covers every row of the table, and the table has all our errors."""
    assert {row.code for row in ROWS} == OUTCOMES.keys() - WITH_TOKENS - WITH_BODIES
    assert {outcome.graphql_code for outcome in OUTCOMES.values()} - {None} == set(GRAPHQL_CODES)

    def codes(error: type[RoutiqError]) -> set[str]:
        return {error.code}.union(*map(codes, error.__subclasses__()))

    assert codes(RoutiqError) - AT_START_OR_IN_PAYLOADS <= OUTCOMES.keys()


def _written_codes() -> dict[str, str]:
    """Each ``"code": …`` that GraphQL's modules write into a dict, except those of the table, by its place."""
    found = {}
    for module in sorted(Path(graphql_api.__file__).parent.rglob("*.py")):
        name = ".".join(module.relative_to(PACKAGES).with_suffix("").parts).removesuffix(".__init__")
        for node in ast.walk(ast.parse(module.read_text())):
            for key, value in zip(node.keys, node.values, strict=True) if isinstance(node, ast.Dict) else ():
                if not isinstance(key, ast.Constant) or key.value != "code":
                    continue
                written = ast.unparse(value)
                if not written.endswith(".graphql_code"):
                    found[f"{name}:{node.lineno}"] = str(eval(written, vars(importlib.import_module(name))))
    return found


def test_the_schema_lists_every_code_of_an_error():
    """A client's program can branch on all codes that there are: a new one needs a value of ``ErrorCode``."""
    listed, written = {code.name for code in ErrorCode}, _written_codes()
    assert len(written) >= 3
    assert {place: code for place, code in written.items() if code not in listed} == {}
    assert listed == set(GRAPHQL_CODES) | set(written.values())


def _on_its_database(row: Row) -> Any:
    """Only a file can be damaged in this way."""
    marks = [pytest.mark.sqlite_only] if row.prepare is _with_a_broken_database else []
    return pytest.param(row, marks=marks, id=str(row))


@pytest.mark.parametrize("row", [_on_its_database(row) for row in ROWS])
async def test_every_api_returns_the_row_of_the_table(bare_server: Server, monkeypatch: pytest.MonkeyPatch, row: Row):
    """Status, code and sentence equal those of the table, over every transport."""
    sync_id = await bare_server.start_sync("org_1")
    await bare_server.until_ended(sync_id)
    prepared = row.prepare(bare_server, monkeypatch)
    if prepared is not None:
        await prepared
    with capture_logs() as logs:
        for method, path in row.rest:
            target = path.replace("{sync_id}", sync_id)
            _check_problem(await bare_server.http.request(method, target, headers=row.headers), row)
        for document, variables in row.operations:
            filled = {name: sync_id if value == "{sync_id}" else value for name, value in variables.items()}
            _check_error(await _over_http(bare_server, document, filled), row)
            _check_error(await _over_socket(bare_server, document, filled), row)
    told = [line for line in logs if line["event"] == "request_failed"]
    is_shown = OUTCOMES[row.code].is_shown
    assert len(told) == (0 if is_shown else len(row.rest) + 2 * len(row.operations)), "only faults are logged, once"
    assert SECRET not in str(logs)


async def _over_http(server: Server, document: str, variables: dict[str, object]) -> dict[str, Any]:
    """The error of an operation; a subscription is read as an event stream."""
    headers = {"Accept": "text/event-stream"} if document.startswith("subscription") else {}
    answer = await server.http.post("/graphql", json={"query": document, "variables": variables}, headers=headers)
    if headers:
        lines = (line.removeprefix("data: ") for line in answer.text.split("\n") if line.startswith("data: {"))
        return dict(json.loads(next(lines))["errors"][0])
    return dict(answer.json()["errors"][0])


async def _over_socket(server: Server, document: str, variables: dict[str, object]) -> dict[str, Any]:
    async with open_socket(server) as socket:
        await socket.subscribe(document, **variables)
        frame = await socket.receive()
    errors = frame["payload"] if frame["type"] == "error" else frame["payload"]["errors"]
    return dict(errors[0])


def _check_problem(answer: httpx.Response, row: Row) -> None:
    outcome, body = OUTCOMES[row.code], answer.json()
    assert answer.status_code == outcome.http_status
    assert answer.headers["content-type"] == "application/problem+json"
    assert list(body) == ["type", "title", "detail", "code"] + ([] if outcome.is_shown else ["reference"])
    assert (body["title"], body["code"]) == (outcome.title, row.code)
    assert outcome.sentence is None or body["detail"] == outcome.sentence
    assert all(isinstance(value, str) and value for value in body.values()), "no number that a page could show"
    _check_text(answer.text)
    if outcome.http_status == 405:
        allowed = set(answer.headers["allow"].split(", "))
        assert allowed <= {"GET", "HEAD", "POST", "DELETE"}
        assert answer.request.method not in allowed


def _check_error(error: dict[str, Any], row: Row) -> None:
    assert error["extensions"]["code"] == OUTCOMES[row.code].graphql_code
    assert error["message"]
    assert ("reference" in error["extensions"]) is not OUTCOMES[row.code].is_shown
    _check_text(json.dumps(error))


def _check_text(text: str) -> None:
    """No markup, no text of an exception, no path on the server."""
    assert "<" not in text
    for private in (SECRET, "Annabel", "Traceback", "LookupError", "sqlite", "routiq.db", str(Path.cwd())):
        assert private not in text


@pytest.mark.parametrize("body", ["{", "", "3", "null", "[]", '{"query": 3}', "<b>", "\x00"])
async def test_malformed_json_is_a_bad_request(bare_server: Server, body: str):
    """A malformed body gets 400 with a reason that repeats nothing of it."""
    answer = await bare_server.http.post("/graphql", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == OUTCOMES["BAD_REQUEST"].http_status == 400
    (error,) = answer.json()["errors"]
    _check_error(error, next(row for row in ROWS if row.code == "BAD_REQUEST"))


async def test_a_wrong_method_for_graphql(bare_server: Server):
    """The response has GraphQL's form, and a header with the allowed methods."""
    answer = await bare_server.http.delete("/graphql")
    outcome = OUTCOMES["METHOD_NOT_ALLOWED"]
    assert (answer.status_code, answer.headers["allow"]) == (outcome.http_status, "GET, POST")
    assert answer.json()["errors"][0]["extensions"]["code"] == outcome.graphql_code


async def test_a_body_that_no_rest_route_reads_does_no_harm(bare_server: Server):
    """Documented clients send an empty object, which is ignored."""
    for body in ("{}", "{", ""):
        headers = {"Content-Type": "application/json"}
        answer = await bare_server.http.post("/api/v1/sync/start/org_1", content=body, headers=headers)
        assert answer.status_code == 200
