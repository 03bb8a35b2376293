"""``routiq-gql tokens`` and ``audit``, and a server with authentication that listens on all addresses."""

import json
import re
from pathlib import Path

import httpx

from tests.cli.conftest import Command
from tests.cli.programs import Program
from tests.ports import free_port

ORGANIZATION = "org_1"
DASHBOARD = f"/api/v1/sync/dashboard/{ORGANIZATION}"


def _token(out: str) -> tuple[str, str]:
    """The printed token, and its id."""
    match = re.fullmatch(r"(rtq_[\w-]{43})\nToken ([0-9a-f]{12}) of org_1\..*\n", out)
    assert match is not None, out
    return match[1], match[2]


def test_tokens_are_made_listed_and_revoked(command: Command, folder: Path, monkeypatch):
    """A token is shown once, its id in lists; errors are a single sentence."""
    monkeypatch.setenv("ROUTIQ_TOKENS_FILE", "tokens")
    assert command("tokens", "list").out == "There is no token. Create one: routiq-gql tokens add ORG\n"
    token, token_id = _token(command("tokens", "add", ORGANIZATION, "--role", "org:admin", "--role", "syncs:start").out)
    _, other_id = _token(command("tokens", "add", ORGANIZATION).out)
    listed = command("tokens", "list").out
    assert [line.split("\t")[:3] for line in listed.splitlines()] == [
        ["id", "organization", "roles"],
        [token_id, ORGANIZATION, "admin, syncs:start"],
        [other_id, ORGANIZATION, ""],
    ]
    assert token not in listed
    assert command("tokens", "revoke", token_id).out == f"Token {token_id} of {ORGANIZATION} is revoked.\n"
    assert token_id not in command("tokens", "list").out
    for arguments, part in (
        (("revoke", token_id), f"There is no token {token_id}"),
        (("add", "org 1"), "letters, digits, dashes and underscores"),
        (("add", ORGANIZATION, "--role", "a role"), "A role has"),
    ):
        refused = command("tokens", *arguments)
        assert (refused.code, refused.err.count("\n")) == (2, 1)
        assert part in refused.err
    (folder / "tokens").write_text("nonsense\n")
    broken = command("tokens", "add", ORGANIZATION)
    assert (broken.code, broken.err.count("\n")) == (2, 1)
    assert "Line 1 of the token file" in broken.err
    monkeypatch.setenv("ROUTIQ_TOKENS_FILE", "tokens/under-a-file")
    misplaced = command("tokens", "add", ORGANIZATION)
    assert (misplaced.code, misplaced.err.count("\n")) == (2, 1)
    assert "tokens/under-a-file can't be" in misplaced.err


def test_a_server_on_all_addresses_requires_tokens(command: Command, folder: Path, monkeypatch):
    """With tokens a server may listen on every address; the audit log has allowed and refused callers."""
    settings = {
        "ROUTIQ_AUTH": "token",
        "ROUTIQ_TOKENS_FILE": "tokens",
        "ROUTIQ_ALLOWED_HOSTS": "routiq.example.com",
        "ROUTIQ_DATABASE_URL": "sqlite+aiosqlite:///./routiq.db",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    token, token_id = _token(command("tokens", "add", ORGANIZATION).out)
    port = free_port()
    with Program("serve", "--host", "0.0.0.0", "--port", str(port), folder=folder, settings=settings) as server:
        server.wait_for("/graphql")
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers={"Host": "routiq.example.com"}) as client:
            assert client.get(DASHBOARD).status_code == 401
            allowed = {"Authorization": f"Bearer {token}"}
            assert client.get(DASHBOARD, headers=allowed).status_code == 200
            assert client.get(DASHBOARD, headers=allowed | {"Host": "localhost"}).status_code == 421
            started = client.post(f"/api/v1/sync/start/{ORGANIZATION}", headers=allowed).json()
            # The file as another process changes it.
            assert command("tokens", "revoke", token_id).code == 0
            assert client.get(DASHBOARD, headers=allowed).status_code == 401
        server.process.terminate()
        assert server.end() == 0
        assert token not in server.output + server.complaints
    entries = json.loads(command("audit", "--json").out)
    assert {"action": "start", "outcome": "DONE", "subject": f"token:{token_id}", "sync_id": started["sync_id"]} in [
        {name: entry[name] for name in ("action", "outcome", "subject", "sync_id")} for entry in entries
    ]
    assert sum(entry["times"] for entry in entries if entry["outcome"] == "UNAUTHENTICATED") == 2
    shown = command("audit", ORGANIZATION, "--since", "1h").out.splitlines()
    assert [line.split("\t")[1] for line in shown] == ["action", "revoke_token", "start", "add_token"]
    assert all(token_id in line for line in (shown[1], shown[3]))
    assert command("audit", "org_other").out == "The audit log has no such entries.\n"


def test_a_token_is_revoked_whatever_the_database_does(command: Command, folder: Path, monkeypatch):
    """If the audit log can't be written, the command says so, and the token is revoked all the same."""
    monkeypatch.setenv("ROUTIQ_TOKENS_FILE", "tokens")
    for url in (
        "postgresql+psycopg://routiq:secret@127.0.0.1:1/routiq",
        "sqlite+aiosqlite:///no/such/folder/routiq.db",
    ):
        monkeypatch.setenv("ROUTIQ_DATABASE_URL", url)
        added = command("tokens", "add", ORGANIZATION)
        _, token_id = _token(added.out)
        revoked = command("tokens", "revoke", token_id)
        assert (revoked.code, revoked.out) == (0, f"Token {token_id} of {ORGANIZATION} is revoked.\n")
        assert token_id not in command("tokens", "list").out
        for result in (added, revoked):
            assert result.err.startswith("The audit log has no entry of this: ")
            assert result.err.count("\n") == 1
            assert "secret" not in result.err


def test_a_token_file_that_others_may_write_is_refused(command: Command, folder: Path, monkeypatch):
    """The command and a server refuse a file that other users could write, and say how to repair it."""
    monkeypatch.setenv("ROUTIQ_TOKENS_FILE", "tokens")
    _token(command("tokens", "add", ORGANIZATION).out)
    monkeypatch.setenv("ROUTIQ_AUTH", "token")
    monkeypatch.setenv("ROUTIQ_ALLOWED_HOSTS", "127.0.0.1")
    for mode in (0o620, 0o602, 0o666):
        (folder / "tokens").chmod(mode)
        commands = (("list",), ("add", ORGANIZATION), ("revoke", "x"))
        for arguments in (*(("tokens", *one) for one in commands), ("serve", "--port", "0")):
            refused = command(*arguments)
            assert (refused.code, refused.err.count("\n")) == (2, 1)
            assert "chmod 600 tokens" in refused.err
    (folder / "tokens").chmod(0o644)
    assert command("tokens", "list").code == 0, "reading it gives no token away"
    folder.chmod(0o777)
    assert f"chmod o-w {folder}" in command("tokens", "list").err
    folder.chmod(0o1777)
    assert command("tokens", "list").code == 0, "where only owners may move files, as in /tmp"
    folder.chmod(0o700)
