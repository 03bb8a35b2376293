"""Requests that name a document that the server does not know, on every transport."""

import hashlib
import json
from pathlib import Path
from typing import Any

from routiq_gql.settings import Settings
from tests.emulated_cliniko import Cliniko
from tests.graphql_documents import PROGRESS
from tests.server import Server, open_socket

QUERY = "{ __typename }"
TYPE_NAME = {"data": {"__typename": "Query"}}
ERROR = {"message": "PersistedQueryNotSupported", "extensions": {"code": "PERSISTED_QUERY_NOT_SUPPORTED"}}
HASH = hashlib.sha256(QUERY.encode()).hexdigest()
PERSISTED = {"persistedQuery": {"version": 1, "sha256Hash": HASH}}

NAMING: list[dict[str, Any]] = [
    {"extensions": PERSISTED},
    {"extensions": PERSISTED, "query": None},
    {"extensions": PERSISTED, "query": ""},
    {"extensions": PERSISTED, "operationName": "A", "variables": {"id": "org_1"}},
    {"extensions": {**PERSISTED, "clientLibrary": {"name": "@apollo/client"}}, "operationName": ""},
    {"extensions": {"persistedQuery": {"version": 2}}},
    {"extensions": {"persistedQuery": HASH}},
    {"documentId": f"sha256:{HASH}"},
    {"documentId": "custom", "query": "", "variables": None},
]
NEITHER: list[dict[str, Any]] = [
    {},
    {"query": None},
    {"variables": {}},
    {"extensions": {}},
    {"extensions": {"persistedQuery": None}},
    {"extensions": {"tracing": True}},
    {"documentId": ""},
    {"documentId": None},
    {"documentId": 3},
]
UNREADABLE: list[dict[str, Any]] = [
    {"extensions": "persistedQuery"},
    {"extensions": [PERSISTED]},
    {"extensions": 1, "documentId": "x"},
    {"query": 3, "extensions": PERSISTED},
    {"query": [], "documentId": "x"},
    {"extensions": PERSISTED, "variables": []},
    {"extensions": PERSISTED, "operationName": 1},
]
ACCEPTED = [
    "*/*",
    "application/json",
    "application/graphql-response+json",
    "application/graphql-response+json,application/json;q=0.9",
    "application/graphql-response+json, application/graphql+json, application/json, text/event-stream, multipart/mixed",
]


def _parameters(request: dict[str, Any]) -> dict[str, str]:
    """The same request for GET."""
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in request.items() if value}


async def test_a_client_that_sends_an_unknown_hash_is_asked_for_the_text(bare_server: Server):
    """A request with a hash gets the error on which clients send the text and stop using hashes."""
    for request in NAMING:
        for accept in ACCEPTED:
            headers = {"Accept": accept}
            for answer in (
                await bare_server.http.post("/graphql", json=request, headers=headers),
                await bare_server.http.get("/graphql", params=_parameters(request), headers=headers),
            ):
                assert (answer.status_code, answer.json()) == (200, {"errors": [ERROR]}), (request, accept)
                is_get = answer.request.method == "GET"
                assert answer.headers["cache-control"] == ("private, no-store" if is_get else "no-store")
                assert ("Authorization" in answer.headers.get("vary", "")) is is_get
                wanted = "application/graphql-response+json" if "response+json" in accept else "application/json"
                assert answer.headers["content-type"].startswith(wanted)


async def test_a_stream_asks_for_the_text_too(bare_server: Server):
    """An event stream or multipart response holds only the error, and ends."""
    for request in NAMING:
        posted = await bare_server.http.post("/graphql", json=request, headers={"Accept": "text/event-stream"})
        assert posted.status_code == 200
        # urql must know that nothing follows, or it shows the error to the page.
        assert _event(posted.text) == {"errors": [ERROR], "hasNext": False}
        assert posted.text.count("event: ") == 2
        assert "event: complete" in posted.text
        accept = {"Accept": "multipart/mixed;boundary=graphql;subscriptionSpec=1.0,application/json"}
        parts = (await bare_server.http.post("/graphql", json=request, headers=accept)).text
        bodies = [json.loads(line) for line in parts.split("\r\n") if line.startswith("{")]
        assert [body for body in bodies if body] == [{"payload": {"errors": [ERROR]}}]
        assert parts.endswith("--graphql--\r\n")


def _event(text: str) -> Any:
    (line,) = (line for line in text.split("\n") if line.startswith("data: {"))
    return json.loads(line.removeprefix("data: "))


async def test_a_text_is_executed_whatever_is_named_beside_it(bare_server: Server):
    """A fallback client sends both; nothing is stored under the hash, so a wrong hash does no harm."""
    for digest in (HASH, "0" * 64, "", None, 3):
        extensions = {"persistedQuery": {"version": 1, "sha256Hash": digest}}
        request = {"query": QUERY, "documentId": digest, "extensions": extensions}
        assert (await bare_server.http.post("/graphql", json=request)).json() == TYPE_NAME
        assert (await bare_server.http.get("/graphql", params=_parameters(request))).json() == TYPE_NAME
        async with open_socket(bare_server) as socket:
            await socket.send({"id": "1", "type": "subscribe", "payload": request})
            assert await socket.results() == [TYPE_NAME]


async def test_a_request_without_any_document_is_still_a_mistake(bare_server: Server):
    """A request without a readable document gets 400 with a sentence."""
    for request in NEITHER + UNREADABLE:
        for accept in ("application/json", "application/graphql-response+json", "text/event-stream"):
            answer = await bare_server.http.post("/graphql", json=request, headers={"Accept": accept})
            if accept == "text/event-stream" and answer.status_code == 200:
                errors = _event(answer.text)["errors"]
            else:
                assert answer.status_code == 400, request
                errors = answer.json()["errors"]
            assert errors[0]["extensions"]["code"] == "BAD_USER_INPUT", request
    batch = await bare_server.http.post("/graphql", json=[NAMING[0], NAMING[0]])
    assert (batch.status_code, batch.json()["errors"][0]["message"]) == (400, "Batching is not enabled")


async def test_a_socket_and_its_other_operations_stay(server: Server, cliniko: Cliniko):
    """Each such operation gets its error, and another subscription on the same socket continues to its end."""
    cliniko.gate.hold("patients")
    sync_id = await server.start_sync()
    await cliniko.gate.reached()
    async with open_socket(server) as socket:
        await socket.subscribe(PROGRESS, "watch", id=sync_id)
        for place, request in enumerate(NAMING):
            await socket.send({"id": str(place), "type": "subscribe", "payload": request})
            while (frame := await socket.receive())["id"] == "watch":
                assert frame["type"] == "next"
            assert frame == {"id": str(place), "type": "error", "payload": [ERROR]}
        await socket.send({"id": "0", "type": "subscribe", "payload": NAMING[0]})  # its id is free again
        while (frame := await socket.receive())["id"] == "watch":
            pass
        assert frame["type"] == "error"
        cliniko.gate.open()
        states = await socket.results("watch")
    assert states[-1]["data"]["syncProgress"]["status"] == "COMPLETED"


async def test_the_rules_of_the_socket_come_first(server: Server, cliniko: Cliniko):
    """A missing connection_init, a duplicate id, or a message without a document closes the socket."""
    async with open_socket(server, init=False) as socket:
        await socket.send({"id": "1", "type": "subscribe", "payload": NAMING[0]})
        assert await socket.closed() == (4401, "Unauthorized")
    cliniko.gate.hold("patients")
    sync_id = await server.start_sync()
    await cliniko.gate.reached()
    async with open_socket(server) as socket:
        await socket.subscribe(PROGRESS, id=sync_id)
        await socket.receive()
        await socket.send({"id": "1", "type": "subscribe", "payload": NAMING[0]})
        assert (await socket.closed())[0] == 4409
    for request in NEITHER + UNREADABLE:
        async with open_socket(server) as socket:
            await socket.send({"id": "1", "type": "subscribe", "payload": request})
            assert (await socket.closed())[0] == 4400, request


async def test_a_token_is_looked_at_first(settings: Settings, tmp_path: Path):
    """Without a token every request gets the error of a missing token."""
    values = {"auth": "token", "tokens_file": str(tmp_path / "tokens"), "allowed_hosts": ("127.0.0.1",)}
    async with Server(settings.model_copy(update=values)) as server:
        for answer in (
            await server.http.post("/graphql", json=NAMING[0]),
            await server.http.get("/graphql", params=_parameters(NAMING[0])),
        ):
            assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (401, "UNAUTHENTICATED")
