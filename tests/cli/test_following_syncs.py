"""``cancel``, ``history``, ``log`` and ``sync --no-wait``, with and without a server that runs the syncs."""

import json
import re
import signal
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from routiq_gql.emulator import EMULATED_API_KEY
from tests.cli.conftest import Command
from tests.cli.programs import Program
from tests.conftest import ENCRYPTION_KEYS

SYNC_ID = r"sync_org_1_\d+_\d+(?:_\d+)?"
LOG_LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d\d:\d\d  (info|success|warning|error) +\S.*")


BOTH = pytest.mark.parametrize(
    "settings", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres_only)], indirect=True
)


@pytest.fixture
def settings(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The settings of the commands and of the server: a file, or a PostgreSQL database."""
    found = {"ROUTIQ_CLINIKO_REQUESTS_PER_MINUTE": "0"}
    if getattr(request, "param", "sqlite") == "postgres":
        url = request.getfixturevalue("empty_database_url")
        found |= {"ROUTIQ_DATABASE_URL": url, "ROUTIQ_ENCRYPTION_KEYS": ENCRYPTION_KEYS}
    for name, value in found.items():
        monkeypatch.setenv(name, value)
    return found


@pytest.fixture
def cliniko(folder: Path, settings: dict[str, str], command: Command) -> Iterator[str]:
    """An emulated Cliniko in a separate process, connected to org_1."""
    with Program("emulator", "--port", "0", "--patients", "3000", folder=folder) as emulator:
        url = emulator.wait_for(r"(http://127\.0\.0\.1:\d+/v1)").group(1)
        assert command("connect", "org_1", "--base-url", url, stdin=EMULATED_API_KEY).code == 0
        yield url


def _server(folder: Path, settings: dict[str, str]) -> Program:
    return Program("serve", "--port", "0", "--with-worker", folder=folder, settings=settings)


@BOTH
def test_a_sync_is_started_followed_and_listed(folder: Path, settings: dict[str, str], cliniko: str, command: Command):
    """Start a sync without waiting, follow its log to its end with each line once, and find it in the history."""
    with _server(folder, settings) as server:
        server.url()
        started = command("sync", "org_1", "--full", "--no-wait")
        assert (started.code, started.err) == (0, "")
        sync_id = re.search(SYNC_ID, started.out).group()
        assert started.out.splitlines() == [
            f"Sync started: {sync_id}",
            f"Follow it: routiq-gql log {sync_id} --follow",
        ]
        followed = command("log", "org_1", "--follow")
        assert (followed.code, followed.err) == (0, "")
        assert all(LOG_LINE.fullmatch(line) for line in followed.out.splitlines())
        assert "Initializing sync…" in followed.out.splitlines()[0]
        assert "success" in followed.out.splitlines()[-1]
        assert command("log", sync_id) == followed
        assert command("log", sync_id, "--follow") == followed
        warnings = command("log", sync_id, "--level", "success").out.splitlines()
        assert warnings == [line for line in followed.out.splitlines() if "  info " not in line]
        (listed,) = json.loads(command("history", "org_1", "--json").out)
        assert (listed["sync_id"], listed["status"], listed["mode"]) == (sync_id, "completed", "full")
        headings, row = (line.split("\t") for line in command("history", "org_1", "--limit", "1").out.splitlines())
        assert headings[:4] == ["sync", "started", "status", "took"]
        assert (row[0], row[2], row[4]) == (sync_id, "completed", "3,000")
        assert headings[-3:] == ["mode", "receipt", "patients changed"]
        assert (row[-3], row[-1]) == ("full", "")
        assert row[-2].startswith("agrees, +")


@BOTH
def test_a_running_sync_is_cancelled(folder: Path, settings: dict[str, str], cliniko: str, command: Command):
    """A server's sync is cancelled for the server and for a terminal that follows it; a second cancel says so."""
    with (
        _server(folder, settings) as server,
        Program("sync", "org_1", folder=folder, settings=settings) as sync,
    ):
        server.url()
        sync_id = sync.wait_for(SYNC_ID).group()
        cancelled = command("cancel", "org_1")
        assert (cancelled.code, cancelled.err) == (0, "")
        assert cancelled.out.startswith(f"Cancelled {sync_id} at ")
        assert sync.end() == 3
        again = command("cancel", sync_id)
        assert (again.code, again.out.startswith(f"No sync is running: {sync_id} cancelled at 20")) == (0, True)
        followed = command("log", sync_id, "--follow")
        assert (followed.code, "Sync cancelled by user" in followed.out) == (3, True)
        (listed,) = json.loads(command("history", "org_1", "--json").out)
        assert (listed["status"], listed["failure"]["code"]) == ("failed", "CANCELLED")
        headings, row = (line.split("\t") for line in command("history", "org_1", "--limit", "1").out.splitlines())
        shown = dict(zip(headings, row, strict=True))
        assert (shown["status"], shown["active"]) == ("cancelled", ""), "0 would be read as an outcome"


def test_a_sync_that_nothing_runs_says_so(folder: Path, settings: dict[str, str], cliniko: str, command: Command):
    """Without a server the sync waits: the command says so, and the sync can be joined or cancelled."""
    started = command("sync", "org_1", "--no-wait", "--json")
    assert started.code == 0
    assert json.loads(started.out)["status"] == "starting"
    assert "No process runs syncs on this database now" in started.err
    assert "Sync already in progress" in command("sync", "org_1", "--no-wait").out
    with Program("log", "org_1", "--follow", folder=folder, settings=settings) as log:
        assert command("sync", "org_1").code == 0, "this command runs it, as no other process does"
        assert log.end() == 0
        assert log.output == command("log", "org_1").out


def test_following_stops_with_ctrl_c(folder: Path, settings: dict[str, str], cliniko: str, command: Command):
    """Ctrl-C ends the log and not the sync, without an error message."""
    sync_id = re.search(SYNC_ID, command("sync", "org_1", "--no-wait").out).group()
    with (
        Program("log", sync_id, "--follow", folder=folder, settings=settings) as log,
        Program("sync", "org_1", folder=folder, settings=settings) as sync,
    ):
        log.wait_for("Initializing")
        log.send(signal.SIGINT)
        assert (log.end(), log.complaints) == (130, "")
        assert sync.end() == 0


def test_unknown_names_are_reported_with_advice(folder: Path, settings: dict[str, str], cliniko: str, command: Command):
    """An unknown organization or sync, or an organization without syncs, gives a sentence and exit code 1."""
    for arguments, part in (
        (["cancel", "org_9"], "There is no organization org_9. List the organizations: routiq-gql connections"),
        (["log", "org_9"], "There is no organization org_9."),
        (["history", "org_9"], "There is no organization org_9."),
        (["history", "org_1"], "org_1 has no sync yet. Start one: routiq-gql sync org_1"),
        (["cancel", "sync_org_9_20200101_000000"], "There is no sync sync_org_9_20200101_000000."),
        (["log", "sync_org_9_20200101_000000", "--follow"], "routiq-gql history ORG"),
    ):
        refused = command(*arguments)
        assert (refused.code, refused.out, refused.err.count("\n")) == (1, "", 1), refused
        assert part in refused.err


def _connect_as_before(folder: Path, organization_id: str) -> None:
    """Store the connection of an organization whose id only earlier versions accepted."""
    (file,) = folder.glob("*.db")
    with sqlite3.connect(file) as connection:
        connection.execute(
            "INSERT INTO connections (organization_id, state, base_url, shard, encrypted_key, encryption_key_id,"
            " created_at, updated_at) SELECT ?, state, base_url, shard, encrypted_key, encryption_key_id,"
            " created_at, updated_at FROM connections",
            [organization_id],
        )
    connection.close()


def test_an_organization_named_like_a_sync_is_not_mistaken_for_it(
    folder: Path, settings: dict[str, str], cliniko: str, command: Command
):
    """An ambiguous id cancels neither sync."""
    sync_id = re.search(SYNC_ID, command("sync", "org_1", "--no-wait").out).group()
    refused = command("connect", sync_id, "--no-check", "--base-url", cliniko, stdin=EMULATED_API_KEY)
    assert (refused.code, "has the form of a sync's id" in refused.err) == (2, True)
    _connect_as_before(folder, sync_id)
    assert command("connect", sync_id, "--no-check", "--base-url", cliniko, stdin=EMULATED_API_KEY).code == 0
    assert command("sync", sync_id, "--no-wait").code == 0
    refused = command("cancel", sync_id)
    assert (refused.code, "is both a sync of org_1 and an organization" in refused.err) == (2, True)
    assert command("cancel", "org_1").out.startswith(f"Cancelled {sync_id}")
