"""Limits per client: excessive requests are refused at once with a sentence, while other clients are served."""

import asyncio
import gc
import tracemalloc
from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest

from routiq_gql.api.body import MAX_BODY_BYTES
from routiq_gql.api.graphql import documents
from routiq_gql.api.graphql.documents import BYTES_PER_TOKEN, REMEMBERED_DOCUMENTS, Documents
from routiq_gql.api.graphql.limits import (
    MAX_ALIASES,
    MAX_DEPTH,
    MAX_DIRECTIVES,
    MAX_QUERY_CHARACTERS,
    MAX_ROOT_FIELDS,
)
from routiq_gql.api.graphql.sockets import MAX_OPERATIONS
from routiq_gql.serving.server import MAX_FRAME_BYTES
from routiq_gql.settings import Settings
from tests.graphql_documents import LOG, PROGRESS, UPDATES
from tests.server import Server, open_socket

INNOCENT = "{ __typename }"


def _spreads(levels: int) -> str:
    """Fragments that each spread the next twice: without a cache, 2 to the power of ``levels`` visits."""
    fragments = [f"fragment f{n} on Query {{ ...f{n + 1} ...f{n + 1} }}" for n in range(levels)]
    return " ".join(["{ ...f0 }", *fragments, f"fragment f{levels} on Query {{ __typename }}"])


def _deep(levels: int) -> str:
    return "{ dashboard(organizationId: 1) " + "{ a " * (levels - 1) + "{ b }" + " }" * (levels - 1) + " }"


TOO_MUCH = {
    "tokens": ("{ " + "id " * 2_000 + "}", "more than 1000 tokens"),
    "root fields": ("{ " + "__typename " * (MAX_ROOT_FIELDS + 1) + "}", "root fields"),
    "aliases": ("{ " + " ".join(f"a{n}: __typename" for n in range(MAX_ALIASES + 1)) + " }", "aliases"),
    "directives": ("{ __typename " + "@include(if: true) " * (MAX_DIRECTIVES + 1) + "}", "directives"),
    "depth": (_deep(MAX_DEPTH), "levels of fields"),
    "nesting": ("{ a " * 250 + "}" * 250, "nested too deeply"),
    "fragments in fragments": (_spreads(80), "root fields"),
    "a chain of fragments": (
        "{ ...f0 } " + " ".join(f"fragment f{n} on Query {{ a {{ ...f{n + 1} }} }}" for n in range(80)),
        "levels",
    ),
    "introspection": (
        "{ __schema { types { fields { type { fields { type { fields { type { fields { name } } } } } } } } } }",
        "introspection depth",
    ),
}


@pytest.mark.parametrize("case", TOO_MUCH)
async def test_too_large_an_operation_is_refused_with_a_sentence(bare_server: Server, case: str):
    """An operation that is too large is refused over HTTP and on a socket, and the next operation works."""
    query, expected = TOO_MUCH[case]
    (over_http,) = (await bare_server.ask(query))["errors"]
    assert expected in over_http["message"]
    assert over_http["extensions"]["code"] == "BAD_USER_INPUT"
    async with open_socket(bare_server) as socket:
        await socket.subscribe(query)
        frame = await socket.receive()
        assert (frame["type"], frame["payload"][0]["message"]) == ("error", over_http["message"])
        await socket.subscribe(INNOCENT)
        assert await socket.results() == [{"data": {"__typename": "Query"}}]


@pytest.mark.parametrize("query", ["{ ...f } fragment f on Query { ...f }", "{ ...unknown }"])
async def test_strange_fragments_are_errors_like_others(bare_server: Server, query: str):
    """A fragment that contains itself, or does not exist, is an ordinary error."""
    answer = await bare_server.ask(query)
    assert {error["extensions"]["code"] for error in answer["errors"]} == {"BAD_USER_INPUT"}


async def test_the_operations_of_our_pages_are_allowed(bare_server: Server):
    """Twenty organizations in a single query, and the introspection of every code generator, are allowed."""
    fields = " ".join(f'o{n}: dashboard(organizationId: "org_{n}") {{ id status }}' for n in range(MAX_ROOT_FIELDS))
    assert "errors" not in await bare_server.ask(f"{{ {fields} }}")


async def test_an_endless_request_is_refused_before_it_is_read(bare_server: Server):
    """A query of 1.2 MB, with a length or in chunks, gets 413 while others are served."""

    async def pieces() -> AsyncIterator[bytes]:
        yield b'{"query": "{'
        for _ in range(1_200):
            yield b" a" * 500
        yield b'}"}'

    body = b"".join([piece async for piece in pieces()])
    assert len(body) > 1_200_000 > MAX_BODY_BYTES == MAX_FRAME_BYTES
    for content in (body, pieces()):
        try:
            answer = await bare_server.http.post(
                "/graphql", content=content, headers={"Content-Type": "application/json"}
            )
        except (httpx.WriteError, httpx.RemoteProtocolError, httpx.ReadError):
            continue  # the connection was closed before the rest was sent
        assert answer.status_code == 413
        assert "256 KiB" in answer.json()["errors"][0]["message"]
    long = "#" * MAX_QUERY_CHARACTERS + "\n{ __typename }"
    answer = await bare_server.http.post("/graphql", json={"query": long})
    assert answer.status_code == 413
    assert "65,536 characters" in answer.json()["errors"][0]["message"]
    async with open_socket(bare_server) as socket:
        await socket.subscribe(long)
        assert "65,536 characters" in (await socket.receive())["payload"][0]["message"]
        await socket.send(body)
        assert (await socket.closed())[0] == 1009
    assert await bare_server.ask(INNOCENT) == {"data": {"__typename": "Query"}}


async def test_operations_on_one_socket_are_limited(bare_server: Server):
    """An operation over the limit is refused alone; when another has ended there is room again."""
    async with open_socket(bare_server) as socket:
        for number in range(MAX_OPERATIONS):
            await socket.subscribe(UPDATES, f"{number}", id="org_1")
            assert (await socket.receive())["type"] == "next"
        await socket.subscribe(UPDATES, "more", id="org_1")
        refused = await socket.receive()
        assert (refused["id"], refused["type"]) == ("more", "error")
        assert refused["payload"][0]["extensions"]["code"] == "RATE_LIMITED"
        await socket.send({"id": "0", "type": "complete"})
        await socket.subscribe(UPDATES, "more", id="org_1")
        assert (await socket.receive())["type"] == "next"


async def test_subscriptions_to_one_organization_are_limited(settings: Settings):
    """Subscriptions count per organization over all transports, and an ended subscription makes room."""
    async with Server(settings.model_copy(update={"max_subscriptions": 2})) as server:
        sync_id = await server.start_sync("org_1")
        await server.until_ended(sync_id)
        async with open_socket(server) as socket:
            for name in ("a", "b"):
                await socket.subscribe(UPDATES, name, id="org_1")
                assert (await socket.receive())["type"] == "next"
            for query in (PROGRESS, LOG):
                await socket.subscribe(query, "c", id=sync_id)
                refused = await socket.receive()
                assert refused["payload"][0]["extensions"]["code"] == "RATE_LIMITED"
                assert "ROUTIQ_MAX_SUBSCRIPTIONS" in refused["payload"][0]["message"]
            stream = await server.http.get(f"/api/v1/sync/stream/{sync_id}")
            assert (stream.status_code, stream.json()["code"]) == (429, "RATE_LIMITED")
            assert int(stream.headers["retry-after"]) > 0
            await socket.subscribe(UPDATES, "d", id="org_2")
            assert (await socket.receive())["type"] == "next"
        await server.without_watchers()
        assert (await server.until_ended(sync_id))["status"] == "failed"  # it has no connection


async def test_documents_are_remembered_and_forgotten(bare_server: Server, monkeypatch: pytest.MonkeyPatch):
    """A repeated operation is parsed and validated once; a thousand different operations don't fill the memory."""
    done: Counter[str] = Counter()

    def counted(name: str) -> Callable[..., Any]:
        work = getattr(documents, name)

        def call(*arguments: Any, **options: Any) -> Any:
            done[name] += 1
            return work(*arguments, **options)

        return call

    for name in ("parse", "validate_document"):
        monkeypatch.setattr(documents, name, counted(name))
    for _ in range(3):
        assert await bare_server.ask("query Same { __typename }") == {"data": {"__typename": "Query"}}
    assert done == {"parse": 1, "validate_document": 1}
    for _ in range(2):
        assert "errors" in await bare_server.ask("query Wrong { nothing }")
    assert done == {"parse": 2, "validate_document": 3}, "errors are not kept"
    await asyncio.gather(*(bare_server.ask(f"query Q{number} {{ __typename }}") for number in range(150)))
    assert len(documents.DOCUMENTS) == REMEMBERED_DOCUMENTS
    await bare_server.ask("query Same { __typename }")
    assert done["parse"] == 153


@pytest.mark.parametrize(
    "text",
    [
        "{" + "a " * 990 + "}",
        "{a" + "@a" * 480 + "}",
        "{" + "a(b:1)" * 160 + "}",
        "{" + "...{a}" * 240 + "}",
        "#\n" * 990 + "{a}",
        '{a(b:"' + "\U0001f600" * 10_000 + '")}',
        "," * 10_000 + "{a}",
    ],
    ids=["fields", "directives", "arguments", "fragments", "comments", "a long string", "commas"],
)
def test_the_memory_of_documents_is_never_underestimated(text: str, monkeypatch: pytest.MonkeyPatch):
    """The counted memory of a document is never below its real memory, and the sum is limited."""
    kept = Documents()
    tracemalloc.start()
    try:
        for number in range(3):
            kept.parse(f"{text}#{number}", max_tokens=1_000)
        gc.collect()
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert taken <= kept.bytes + 3 * 10 * BYTES_PER_TOKEN, "and a little for the dictionary"
    monkeypatch.setattr(documents, "MAX_DOCUMENT_BYTES", 2 * kept.bytes)
    for number in range(10):
        kept.parse(f"{text}#{number}", max_tokens=1_000)
        assert kept.bytes <= documents.MAX_DOCUMENT_BYTES
    assert 5 <= len(kept) <= 6


async def test_the_schema_can_be_kept_private(
    settings: Settings, bare_server: Server, new_database_url: Callable[[], str]
):
    """Without introspection no client can list types, and errors suggest no names; operations work as before."""
    asked = "{ __schema { types { name } } }"
    misspelt = '{ dashbord(organizationId: "org_1") { status } }'
    assert "data" in await bare_server.ask(asked)
    assert "Did you mean" in (await bare_server.ask(misspelt))["errors"][0]["message"]
    private = settings.model_copy(update={"introspection": False, "database_url": new_database_url()})
    async with Server(private) as server:
        refused = (await server.ask(asked))["errors"]
        assert all("introspection has been disabled" in error["message"] for error in refused)
        message = (await server.ask(misspelt))["errors"][0]["message"]
        assert message == "Cannot query field 'dashbord' on type 'Query'."
        assert await server.ask(INNOCENT) == {"data": {"__typename": "Query"}}


async def test_one_of_several_operations_has_to_be_named(bare_server: Server):
    """Of several operations without a name, none is executed, on any transport."""
    document = 'query A { __typename } mutation B { startSync(organizationId: "org_1") { created } }'
    answer = (await bare_server.http.post("/graphql", json={"query": document})).json()
    assert [error["message"] for error in answer["errors"]] == [
        "The document has several operations. Name one of them in operationName."
    ]
    named = await bare_server.http.post("/graphql", json={"query": document, "operationName": "A"})
    assert named.json() == {"data": {"__typename": "Query"}}
    async with open_socket(bare_server) as socket:
        await socket.subscribe(document)
        frame = await socket.receive()
    assert (frame["type"], frame["payload"][0]["message"]) == ("error", answer["errors"][0]["message"])
