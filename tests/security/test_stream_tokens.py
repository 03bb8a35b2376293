"""Stream tokens end with the token that created them, and changed rights apply to open connections at once."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest

from routiq_gql.api.auth import session
from routiq_gql.clock import utc_now
from routiq_gql.emulator import EMULATED_API_KEY, Issuer
from routiq_gql.security import stream_tokens
from routiq_gql.security.token_file import TokenFile
from routiq_gql.security.viewer import LOCAL_OPERATOR
from routiq_gql.settings import Settings
from tests.emulated_cliniko import Cliniko
from tests.graphql_documents import START
from tests.issuing import OURS, THEIRS, bearer, jwt_settings, use_token
from tests.server import Server, Socket, open_socket, read_events
from tests.waiting import LIMIT_SECONDS

STREAM_TOKEN = "mutation ($id: ID!) { createStreamToken(syncId: $id) { token expiresAt } }"
DISCONNECT = "mutation ($id: ID!) { disconnectCliniko(organizationId: $id) { ok } }"
WITH_LOG = "subscription ($id: ID!) { syncProgress(syncId: $id) { version status log { seq } } }"


@pytest.fixture
def tokens(tmp_path: Path) -> TokenFile:
    """The token file, as the command line changes it; the server has a separate object."""
    return TokenFile(tmp_path / "tokens")


@pytest.fixture
async def guarded(settings: Settings, tmp_path: Path, cliniko: Cliniko) -> AsyncIterator[Server]:
    """A server with ``ROUTIQ_AUTH=token`` and a clinic whose syncs are held."""
    values = {"auth": "token", "tokens_file": str(tmp_path / "tokens"), "allowed_hosts": ("127.0.0.1",)}
    cliniko.gate.hold("patients")
    async with Server(settings.model_copy(update=values)) as server:
        await server.connect_organization(cliniko.base_url, EMULATED_API_KEY, OURS)
        yield server
        cliniko.gate.open()
        await server.without_watchers()


async def _following(server: Server, token: str) -> tuple[str, str]:
    """The path of a running sync's stream, and a stream token for it created with ``token``."""
    use_token(server, token)
    sync_id = await server.start_sync(OURS)
    made = await server.ask(STREAM_TOKEN, id=sync_id)
    return f"/api/v1/sync/stream/{sync_id}", made["data"]["createStreamToken"]["token"]


def _change_line(path: Path, old: str, new: str) -> None:
    """Replace the token file, as an editor does."""
    text = path.read_text()
    assert old in text
    changed = path.with_name("changed")
    changed.touch(mode=0o600)
    changed.write_text(text.replace(old, new))
    changed.replace(path)


@pytest.mark.parametrize("how", ["revoked", "another token", "another organization", "no file"])
async def test_a_stream_ends_with_the_parent_of_its_token(
    guarded: Server, tokens: TokenFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
):
    """After a revocation the person's streams end and can't be resumed."""
    monkeypatch.setattr(session, "LOOK_SECONDS", 0.05)
    entry, token = tokens.add(OURS)
    path, stream_token = await _following(guarded, token)
    async with httpx.AsyncClient(base_url=guarded.url, timeout=LIMIT_SECONDS) as client:
        async with client.stream("GET", path, params={"token": stream_token}) as answer:
            assert answer.status_code == 200
            events = read_events(answer)
            await anext(events)
            match how:
                case "revoked":
                    tokens.revoke(entry.id)
                case "another token":
                    _change_line(tmp_path / "tokens", entry.digest, "0" * 64)
                case "another organization":
                    _change_line(tmp_path / "tokens", OURS, THEIRS)
                case "no file":
                    (tmp_path / "tokens").unlink()
            async with asyncio.timeout(LIMIT_SECONDS):
                rest = [event async for event in events]
        assert all(event.json.get("completed_at") is None for event in rest), "the sync is still held"
        again = await client.get(path, params={"token": stream_token})
        assert (again.status_code, again.json()["code"]) == (401, "UNAUTHENTICATED")
        assert "createStreamToken" in again.json()["detail"]


async def test_a_file_that_can_t_be_read_opens_no_stream_and_ends_none(
    guarded: Server, tokens: TokenFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """An unreadable token file ends no open stream, and opens none."""
    monkeypatch.setattr(session, "LOOK_SECONDS", 0.01)
    _, token = tokens.add(OURS)
    path, stream_token = await _following(guarded, token)
    async with (
        httpx.AsyncClient(base_url=guarded.url, timeout=LIMIT_SECONDS) as client,
        client.stream("GET", path, params={"token": stream_token}) as answer,
    ):
        events = read_events(answer)
        await anext(events)
        (tmp_path / "tokens").write_text("nonsense\n")
        refused = await client.get(path, params={"token": stream_token})
        assert (refused.status_code, refused.json()["code"]) == (503, "ISSUER_AWAY")
        await asyncio.gather(*(client.get("/healthz") for _ in range(10)))  # several checks later
        cancelled = await guarded.runtime.syncs.cancel(LOCAL_OPERATOR, path.rpartition("/")[2])
        assert cancelled.cancelled
        assert [event async for event in events][-1].json["completed_at"] is not None


async def test_a_stream_token_ends_with_the_session_that_made_it(settings: Settings, issuer: Issuer, cliniko: Cliniko):
    """The response shows the expiry; a session without an end creates tokens for a day."""
    cliniko.gate.hold("patients")
    async with Server(jwt_settings(settings, issuer, auth_grace_seconds=60)) as server:
        await server.connect_organization(cliniko.base_url, EMULATED_API_KEY, OURS)
        use_token(server, issuer.token(OURS, lifetime_seconds=100))
        now = utc_now()
        sync_id = await server.start_sync(OURS)
        made = (await server.ask(STREAM_TOKEN, id=sync_id))["data"]["createStreamToken"]
        ends = datetime.fromisoformat(made["expiresAt"])
        assert timedelta(seconds=150) < ends - now < timedelta(seconds=161)
        claims = jwt.decode(made["token"], options={"verify_signature": False})
        assert datetime.fromtimestamp(claims["exp"], UTC) == ends
        cliniko.gate.open()
        await server.until_ended(sync_id)


async def test_a_stream_and_its_token_end_when_the_session_would(
    settings: Settings, issuer: Issuer, cliniko: Cliniko, monkeypatch: pytest.MonkeyPatch
):
    """After the end of the session and its grace period, its streams end and their tokens are refused."""
    monkeypatch.setattr(session, "LEEWAY", timedelta(0))
    cliniko.gate.hold("patients")
    async with Server(jwt_settings(settings, issuer, auth_grace_seconds=1)) as server:
        await server.connect_organization(cliniko.base_url, EMULATED_API_KEY, OURS)
        path, stream_token = await _following(server, issuer.token(OURS, lifetime_seconds=2))
        async with httpx.AsyncClient(base_url=server.url, timeout=LIMIT_SECONDS) as client:
            async with client.stream("GET", path, params={"token": stream_token}) as answer:
                assert answer.status_code == 200
                async for _ in read_events(answer):
                    pass
            assert (await client.get(path, params={"token": stream_token})).status_code == 401
        cliniko.gate.open()
        await server.without_watchers()


async def test_a_lapsed_session_gets_no_stream_token(
    settings: Settings, issuer: Issuer, cliniko: Cliniko, monkeypatch: pytest.MonkeyPatch
):
    """A session with an expired token can't create a stream token; after a renewal it can."""
    monkeypatch.setattr(session, "LEEWAY", timedelta(0))
    async with Server(jwt_settings(settings, issuer, auth_grace_seconds=600)) as server:
        await server.connect_organization(cliniko.base_url, EMULATED_API_KEY, OURS)
        use_token(server, issuer.token(OURS, lifetime_seconds=600))
        sync_id = await server.start_sync(OURS)
        await server.until_ended(sync_id)
        async with open_socket(server, init=False) as socket:
            await socket.init(payload=bearer(issuer.token(OURS, lifetime_seconds=2)))
            async with asyncio.timeout(LIMIT_SECONDS):
                while "errors" not in (answer := await _ask(socket, STREAM_TOKEN, sync_id)):
                    await asyncio.sleep(0.1)
            assert answer["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
            await socket.send({"type": "ping", "payload": bearer(issuer.token(OURS))})
            assert (await socket.receive())["type"] == "pong"
            assert "errors" not in await _ask(socket, STREAM_TOKEN, sync_id)
        await server.without_watchers()


async def test_a_token_of_an_earlier_version_is_refused(guarded: Server, tokens: TokenFile):
    """A stream token without its parent can't be checked and is refused, with advice."""
    _, token = tokens.add(OURS)
    path, stream_token = await _following(guarded, token)
    claims = jwt.decode(stream_token, options={"verify_signature": False})
    del claims["parent"]
    key_id, key = next(iter(guarded.runtime.stream_tokens._keys.load().derived(stream_tokens._PURPOSE).items()))
    old = jwt.encode(claims, key, "HS256", headers={"kid": key_id})
    answer = await guarded.http.get(path, params={"token": old})
    assert answer.status_code == 401
    assert "earlier version" in answer.json()["detail"]
    assert "createStreamToken" in answer.json()["detail"]


async def test_another_way_of_signing_in_ends_all_stream_tokens(
    settings: Settings, tokens: TokenFile, tmp_path: Path, issuer: Issuer
):
    """After a restart with another ROUTIQ_AUTH, all earlier stream tokens are refused, even if names are alike."""
    entry, token = tokens.add(OURS)
    modes = {
        "off": settings,
        "token": settings.model_copy(
            update={"auth": "token", "tokens_file": str(tmp_path / "tokens"), "allowed_hosts": ("127.0.0.1",)}
        ),
        "jwt": jwt_settings(settings, issuer),
        "other issuer": jwt_settings(settings, issuer, jwt_issuer="https://other.example"),
    }
    credentials = {"token": token, "jwt": issuer.token(OURS, subject=f"token:{entry.id}", lifetime_seconds=600)}
    made: dict[str, str] = {}
    async with Server(settings) as server:
        sync_id = await server.start_sync(OURS)
        await server.until_ended(sync_id)
        for mode in ("off", "token", "jwt"):
            await server.stop()
            server.settings = modes[mode]
            await server.start()
            if mode in credentials:
                use_token(server, credentials[mode])
            made[mode] = (await server.ask(STREAM_TOKEN, id=sync_id))["data"]["createStreamToken"]["token"]
        del server.http.headers["Authorization"]
        for mode, with_mode in modes.items():
            await server.stop()
            server.settings = with_mode
            await server.start()
            for origin, stream_token in made.items():
                answer = await server.http.get(f"/api/v1/sync/stream/{sync_id}", params={"token": stream_token})
                assert (answer.status_code == 200) is (origin == mode), (origin, mode)


async def _ask(socket: Socket, document: str, name: str, operation: str = "asked") -> dict[str, Any]:
    await socket.subscribe(document, operation, id=name)
    (payload,) = await socket.results(operation)
    return payload


def _code(payload: dict[str, Any]) -> str | None:
    return payload["errors"][0]["extensions"]["code"] if "errors" in payload else None


async def test_an_open_socket_does_nothing_more_for_a_revoked_token(
    guarded: Server, tokens: TokenFile, monkeypatch: pytest.MonkeyPatch
):
    """A revoked token can't start anything on an open socket, long before the socket is closed."""
    monkeypatch.setattr(session, "LOOK_SECONDS", 3600)
    entry, token = tokens.add(OURS, ["admin"])
    async with open_socket(guarded, init=False) as socket:
        await socket.init(payload=bearer(token))
        started = await _ask(socket, START, OURS)
        sync_id = started["data"]["startSync"]["sync"]["syncId"]
        tokens.revoke(entry.id)
        for document, name in (
            (START, OURS),
            (DISCONNECT, OURS),
            (STREAM_TOKEN, sync_id),
            ("query ($id: ID!) { syncStatus(syncId: $id) { status } }", sync_id),
        ):
            assert _code(await _ask(socket, document, name)) == "UNAUTHENTICATED", document
        await socket.subscribe(WITH_LOG, "watch", id=sync_id)
        frame = await socket.receive()
        errors = frame["payload"] if frame["type"] == "error" else frame["payload"]["errors"]
        assert errors[0]["extensions"]["code"] == "UNAUTHENTICATED"


async def test_changed_roles_apply_to_open_sockets(
    guarded: Server, tokens: TokenFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """A granted or removed role takes effect on open sockets."""
    monkeypatch.setattr(session, "LOOK_SECONDS", 3600)
    _, token = tokens.add(OURS, ["admin"])
    async with open_socket(guarded, init=False) as socket:
        await socket.init(payload=bearer(token))
        assert _code(await _ask(socket, DISCONNECT, OURS)) is None
        _change_line(tmp_path / "tokens", "admin", "member")
        assert _code(await _ask(socket, DISCONNECT, OURS)) == "FORBIDDEN"
        _change_line(tmp_path / "tokens", "member", "admin")
        assert _code(await _ask(socket, DISCONNECT, OURS)) is None


async def test_a_fresh_token_brings_its_roles(settings: Settings, issuer: Issuer, cliniko: Cliniko):
    """With an issuer, each token brings its roles: a renewal adds or removes them."""
    async with Server(jwt_settings(settings, issuer)) as server:
        await server.connect_organization(cliniko.base_url, EMULATED_API_KEY, OURS)
        async with open_socket(server, init=False) as socket:
            await socket.init(payload=bearer(issuer.token(OURS, role="admin")))
            for role, code in (("member", "FORBIDDEN"), ("admin", None)):
                await socket.send({"type": "ping", "payload": bearer(issuer.token(OURS, role=role))})
                assert (await socket.receive())["type"] == "pong"
                assert _code(await _ask(socket, DISCONNECT, OURS)) == code


async def test_a_revoked_token_does_not_affect_other_followers(
    guarded: Server, tokens: TokenFile, cliniko: Cliniko, monkeypatch: pytest.MonkeyPatch
):
    """When one follower's token is revoked, other followers of the same sync still get its events."""
    monkeypatch.setattr(session, "LOOK_SECONDS", 3600)
    entry, token = tokens.add(OURS)
    _, other = tokens.add(OURS)
    async with open_socket(guarded, init=False) as first, open_socket(guarded, init=False) as second:
        await first.init(payload=bearer(token))
        started = await _ask(first, START, OURS)
        sync_id = started["data"]["startSync"]["sync"]["syncId"]
        await first.subscribe(WITH_LOG, id=sync_id)
        assert (await first.receive())["type"] == "next"
        await second.init(payload=bearer(other))
        await second.subscribe(WITH_LOG, id=sync_id)
        tokens.revoke(entry.id)
        cliniko.gate.open()
        payloads = await second.results()
        assert payloads[-1]["data"]["syncProgress"]["status"] == "COMPLETED"
        assert all("errors" not in payload for payload in payloads)


async def test_stream_tokens_are_made_in_reasonable_numbers(
    guarded: Server, tokens: TokenFile, monkeypatch: pytest.MonkeyPatch
):
    """One person can't fill the audit log with stream tokens, and others are not delayed."""
    monkeypatch.setattr(stream_tokens, "MADE_PER_MINUTE", 3)
    _, token = tokens.add(OURS)
    _, other = tokens.add(OURS)
    path, _ = await _following(guarded, token)
    sync_id = path.rpartition("/")[2]
    answers = [await guarded.ask(STREAM_TOKEN, id=sync_id) for _ in range(3)]
    assert [_code(answer) for answer in answers] == [None, None, "RATE_LIMITED"]
    use_token(guarded, other)
    assert _code(await guarded.ask(STREAM_TOKEN, id=sync_id)) is None
