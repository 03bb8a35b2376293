"""Tokens made by an operator give access until they are revoked."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from routiq_gql.api.auth import session
from routiq_gql.errors import SettingsError
from routiq_gql.security.token_file import TokenFile
from routiq_gql.settings import Settings
from tests.graphql_documents import UPDATES
from tests.issuing import OURS, THEIRS, bearer
from tests.server import Server, open_socket

DASHBOARD = f"/api/v1/sync/dashboard/{OURS}"


@pytest.fixture
def tokens(tmp_path: Path) -> TokenFile:
    """The token file, as the command line changes it; the server has a separate object."""
    return TokenFile(tmp_path / "tokens")


@pytest.fixture
async def guarded(settings: Settings, tmp_path: Path) -> AsyncIterator[Server]:
    values = {"auth": "token", "tokens_file": str(tmp_path / "tokens"), "allowed_hosts": ("127.0.0.1",)}
    async with Server(settings.model_copy(update=values)) as server:
        yield server
        await server.without_watchers()


async def _answer(server: Server, token: str) -> httpx.Response:
    return await server.http.get(DASHBOARD, headers=bearer(token))


async def test_a_token_reaches_its_organization_from_the_moment_it_is_made(guarded: Server, tokens: TokenFile):
    """A running server follows the file: no restart is needed."""
    assert (await guarded.http.get(DASHBOARD)).status_code == 401
    _, ours = tokens.add(OURS)
    _, theirs = tokens.add(THEIRS, ["admin"])
    assert (await _answer(guarded, ours)).status_code == 200
    foreign = await _answer(guarded, theirs)
    assert (foreign.status_code, foreign.json()["code"]) == (403, "FORBIDDEN")
    for wrong in (ours[:-1], ours + "x", ours.upper(), "rtq_", tokens.entries()[0].digest):
        assert (await _answer(guarded, wrong)).status_code == 401


async def test_roles_come_from_the_file(guarded: Server, tokens: TokenFile):
    """A token without the role may not change the connection."""
    disconnect = {"query": f'mutation {{ disconnectCliniko(organizationId: "{OURS}") {{ ok }} }}'}
    for roles, refused in (((), True), (("member",), True), (("org:admin",), False)):
        _, token = tokens.add(OURS, roles)
        answer = (await guarded.http.post("/graphql", json=disconnect, headers=bearer(token))).json()
        assert ("errors" in answer) is refused


async def test_a_revoked_token_ends_its_open_connections(
    guarded: Server, tokens: TokenFile, monkeypatch: pytest.MonkeyPatch
):
    """New requests are refused at once, and sockets are closed soon after; other tokens still work."""
    monkeypatch.setattr(session, "LOOK_SECONDS", 0.05)
    entry, token = tokens.add(OURS)
    _, other = tokens.add(OURS)
    async with open_socket(guarded, init=False) as socket, open_socket(guarded, init=False) as kept:
        for one, with_token in ((socket, token), (kept, other)):
            await one.init(payload=bearer(with_token))
            await one.subscribe(UPDATES, id=OURS)
            assert (await one.receive())["type"] == "next"
        tokens.revoke(entry.id)
        assert (await _answer(guarded, token)).status_code == 401
        assert await socket.closed() == (4403, "The token was revoked.")
        await kept.send({"type": "ping"})
        assert (await kept.receive())["type"] == "pong"


async def test_an_unreadable_file_gives_no_access(guarded: Server, tokens: TokenFile, tmp_path: Path):
    """While the file is unreadable, clients read only that tokens can't be checked now; open sockets stay."""
    _, token = tokens.add(OURS)
    good = (tmp_path / "tokens").read_text()
    async with open_socket(guarded, init=False) as socket:
        await socket.init(payload=bearer(token))
        (tmp_path / "tokens").write_text("nonsense\n")
        answer = await _answer(guarded, token)
        assert (answer.status_code, answer.json()["code"]) == (503, "ISSUER_AWAY")
        assert str(tmp_path) not in answer.text
        async with open_socket(guarded, init=False) as another:
            await another.send({"type": "connection_init", "payload": bearer(token)})
            code, reason = await another.closed()
        assert (code, str(tmp_path) in str(reason)) == (1013, False)
        await socket.send({"type": "ping"})
        assert (await socket.receive())["type"] == "pong"
        (tmp_path / "tokens").write_text(good)
        assert (await _answer(guarded, token)).status_code == 200


async def test_a_file_that_others_may_write_is_refused_while_running(
    guarded: Server, tokens: TokenFile, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    """A file with a wrong mode is refused at once; open sockets stay, and a corrected mode restores access."""
    _, token = tokens.add(OURS)
    async with open_socket(guarded, init=False) as socket:
        await socket.init(payload=bearer(token))
        for mode in (0o660, 0o606):
            (tmp_path / "tokens").chmod(mode)
            answer = await _answer(guarded, token)
            assert (answer.status_code, answer.json()["code"]) == (503, "ISSUER_AWAY")
            ready = await guarded.http.get("/readyz")
            assert (ready.status_code, str(tmp_path) in ready.text) == (503, False)
            assert "token file" in ready.text
            await socket.send({"type": "ping"})
            assert (await socket.receive())["type"] == "pong"
        logged = capsys.readouterr().out
        assert logged.count("token_file_unusable") == 1
        assert "request_failed" not in logged
        (tmp_path / "tokens").chmod(0o600)
        assert (await _answer(guarded, token)).status_code == 200
        assert (await guarded.http.get("/readyz")).status_code == 200


def test_a_file_of_another_user_is_refused(tokens: TokenFile, monkeypatch: pytest.MonkeyPatch):
    """A file of another user is refused, as its owner could give access; a file of root is accepted."""
    tokens.add(OURS)
    owner = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    if owner == 0:
        assert tokens.entries()
        monkeypatch.setattr(os, "geteuid", lambda: 0)
        os.chown(tokens._path, 12345, -1)
    with pytest.raises(SettingsError, match="belongs to another user"):
        tokens.entries()


def test_the_file_gives_no_token_away(tokens: TokenFile, tmp_path: Path):
    """The file is readable by its owner only, and holds nothing that could be used as a token."""
    _, token = tokens.add(OURS)
    path = tmp_path / "tokens"
    assert path.stat().st_mode & 0o777 == 0o600
    assert token not in path.read_text()
    assert token.removeprefix("rtq_") not in path.read_text()
