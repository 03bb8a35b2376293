"""Trusted documents on every transport, beside other documents and instead of them."""

import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from routiq_gql.api.body import MAX_BODY_BYTES
from routiq_gql.api.graphql.limits import MAX_QUERY_CHARACTERS
from routiq_gql.api.graphql.trusted.documents import TrustedDocuments
from routiq_gql.api.graphql.trusted.manifests import OWN
from routiq_gql.emulator import EMULATED_API_KEY
from routiq_gql.settings import Settings
from tests.emulated_cliniko import Cliniko
from tests.graphql_documents import PROGRESS
from tests.organization import ORGANIZATION
from tests.server import Server, open_socket

AVAILABLE = "query Available($id: ID!) { dashboard(organizationId: $id) { organizationId syncAvailable } }"
START = "mutation Start($id: ID!) { startSync(organizationId: $id) { organizationId } }"
WATCH = "subscription Watch($id: ID!) { dashboardUpdated(organizationId: $id) { organizationId } }"
TWO = "query First { __typename } query Second { second: __typename }"
TRUSTED = {"available": AVAILABLE, "start": START, "progress": PROGRESS, "two": TWO, "watch": WATCH}
VARIABLES = {"id": ORGANIZATION}
UNKNOWN = {"message": "PersistedQueryNotSupported", "extensions": {"code": "PERSISTED_QUERY_NOT_SUPPORTED"}}
MULTIPART = "multipart/mixed;boundary=graphql;subscriptionSpec=1.0,application/json"
INTROSPECTION = "{ __schema { types { name } } }"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def naming(text: str, key: str) -> list[dict[str, Any]]:
    """All requests that name a document."""
    digest = _digest(text)
    return [
        {"documentId": key},
        {"documentId": digest},
        {"documentId": f"sha256:{digest}"},
        {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": digest}}},
        {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": key}}},
        {"query": "", "documentId": key},
        {"documentId": "unknown", "extensions": {"persistedQuery": {"version": 1, "sha256Hash": digest}}},
    ]


@asynccontextmanager
async def trusting(
    settings: Settings, folder: Path, cliniko: Cliniko | None = None, **values: Any
) -> AsyncIterator[Server]:
    """A server with the manifest ``TRUSTED``."""
    (manifest := folder / "documents of the app.json").write_text(json.dumps(TRUSTED))
    changed = settings.model_copy(update={"documents": (str(manifest),), **values})
    async with Server(changed) as server:
        if cliniko is not None:
            await server.connect_organization(cliniko.base_url, EMULATED_API_KEY)
        yield server


def _parameters(request: dict[str, Any]) -> dict[str, str]:
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in request.items() if value}


def _event(text: str) -> Any:
    return json.loads(next(line for line in text.split("\n") if line.startswith("data: {")).removeprefix("data: "))


def _part(text: str) -> Any:
    bodies = [json.loads(line) for line in text.split("\r\n") if line.startswith("{")]
    return next(body["payload"] for body in bodies if body)


@pytest.mark.parametrize("is_only", [False, True])
async def test_each_id_is_executed_on_every_transport(settings: Settings, tmp_path: Path, is_only: bool):
    """By its key and by its hash, a document is executed over POST, GET, event streams, multipart and websockets."""
    async with trusting(settings, tmp_path, documents_only=is_only) as server:
        expected = {"data": {"dashboard": {"organizationId": ORGANIZATION, "syncAvailable": False}}}
        for request in naming(AVAILABLE, "available"):
            request = {**request, "variables": VARIABLES}
            assert (await server.http.post("/graphql", json=request)).json() == expected, request
            got = await server.http.get("/graphql", params=_parameters(request), headers={"Accept": "text/html, */*"})
            assert got.json() == expected, request
            assert got.headers["cache-control"] == "private, no-store"
            assert "Authorization" in got.headers["vary"]
            streamed = await server.http.post("/graphql", json=request, headers={"Accept": "text/event-stream"})
            assert _event(streamed.text) == expected
            async with open_socket(server) as socket:
                await socket.send({"id": "1", "type": "subscribe", "payload": request})
                assert await socket.results() == [expected]


async def test_a_subscription_is_executed_by_each_id_over_multipart_and_event_streams(
    settings: Settings, tmp_path: Path
):
    """The first event of a subscription arrives by each id."""
    expected = {"data": {"dashboardUpdated": {"organizationId": ORGANIZATION}}}
    async with trusting(settings, tmp_path) as server:
        for request in naming(WATCH, "watch"):
            for accept in (MULTIPART, "text/event-stream"):
                async with server.http.stream(
                    "POST", "/graphql", json={**request, "variables": VARIABLES}, headers={"Accept": accept}
                ) as answer:
                    lines = (line.removeprefix("data: ") async for line in answer.aiter_lines())
                    first = await anext(json.loads(line) async for line in lines if line.startswith('{"'))
                assert first.get("payload", first) == expected, (request, accept)


async def test_a_subscription_by_its_id_follows_a_sync(settings: Settings, tmp_path: Path, cliniko: Cliniko):
    """Two watchers of a sync, one by id and one by text, see the same states to its end."""
    async with trusting(settings, tmp_path, cliniko) as server:
        cliniko.gate.hold("patients")
        sync_id = await server.start_sync()
        await cliniko.gate.reached()
        async with open_socket(server) as by_id, open_socket(server) as by_text:
            payload = {"documentId": "progress", "variables": {"id": sync_id}}
            await by_id.send({"id": "1", "type": "subscribe", "payload": payload})
            await by_text.subscribe(PROGRESS, id=sync_id)
            assert await by_id.receive() == await by_text.receive()
            cliniko.gate.open()
            assert (await by_id.results())[-1] == (await by_text.results())[-1]


async def test_a_query_by_its_id_is_never_a_mutation_over_get(settings: Settings, tmp_path: Path):
    """A mutation is refused over GET, by its id as by its text."""
    async with trusting(settings, tmp_path) as server:
        request = {"documentId": "start", "variables": VARIABLES}
        answer = await server.http.get("/graphql", params=_parameters(request))
        assert "errors" in answer.json()
        assert (await server.http.get(f"/api/v1/sync/history/{ORGANIZATION}")).json()["total_syncs"] == 0
        assert (await server.http.post("/graphql", json=request)).json() == {
            "data": {"startSync": {"organizationId": ORGANIZATION}}
        }


async def test_a_document_with_several_operations_needs_a_name(settings: Settings, tmp_path: Path):
    """The name of the operation is sent beside the id, as with a text."""
    async with trusting(settings, tmp_path) as server:
        for name, expected in (("Second", {"second": "Query"}), ("First", {"__typename": "Query"})):
            answer = await server.http.post("/graphql", json={"documentId": "two", "operationName": name})
            assert answer.json() == {"data": expected}
        unnamed = (await server.http.post("/graphql", json={"documentId": "two"})).json()
        assert "several operations" in unnamed["errors"][0]["message"]


async def test_answers_by_id_are_remembered_and_change_with_the_database(
    settings: Settings, tmp_path: Path, cliniko: Cliniko
):
    """Repeated requests by id get the present state, also where the encoded answer comes from memory."""
    query = "query Total($id: ID!) { history(organizationId: $id) { totalSyncs } }"
    (manifest := tmp_path / "total.json").write_text(json.dumps({"total": query}))
    async with trusting(settings, tmp_path, cliniko, documents=(str(manifest),)) as server:
        for total in (0, 1):
            for _ in range(3):
                for answer in (
                    await server.http.post("/graphql", json={"documentId": "total", "variables": VARIABLES}),
                    await server.http.get(
                        "/graphql", params={"documentId": "total", "variables": json.dumps(VARIABLES)}
                    ),
                ):
                    assert answer.json() == {"data": {"history": {"totalSyncs": total}}}
                    if answer.request.method == "GET":
                        assert answer.headers["cache-control"] == "private, no-store"
            await server.until_ended(await server.start_sync())


async def test_unknown_ids_are_answered_as_without_trusted_documents(settings: Settings, tmp_path: Path):
    """An unknown id gets the error on which clients fall back to the text, in both modes."""
    wrong = [
        {"documentId": "Available"},
        {"documentId": _digest(AVAILABLE).upper()},
        {"documentId": f"sha1:{_digest(AVAILABLE)}"},
        {"documentId": f"sha256:{_digest('other')}"},
        {"documentId": "sha256:available"},
        {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": ["available"]}}},
        {"extensions": {"persistedQuery": "available"}},
    ]
    for is_only in (False, True):
        async with trusting(settings, tmp_path, documents_only=is_only) as server:
            for request in wrong:
                assert (await server.http.post("/graphql", json=request)).json() == {"errors": [UNKNOWN]}, request
                got = await server.http.get("/graphql", params=_parameters(request))
                assert got.json() == {"errors": [UNKNOWN]}


async def test_only_trusted_documents_are_executed(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Any other text is refused before it is parsed, on every transport; a trusted text is executed."""
    parsed: list[str] = []
    refused = [
        "{ __typename }",
        INTROSPECTION,
        f"{AVAILABLE} ",
        AVAILABLE.replace("syncAvailable", "id"),
        "{",
        "query IntrospectionQuery { __schema { queryType { name } } }",
    ]
    async with trusting(settings, tmp_path, documents_only=True) as server:
        from routiq_gql.api.graphql import documents  # noqa: PLC0415 - patched below

        real = documents.parse

        def noting(text: str, **options: Any) -> Any:
            parsed.append(text)
            return real(text, **options)

        monkeypatch.setattr(documents, "parse", noting)
        for text in refused:
            for extra in ({}, {"documentId": "available"}, {"documentId": f"sha256:{_digest(AVAILABLE)}"}):
                request = {"query": text, "variables": VARIABLES, **extra}
                plain = await server.http.post("/graphql", json=request)
                newer = await server.http.post(
                    "/graphql", json=request, headers={"Accept": "application/graphql-response+json"}
                )
                assert (plain.status_code, newer.status_code) == (200, 400)
                got = await server.http.get("/graphql", params=_parameters(request))
                stream = await server.http.post("/graphql", json=request, headers={"Accept": "text/event-stream"})
                parts = await server.http.post("/graphql", json=request, headers={"Accept": MULTIPART})
                async with open_socket(server) as socket:
                    await socket.send({"id": "1", "type": "subscribe", "payload": request})
                    frame = await socket.receive()
                    assert (frame["id"], frame["type"]) == ("1", "error")
                    known = {"id": "2", "type": "subscribe", "payload": {"query": AVAILABLE, "variables": VARIABLES}}
                    await socket.send(known)  # the socket stays open
                    assert (await socket.results("2"))[0]["data"]["dashboard"]["organizationId"] == ORGANIZATION
                for errors in (
                    plain.json()["errors"],
                    newer.json()["errors"],
                    got.json()["errors"],
                    _event(stream.text)["errors"],
                    _part(parts.text)["errors"],
                    frame["payload"],
                ):
                    assert errors[0]["extensions"]["code"] == "DOCUMENT_NOT_TRUSTED"
                    assert "ROUTIQ_DOCUMENTS" in errors[0]["message"]
        assert set(parsed) <= {AVAILABLE}


async def test_graphiql_and_introspection_are_off_with_trusted_documents_only(settings: Settings, tmp_path: Path):
    """A browser gets no GraphiQL, and a trusted document can't read the schema."""
    (manifest := tmp_path / "introspection.json").write_text(json.dumps({"schema": INTROSPECTION}))
    async with trusting(settings, tmp_path, documents_only=True, documents=(str(manifest),)) as server:
        page = await server.http.get("/graphql", headers={"Accept": "text/html"})
        assert page.status_code == 400
        assert (await server.http.get("/graphiql/graphiql.min.js")).status_code == 404
        answer = (await server.http.post("/graphql", json={"documentId": "schema"})).json()
        assert "introspection" in answer["errors"][0]["message"].lower()


async def test_own_documents_are_always_trusted(settings: Settings, tmp_path: Path):
    """The documents of the page, the element and the React component are executed where only trusted ones are."""
    own = json.loads(OWN.read_text())
    async with trusting(settings, tmp_path, documents_only=True, documents=()) as server:
        for digest, text in own.items():
            assert digest == _digest(text)
            answer = (await server.http.post("/graphql", json={"query": text, "variables": {}})).json()
            refusals = {error["extensions"]["code"] for error in answer.get("errors", ())}
            assert refusals <= {"BAD_USER_INPUT"}, "nearly all miss their variables"


async def test_a_large_body_with_an_id_is_not_read(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A body of 1.2 MB is refused by its length, also if it has the id of a trusted document."""
    from routiq_gql.api.graphql import view  # noqa: PLC0415 - patched below

    read: list[str] = []
    monkeypatch.setattr(view, "read_json", lambda data: read.append("read"))
    body = json.dumps({"documentId": "available", "variables": VARIABLES, "query": "#" * 1_200_000}).encode()
    assert len(body) > MAX_BODY_BYTES
    async with trusting(settings, tmp_path) as server:
        answer = await server.http.post("/graphql", content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code == 413
    assert read == []


async def test_a_long_text_beside_an_id_is_refused(settings: Settings, tmp_path: Path):
    """The limit on a text holds for a text that is sent, whatever it names beside it."""
    request = {"query": "#" * (MAX_QUERY_CHARACTERS + 1), "documentId": "available", "variables": VARIABLES}
    async with trusting(settings, tmp_path) as server:
        assert (await server.http.post("/graphql", json=request)).status_code == 413
        async with open_socket(server) as socket:
            await socket.send({"id": "1", "type": "subscribe", "payload": request})
            frame = await socket.receive()
    assert (frame["type"], frame["payload"][0]["extensions"]["code"]) == ("error", "BAD_USER_INPUT")


async def test_a_trusted_document_needs_a_token_too(settings: Settings, tmp_path: Path):
    """An id names a document, not a right: without a token every request is refused alike."""
    values = {"auth": "token", "tokens_file": str(tmp_path / "tokens"), "allowed_hosts": ("127.0.0.1",)}
    async with trusting(settings, tmp_path, documents_only=True, **values) as server:
        for request in ({"documentId": "available"}, {"documentId": "unknown"}, {"query": "{ __typename }"}):
            answers = (
                await server.http.post("/graphql", json={**request, "variables": VARIABLES}),
                await server.http.get("/graphql", params=_parameters({**request, "variables": VARIABLES})),
            )
            for answer in answers:
                assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (
                    401,
                    "UNAUTHENTICATED",
                )


def test_a_document_of_two_clients_is_trusted_once(tmp_path: Path):
    """Two manifests may have the same document under different keys, and the same key for the same text."""
    for name, key in (("a", "one"), ("b", "two"), ("c", "one")):
        (tmp_path / name).write_text(json.dumps({key: AVAILABLE}))
    documents = TrustedDocuments([str(tmp_path / name) for name in "abc"])
    assert len(documents) == len(TrustedDocuments()) + 1
    assert documents.document_of({"documentId": "one"}) == documents.document_of({"documentId": "two"}) == AVAILABLE
