"""Subscriptions and streams with short-lived tokens are renewed, end in time, and resume without losses."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed

from routiq_gql.api.auth import issued_tokens, session
from routiq_gql.emulator import EMULATED_API_KEY, Issuer
from routiq_gql.security import stream_tokens
from routiq_gql.settings import Settings
from tests.emulated_cliniko import Cliniko
from tests.graphql_documents import CANCEL, LOG, PROGRESS, START, UPDATES
from tests.issuing import OURS, THEIRS, bearer, jwt_settings, use_token
from tests.server import Server, Socket, open_socket, read_events
from tests.waiting import LIMIT_SECONDS

STREAM_TOKEN = "mutation ($id: ID!) { createStreamToken(syncId: $id) { token syncId expiresAt } }"
BRIEF_SECONDS = 3
"""How long a token lives here. Whole seconds, as tokens have no fractions."""


@pytest.fixture
async def brief(
    settings: Settings, issuer: Issuer, cliniko: Cliniko, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Server]:
    """A server without tolerance for clocks, which closes two seconds after a token has expired."""
    for module in (session, issued_tokens):
        monkeypatch.setattr(module, "LEEWAY", timedelta(0))
    async with Server(jwt_settings(settings, issuer, auth_grace_seconds=2)) as server:
        use_token(server, issuer.token(OURS, role="admin", lifetime_seconds=600))
        await server.connect_organization(cliniko.base_url, EMULATED_API_KEY, OURS)
        yield server
        cliniko.gate.open()
        await server.without_watchers()


async def _until_pong(socket: Socket, payload: dict[str, str]) -> None:
    await socket.send({"type": "ping", "payload": payload})
    while (await socket.receive())["type"] != "pong":
        pass


async def test_a_socket_is_closed_in_time_and_a_new_one_resumes(brief: Server, issuer: Issuer, cliniko: Cliniko):
    """The close code makes clients reconnect; with a fresh token they get every line of the log once."""
    cliniko.gate.hold("patients")
    sync_id = await brief.start_sync(OURS)
    lines: list[int] = []
    async with open_socket(brief, init=False) as socket:
        await socket.init(payload=bearer(issuer.token(OURS, lifetime_seconds=BRIEF_SECONDS)))
        await socket.subscribe(LOG, id=sync_id)
        await cliniko.gate.reached()
        async with asyncio.timeout(LIMIT_SECONDS):
            async for message in _frames(socket):
                lines.append(message["payload"]["data"]["syncLog"]["seq"])
        assert (socket.connection.close_code, socket.connection.close_reason) == (
            4403,
            "The token has expired. Reconnect with a new one.",
        )
    assert lines
    cliniko.gate.open()
    async with open_socket(brief, init=False) as socket:
        await socket.init(payload=bearer(issuer.token(OURS)))
        await socket.subscribe(LOG, id=sync_id, after=lines[-1])
        lines += [payload["data"]["syncLog"]["seq"] for payload in await socket.results()]
    assert lines == list(range(1, len(lines) + 1))


async def _frames(socket: Socket) -> AsyncIterator[dict[str, Any]]:
    """Every frame until the server closes."""
    with suppress(ConnectionClosed):
        async for text in socket.connection:
            yield dict(json.loads(text))


async def test_a_ping_with_a_fresh_token_keeps_a_socket_open(brief: Server, issuer: Issuer, cliniko: Cliniko):
    """A socket follows a sync to its end through several tokens, and no pong contains a token."""
    cliniko.gate.hold("patients")
    sync_id = await brief.start_sync(OURS)
    async with open_socket(brief, init=False) as socket:
        await socket.init(payload=bearer(issuer.token(OURS, lifetime_seconds=BRIEF_SECONDS)))
        await socket.subscribe(PROGRESS, id=sync_id)
        await cliniko.gate.reached()
        began = asyncio.get_running_loop().time()
        while asyncio.get_running_loop().time() - began < 3 * BRIEF_SECONDS:  # past the first token's expiry
            fresh = bearer(issuer.token(OURS, lifetime_seconds=BRIEF_SECONDS)) | {"n": "1"}
            await socket.send({"type": "ping", "payload": fresh})
            while (frame := await socket.receive())["type"] != "pong":
                assert frame["type"] == "next"
            assert frame == {"type": "pong", "payload": {"n": "1"}}
            await asyncio.sleep(0.5)
        await _until_pong(socket, bearer(issuer.token(OURS, lifetime_seconds=600)))
        cliniko.gate.open()
        assert (await socket.results())[-1]["data"]["syncProgress"]["status"] == "COMPLETED"


@pytest.mark.parametrize(
    "other",
    [
        lambda issuer: issuer.token(OURS, subject="user_other"),
        lambda issuer: issuer.token(THEIRS),
        lambda issuer: issuer.token(OURS, lifetime_seconds=-60),
        lambda issuer: issuer.token(OURS, claims={"iss": "https://evil.example"}),
        lambda _: "garbage",
    ],
    ids=["person", "organization", "expired", "issuer", "garbage"],
)
async def test_a_ping_with_another_token_closes(brief: Server, issuer: Issuer, other: Callable[[Issuer], str]):
    """A socket can't change its person or organization."""
    async with open_socket(brief, init=False) as socket:
        await socket.init(payload=bearer(issuer.token(OURS)))
        await socket.subscribe(UPDATES, id=OURS)
        assert (await socket.receive())["type"] == "next"
        await socket.send({"type": "ping", "payload": bearer(other(issuer))})
        code, reason = await socket.closed()
    assert (code, bool(reason)) == (4403, True)


async def test_between_expiry_and_end_a_socket_only_reads(
    settings: Settings, issuer: Issuer, cliniko: Cliniko, monkeypatch: pytest.MonkeyPatch
):
    """An expired token can change nothing until a ping brings a fresh token."""
    for module in (session, issued_tokens):
        monkeypatch.setattr(module, "LEEWAY", timedelta(0))
    async with Server(jwt_settings(settings, issuer, auth_grace_seconds=600)) as server:
        await server.connect_organization(cliniko.base_url, EMULATED_API_KEY, OURS)
        async with open_socket(server, init=False) as socket:
            await socket.init(payload=bearer(issuer.token(OURS, lifetime_seconds=2)))

            async def ask(document: str, name: str) -> dict[str, Any]:
                await socket.subscribe(document, id=name)
                (payload,) = await socket.results()
                return payload

            query = "query ($id: ID!) { dashboard(organizationId: $id) { status } }"
            async with asyncio.timeout(LIMIT_SECONDS):
                while "errors" not in (answer := await ask(START, OURS)):
                    await asyncio.sleep(0.1)
            assert answer["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
            assert "errors" not in await ask(query, OURS)
            await _until_pong(socket, bearer(issuer.token(OURS)))
            started = await ask(START, OURS)
            cancelled = await ask(CANCEL, started["data"]["startSync"]["sync"]["syncId"])
            assert "errors" not in cancelled
        await server.without_watchers()


async def test_an_event_stream_ends_in_time_and_resumes(brief: Server, issuer: Issuer, cliniko: Cliniko):
    """The stream ends normally, so that a client reconnects at once; with the last id it gets the rest."""
    cliniko.gate.hold("patients")
    sync_id = await brief.start_sync(OURS)
    path = f"/api/v1/sync/stream/{sync_id}"
    use_token(brief, issuer.token(OURS, lifetime_seconds=BRIEF_SECONDS))
    async with brief.stream(sync_id) as stream:
        first = [event async for event in stream]
    assert first[-1].json["completed_at"] is None
    expired = await brief.http.get(path, headers={"Last-Event-ID": first[-1].id})
    assert (expired.status_code, expired.json()["code"]) == (401, "UNAUTHENTICATED")
    use_token(brief, issuer.token(OURS, lifetime_seconds=600))
    cliniko.gate.open()
    async with brief.stream(sync_id, last_event_id=first[-1].id) as stream:
        second = [event async for event in stream]
    lines = [event.json["seq"] for event in first + second if event.name == "log"]
    assert lines == list(range(1, len(lines) + 1))
    assert second[-1].json["status"] == "completed"


@pytest.mark.parametrize("accept", ["text/event-stream", "multipart/mixed;subscriptionSpec=1.0"])
async def test_a_subscription_over_http_ends_in_time(brief: Server, issuer: Issuer, accept: str):
    """The response is complete HTTP but the subscription is not completed, so clients reconnect."""
    use_token(brief, issuer.token(OURS, lifetime_seconds=BRIEF_SECONDS))
    content = {"query": UPDATES, "variables": {"id": OURS}}
    async with asyncio.timeout(LIMIT_SECONDS):
        answer = await brief.http.post("/graphql", json=content, headers={"Accept": accept})
    assert answer.status_code == 200
    assert '"dashboardUpdated"' in answer.text
    assert "event: complete" not in answer.text


async def test_a_stream_token_follows_one_sync_to_its_end(brief: Server, cliniko: Cliniko):
    """A stream token works in the address, without a header, until its sync has ended."""
    cliniko.gate.hold("patients")
    sync_id = await brief.start_sync(OURS)
    made = (await brief.ask(STREAM_TOKEN, id=sync_id))["data"]["createStreamToken"]
    assert made["syncId"] == sync_id
    async with httpx.AsyncClient(base_url=brief.url, timeout=LIMIT_SECONDS) as anyone:
        path = f"/api/v1/sync/stream/{sync_id}"
        async with anyone.stream("GET", path, params={"token": made["token"]}) as answer:
            assert answer.status_code == 200
            events = read_events(answer)
            first = await anext(events)
            cliniko.gate.open()
            rest = [event async for event in events]
        assert rest[-1].json["status"] == "completed"
        late = {"token": made["token"]}
        again = await anyone.get(path, params=late, headers={"Last-Event-ID": first.id})
        assert again.status_code == 200, "whoever was cut off at the last moment reads the end"
        assert (await anyone.get(path, params=late, headers={"Last-Event-ID": rest[-1].id})).status_code == 204
        for refused in (f"/api/v1/sync/status/{sync_id}", f"/api/v1/sync/dashboard/{OURS}"):
            assert (await anyone.get(refused, params=late)).status_code == 401
        other_id = await brief.start_sync(OURS)
        unknown = await anyone.get("/api/v1/sync/stream/sync_nobody", params=late)
        other = await anyone.get(f"/api/v1/sync/stream/{other_id}", params=late)
        assert (other.status_code, other.content) == (unknown.status_code, unknown.content) == (404, other.content)
        await brief.until_ended(other_id)


async def test_a_stream_token_ends(brief: Server, monkeypatch: pytest.MonkeyPatch):
    """A minute after its sync, or after a day, a stream token is refused; so is a changed token."""
    sync_id = await brief.start_sync(OURS)
    await brief.until_ended(sync_id)
    token = (await brief.ask(STREAM_TOKEN, id=sync_id))["data"]["createStreamToken"]["token"]
    path = f"/api/v1/sync/stream/{sync_id}"
    async with httpx.AsyncClient(base_url=brief.url, timeout=LIMIT_SECONDS) as anyone:
        assert (await anyone.get(path, params={"token": token})).status_code == 200
        head, _, signature = token.split(".")
        for changed in (token[:-4] + "AAAA", f"{head}..{signature}", token + "x", "", "a.b.c"):
            assert (await anyone.get(path, params={"token": changed})).status_code == 401
        monkeypatch.setattr(stream_tokens, "AFTER_THE_END", timedelta(seconds=-1))
        answer = await anyone.get(path, params={"token": token})
        assert (answer.status_code, answer.json()["code"]) == (401, "UNAUTHENTICATED")
        monkeypatch.setattr(stream_tokens, "AFTER_THE_END", timedelta(days=2))
        monkeypatch.setattr(stream_tokens, "LIFETIME", timedelta(seconds=-1))
        short = (await brief.ask(STREAM_TOKEN, id=sync_id))["data"]["createStreamToken"]["token"]
        assert (await anyone.get(path, params={"token": short})).status_code == 401
