"""The limit on open websockets per organization; every ending of a socket makes room."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from routiq_gql.api.auth import session as session_module
from routiq_gql.api.graphql.socket_limit import OpenSockets
from routiq_gql.errors import SettingsError
from routiq_gql.security.token_file import TokenFile
from routiq_gql.serving.connection_table import ServerState
from routiq_gql.settings import Settings, load_settings
from tests.graphql_documents import UPDATES
from tests.issuing import OURS, THEIRS
from tests.server import Server, Socket, open_socket
from tests.waiting import until

MOST = 2


@pytest.fixture
def tokens(tmp_path: Path) -> TokenFile:
    return TokenFile(tmp_path / "tokens")


@pytest.fixture
def counts(monkeypatch: pytest.MonkeyPatch) -> list[OpenSockets]:
    """The counters of this test's servers."""
    made: list[OpenSockets] = []

    class Recorded(OpenSockets):
        def __init__(self, most: int) -> None:
            super().__init__(most)
            made.append(self)

    monkeypatch.setattr("routiq_gql.api.graphql.view.OpenSockets", Recorded)
    return made


@pytest.fixture
async def guarded(settings: Settings, tmp_path: Path, counts: list[OpenSockets]) -> AsyncIterator[Server]:
    """A server with tokens, and two sockets for each organization."""
    values = {"auth": "token", "tokens_file": str(tmp_path / "tokens"), "allowed_hosts": ("127.0.0.1",)}
    async with Server(settings.model_copy(update={**values, "max_subscriptions": MOST})) as server:
        yield server
        await until(lambda: counts[0].total == 0)


def _init(token: str) -> dict[str, Any]:
    return {"type": "connection_init", "payload": {"Authorization": f"Bearer {token}"}}


async def _opened(stack: AsyncExitStack, server: Server, token: str) -> Socket:
    socket = await stack.enter_async_context(open_socket(server, init=False))
    await socket.send(_init(token))
    assert await socket.receive() == {"type": "connection_ack"}
    return socket


async def _is_refused(server: Server, token: str) -> bool:
    async with open_socket(server, init=False) as socket:
        await socket.send(_init(token))
        code, reason = await socket.closed()
        return code == 1013 and "ROUTIQ_MAX_SOCKETS" in (reason or "")


async def test_one_socket_too_many_is_closed_with_the_name_of_the_setting(
    guarded: Server, tokens: TokenFile, counts: list[OpenSockets]
):
    """A clinic's sockets never use up another clinic's, and open sockets are not affected."""
    _, ours = tokens.add(OURS)
    _, also_ours = tokens.add(OURS)
    _, theirs = tokens.add(THEIRS)
    async with AsyncExitStack() as stack:
        first = await _opened(stack, guarded, ours)
        await _opened(stack, guarded, also_ours)
        for token in (ours, also_ours):
            assert await _is_refused(guarded, token)
        await _opened(stack, guarded, theirs)
        await first.subscribe(UPDATES, id=OURS)
        assert (await first.receive())["type"] == "next"
        await first.send({"type": "ping", "payload": {"Authorization": f"Bearer {ours}"}})  # renewed, not counted again
        assert (await first.receive())["type"] == "pong"
        assert counts[0].total == MOST + 1


@pytest.mark.parametrize("way", ["close", "abort", "nonsense", "greeting twice", "revoked"])
async def test_every_end_of_a_socket_makes_room(
    guarded: Server, tokens: TokenFile, counts: list[OpenSockets], way: str, monkeypatch: pytest.MonkeyPatch
):
    """After any ending of a dashboard's socket, another can be opened."""
    monkeypatch.setattr(session_module, "LOOK_SECONDS", 0.05)
    entry, ours = tokens.add(OURS)
    async with AsyncExitStack() as stack:
        sockets = [await _opened(stack, guarded, ours) for _ in range(MOST)]
        assert await _is_refused(guarded, ours)
        if way == "revoked":
            tokens.revoke(entry.id)
        for socket in sockets:
            match way:
                case "close":
                    await socket.connection.close()
                case "abort":
                    socket.connection.transport.abort()
                case "nonsense":
                    await socket.send("nonsense")
                case "greeting twice":
                    await socket.send(_init(ours))
        await until(lambda: counts[0].total == 0)


async def test_unknown_sockets_are_not_counted(guarded: Server, tokens: TokenFile, counts: list[OpenSockets]):
    """A stranger, or a wrong token, takes no place of a clinic."""
    _, ours = tokens.add(OURS)
    async with AsyncExitStack() as stack:
        for _ in range(MOST):
            await stack.enter_async_context(open_socket(guarded, init=False))
            wrong = await stack.enter_async_context(open_socket(guarded, init=False))
            await wrong.send(_init("rtq_wrong"))
            assert (await wrong.closed())[0] == 4401
        assert counts[0].total == 0
        await _opened(stack, guarded, ours)


async def test_a_stopping_server_counts_down(
    settings: Settings, tokens: TokenFile, tmp_path: Path, counts: list[OpenSockets]
):
    """A stopped server has no sockets left."""
    values = {"auth": "token", "tokens_file": str(tmp_path / "tokens"), "allowed_hosts": ("127.0.0.1",)}
    _, ours = tokens.add(OURS)
    async with AsyncExitStack() as stack:
        async with Server(settings.model_copy(update=values)) as server:
            await _opened(stack, server, ours)
            assert counts[0].total == 1
        assert counts[0].total == 0


async def test_one_organization_leaves_room_for_others(
    settings: Settings, tokens: TokenFile, tmp_path: Path, states: list[ServerState]
):
    """A clinic with all its allowed sockets and streams takes half of the connections, and others still get in."""
    values = {"auth": "token", "tokens_file": str(tmp_path / "tokens"), "allowed_hosts": ("127.0.0.1",)}
    _, ours = tokens.add(OURS)
    _, theirs = tokens.add(THEIRS)
    subscribing = {"query": UPDATES, "variables": {"id": OURS}}
    bearer = {"Authorization": f"Bearer {ours}"}
    async with Server(settings.model_copy(update={**values, "max_connections": 8})) as server:
        async with AsyncExitStack() as stack:
            for _ in range(3):
                await _opened(stack, server, ours)
            stream = server.http.stream(
                "POST", "/graphql", json=subscribing, headers={**bearer, "Accept": "text/event-stream"}
            )
            assert (await stack.enter_async_context(stream)).status_code == 200
            one_more = await stack.enter_async_context(open_socket(server, init=False))
            await one_more.send(_init(ours))
            assert (await one_more.closed())[0] == 1013
            for accept in ("text/event-stream", "multipart/mixed;subscriptionSpec=1.0"):
                refused = await server.http.post("/graphql", json=subscribing, headers={**bearer, "Accept": accept})
                assert (refused.status_code, refused.headers["Retry-After"]) == (429, "10")
            plain = await server.http.post("/graphql", json={"query": "{ __typename }"}, headers=bearer)
            assert plain.status_code == 200
            for _ in range(2):
                await _opened(stack, server, theirs)
            assert (await server.http.get("/healthz")).status_code == 200
        await until(lambda: states[0].table._held.total() == 0)
        async with AsyncExitStack() as stack:
            await _opened(stack, server, ours)


def test_the_limit_is_no_smaller_than_that_of_subscriptions(monkeypatch: pytest.MonkeyPatch):
    """A page with a socket per subscription can use all allowed subscriptions; a smaller limit stops the start."""
    assert load_settings(max_subscriptions=70).most_sockets == 70
    assert load_settings(max_subscriptions=70, max_sockets=90).most_sockets == 90
    monkeypatch.setenv("ROUTIQ_MAX_SOCKETS", "69")
    monkeypatch.setenv("ROUTIQ_MAX_SUBSCRIPTIONS", "70")
    with pytest.raises(SettingsError, match=r"ROUTIQ_MAX_SOCKETS is wrong: must be at least ROUTIQ_MAX_SUBSCRIPTIONS"):
        load_settings()
