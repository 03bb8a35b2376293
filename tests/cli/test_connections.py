"""The operator's commands besides syncs: connections, status, disconnect, erase, and the rotation of keys."""

import json
import os
import re
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import time_machine

from routiq_gql.emulator import EMULATED_API_KEY
from tests.cli.conftest import Command
from tests.cli.programs import Program, run_program


@pytest.fixture
def cliniko(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The base URL of an emulated Cliniko with 50 patients, in a separate process."""
    monkeypatch.setenv("ROUTIQ_CLINIKO_REQUESTS_PER_MINUTE", "0")
    with Program("emulator", "--port", "0", "--patients", "50", folder=folder) as emulator:
        yield emulator.wait_for(r"(http://127\.0\.0\.1:\d+/v1)").group(1)


def _unpaced() -> dict[str, str]:
    return {"ROUTIQ_CLINIKO_REQUESTS_PER_MINUTE": "0"}


@pytest.mark.timeout(300)  # a minute on a busy machine
def test_ten_clinics_from_an_empty_machine(folder: Path, cliniko: str, command: Command):
    """Ten clinics are connected and synced by the same server; meanwhile keys are rotated and a clinic is erased."""
    organizations = [f"org_{number}" for number in range(10)]
    for organization in organizations:
        connected = command("connect", organization, "--base-url", cliniko, stdin=EMULATED_API_KEY + "\n")
        assert connected.code == 0, connected.err
        assert "as administrator" in connected.out
    with Program("serve", "--port", "0", folder=folder, settings=_unpaced()) as server:
        server.url()
        for organization in organizations[:5]:
            assert run_program("sync", organization, folder=folder, settings=_unpaced())[0] == 0
        before = (folder / "routiq.db.key").read_text()
        rotated = command("keys", "rotate")
        assert re.search(r"Encrypted 10 stored API keys anew with the key file-\w+\.", rotated.out)
        assert (folder / "routiq.db.key").read_text() != before
        for organization in organizations[5:]:
            code, out, err = run_program("sync", organization, folder=folder, settings=_unpaced())
            assert code == 0, out + err
        assert command("disconnect", "org_3", "--erase", "--yes").code == 0
        listed = json.loads(command("connections", "--json").out)
        assert [one["organization_id"] for one in listed] == [one for one in organizations if one != "org_3"]
        assert all(one["state"] == "connected" and one["last_success_at"] for one in listed)
        told = command("status", "--stale", "6h")
        assert told.code == 0, told.out
        complaints = server.complaints
    assert EMULATED_API_KEY[:-4] not in complaints
    secret = EMULATED_API_KEY.rpartition("-")[0].encode()
    for file in folder.glob("routiq.db*"):
        content = file.read_bytes()
        assert secret not in content, file
        assert b"org_3" not in content, file
        assert stat.S_IMODE(file.stat().st_mode) & 0o077 == 0, f"others may read {file}"


def test_status_reports_problems_to_cron(folder: Path, cliniko: str, command: Command):
    """The exit code and a line per clinic say whether an operator must act, and how."""
    assert command("connect", "org_good", "--base-url", cliniko, stdin=EMULATED_API_KEY).code == 0
    assert command("sync", "org_good").code == 0
    assert command("status").code == 0
    assert command("connect", "org_bad", "--no-check", "--base-url", cliniko, stdin="MS0xd3Jvbmcta2V5-au1").code == 0
    assert command("sync", "org_bad").code == 1
    told = command("status", "--json")
    assert told.code == 1
    by_id = {one["organization_id"]: one for one in json.loads(told.out)}
    assert list(by_id) == ["org_bad", "org_good"], "the one without a success comes first"
    assert by_id["org_bad"]["connection"] == "needs_attention"
    assert (by_id["org_bad"]["failure_code"], by_id["org_bad"]["last_success_at"]) == ("KEY_REFUSED", None)
    assert "connect again" in by_id["org_bad"]["what_to_do"]
    assert by_id["org_good"]["what_to_do"] is None
    assert (by_id["org_good"]["mode"], by_id["org_good"]["agrees"]) == ("full", True)
    assert (by_id["org_bad"]["mode"], by_id["org_bad"]["agrees"]) == (None, None)
    assert (by_id["org_good"]["changes"], by_id["org_bad"]["changes"]) == (None, None)
    plain = command("status").out.splitlines()
    assert plain[0].split("\t") == ["organization", "last success", "now", "last failure", "what to do", "receipt"]
    assert plain[2].split("\t")[-1].startswith("full, agrees, +")
    assert plain[1].startswith("org_bad\tnever\tidle\tKEY_REFUSED\t")

    assert command("disconnect", "org_bad").code == 0
    assert command("status").code == 0, "who was switched off on purpose needs nobody"
    stale = command("status", "--stale", "0m")
    assert stale.code == 1
    assert "(stale)" in stale.out
    assert "Sync it: routiq-gql sync org_good" in stale.out


def test_connect_says_how_far_back_appointments_are_stored(
    folder: Path, cliniko: str, command: Command, monkeypatch: pytest.MonkeyPatch
):
    """A new database stores 730 days; an updated database keeps its window until the operator says otherwise."""
    arguments = ("--base-url", cliniko, "--no-check")
    new = command("connect", "org_1", *arguments, stdin=EMULATED_API_KEY)
    since = datetime.now(UTC).date() - timedelta(days=730)
    assert f"Appointments are stored from {since} on, 730 days back; there is no end." in new.out
    assert command("sync", "org_1").code == 0
    with closing(sqlite3.connect("routiq.db")) as database, database:
        database.execute("UPDATE mirrors SET keeps_window = 1")
    for organization in ("org_1", "org_2"):  # connections of a database stay alike
        kept = command("connect", organization, *arguments, stdin=EMULATED_API_KEY)
        assert re.search(
            r"Appointments are stored from \S+ to \S+ only, as this database was made by an earlier", kept.out
        )
        assert "set ROUTIQ_HISTORY_DAYS, such as 730; it holds more personal data." in kept.out
    monkeypatch.setenv("ROUTIQ_HISTORY_DAYS", "365")
    chosen = command("connect", "org_1", *arguments, stdin=EMULATED_API_KEY)
    assert f"from {since + timedelta(days=365)} on, 365 days back; there is no end." in chosen.out


def test_the_second_sync_reads_changes_and_says_that_there_were_none(folder: Path, cliniko: str, command: Command):
    """A sync in the terminal ends with its receipt; --full reads everything, and the history names the modes."""
    command("connect", "org_1", "--base-url", cliniko, stdin=EMULATED_API_KEY)
    outputs = [command("sync", "org_1", *options).out for options in ([], [], ["--full"])]
    ended = [re.search(r"Sync completed in [^,]+, (full|incremental): 50 patients.*", output) for output in outputs]
    assert [found[1] for found in ended if found] == ["full", "incremental", "full"]
    assert re.search(r"Agrees with Cliniko, checked \d\d:\d\d [+-]\d\d:\d\d; \d+ requests; \+\d+", outputs[0])
    assert all(output.splitlines()[-1].endswith(" requests; no changes") for output in outputs[1:])
    rows = [row.split("\t") for row in command("history", "org_1").out.splitlines()[1:]]
    assert [(row[-3], row[-2].split(",")[0]) for row in rows] == [
        ("full", "agrees"),
        ("incremental", "agrees"),
        ("full", "agrees"),
    ]


def test_disconnected_and_connected_again(folder: Path, cliniko: str, command: Command):
    """A disconnected clinic can't be synced, keeps its patients, and works again with its key."""
    command("connect", "org_1", "--base-url", cliniko, stdin=EMULATED_API_KEY)
    assert command("sync", "org_1").code == 0
    assert "Its patients stay stored" in command("disconnect", "org_1").out
    assert command("status").out.splitlines()[1].split("\t")[2] == "disconnected"
    refused = command("sync", "org_1")
    assert (refused.code, "routiq-gql connect org_1" in refused.err) == (2, True)
    assert "disabled" in command("connections").out
    assert command("connect", "org_1", "--base-url", cliniko, stdin=EMULATED_API_KEY).code == 0
    result = command("sync", "org_1", "--json")
    assert result.code == 0
    assert json.loads(result.out)["status"] == "completed"


def test_erasing_asks_first(folder: Path, cliniko: str, command: Command):
    """Without a terminal for a question, erasing needs --yes; nothing is erased by accident."""
    command("connect", "org_1", "--base-url", cliniko, stdin=EMULATED_API_KEY)
    refused = command("disconnect", "org_1", "--erase")
    assert (refused.code, "--yes" in refused.err) == (2, True)
    assert "org_1" in command("connections").out
    assert command("disconnect", "org_1", "--erase", "--yes").code == 0
    assert command("connections").out.startswith("No organization is connected.")
    missing = command("disconnect", "org_1")
    assert (missing.code, "not connected" in missing.err) == (1, True)


def test_a_configured_key_is_rotated_by_putting_a_new_one_first(
    folder: Path, cliniko: str, command: Command, monkeypatch: pytest.MonkeyPatch
):
    """The operator puts a new key first, rotates, and can then remove the old key."""
    old, new = "old:" + "b2xk" * 10 + "b2w=", "new:" + "bmV3" * 10 + "bmU="
    monkeypatch.setenv("ROUTIQ_ENCRYPTION_KEYS", old)
    command("connect", "org_1", "--base-url", cliniko, stdin=EMULATED_API_KEY)
    monkeypatch.setenv("ROUTIQ_ENCRYPTION_KEYS", f"{new},{old}")
    assert "Encrypted 1 stored API key anew with the key new." in command("keys", "rotate").out
    assert "Encrypted 0 stored API keys" in command("keys", "rotate").out
    monkeypatch.setenv("ROUTIQ_ENCRYPTION_KEYS", new)
    assert command("sync", "org_1").code == 0
    monkeypatch.setenv("ROUTIQ_ENCRYPTION_KEYS", old)
    failed = command("sync", "org_1")
    assert failed.code == 1
    assert "“new”, which is not configured" in failed.out


def test_a_key_file_that_others_may_read_stops_every_command(folder: Path, cliniko: str, command: Command):
    """A key file with loose permissions is not used, and the error names the command to repair it."""
    command("connect", "org_1", "--base-url", cliniko, stdin=EMULATED_API_KEY)
    os.chmod(folder / "routiq.db.key", 0o644)
    for arguments in (("sync", "org_1"), ("keys", "rotate"), ("connections",), ("serve", "--port", "0")):
        refused = command(*arguments)
        assert (refused.code, "chmod 600" in refused.err) == (2, True), arguments


def test_completion_is_offered(command: Command):
    """Shells can complete commands and options."""
    assert "--install-completion" in command("--help").out


def test_a_success_in_the_future_is_reported(folder: Path, cliniko: str, command: Command):
    """After the clock was ahead, the command says that the age of the data is unknown, and why."""
    assert command("connect", "org_1", "--base-url", cliniko, stdin=EMULATED_API_KEY).code == 0
    with time_machine.travel(datetime.now(UTC) + timedelta(days=730)):
        assert command("sync", "org_1").code == 0
        assert command("status", "--stale", "6h").code == 0
    told = command("status", "--stale", "6h")
    assert told.code == 1
    assert "(stale)" in told.out
    assert "in the future: the clock of this machine is wrong now, or was wrong then" in told.out
    (listed,) = json.loads(command("status", "--stale", "6h", "--json").out)
    assert (listed["stale"], "clock" in listed["what_to_do"]) == (True, True)
    assert command("sync", "org_1").code == 0
    assert command("status", "--stale", "6h").code == 0
