"""Wrong use, settings and circumstances give a sentence with advice and exit code 2, without a traceback."""

import os
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from routiq_gql.emulator import EMULATED_API_KEY
from tests.cli.conftest import Command, Result
from tests.cli.programs import Program, run_program


def _assert_one_sentence(result: Result, *parts: str) -> None:
    assert result.code == 2, result
    assert result.out == ""
    assert result.err.count("\n") == 1, result.err
    for part in parts:
        assert part in result.err


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["sync"], ["Missing argument 'ORG'", "routiq-gql sync --help"]),
        (["serv"], ["No such command 'serv'. Did you mean 'serve'? Type `routiq-gql --help`"]),
        (["demo", "--prt", "1"], ["No such option", "--port", "routiq-gql demo --help"]),
        (["demo", "--port", "99999"], ["--port", "65535", "routiq-gql demo --help"]),
        (["emulator", "--clinic", "tidy"], ["'demo'", "'awkward'"]),
        (["db", "upgrad"], ["No such command 'upgrad'", "'upgrade'", "routiq-gql db --help"]),
        (["sync", "org_1", "--ful"], ["No such option", "--full", "routiq-gql sync --help"]),
        (["sync", "org_1", "--no-wait"], ["org_1 is not connected"]),
        (["cancel"], ["Missing argument 'ORG|SYNC_ID'", "routiq-gql cancel --help"]),
        (["cancel", "org 1"], ["letters, digits, dashes and underscores"]),
        (["log", "\udced"], ["letters, digits, dashes and underscores"]),
        (["log", "org_1", "--level", "loud"], ["'warning'", "routiq-gql log --help"]),
        (["history", "org_1", "--limit", "0"], ["--limit", "routiq-gql history --help"]),
        (["sync", "org 1"], ["letters, digits, dashes and underscores"]),
        (["sync", "org_1"], ["org_1 is not connected", "routiq-gql connect org_1"]),
        (["connect", "org_1"], ["API key is missing", "--api-key KEY"]),
        (["connect", "org_1", "--api-key", "not a key"], ["key"]),
        (["connect", "org_1", "--api-key", EMULATED_API_KEY], ["ROUTIQ_CONTACT_EMAIL"]),
        (["connect", "org_1", "--api-key", EMULATED_API_KEY, "--base-url", "http://example.com"], ["base URL"]),
        (["connect", "org_1", "--api-key", EMULATED_API_KEY, "--base-url", "http://[::1"], ["base URL"]),
        (["connect", "org_1", "--api-key", EMULATED_API_KEY, "--base-url", f"https://x:{'9' * 5_000}"], ["base URL"]),
        (["connect", "org_1", "--api-key", EMULATED_API_KEY, "--base-url", "https://x/\udced\x01"], ["base URL"]),
        (["connect", "org_1", "--api-key", "\udced"], ["key"]),
        (["connect", "\udced\udca0\udc80", "--api-key", "x"], ["letters, digits, dashes and underscores"]),
        (["sync", "\udced\udca0\udc80"], ["letters, digits, dashes and underscores"]),
        (["sync", "٣\x00"], ["letters, digits, dashes and underscores"]),
        (["schedule", "org_1", "--every", "\udced"], ["“�” is not a duration"]),
        (["schedule", "org_1", "--every", "1h", "--at", "06:00"], ["--every or --at, not both"]),
        (["schedule", "org_1", "--weekdays", "mon"], ["belong to --at", "such as --at 06:00"]),
        (["schedule", "org_1", "--at", "06:00"], ["time zone of org_1 is not known", "--time-zone Australia/Sydney"]),
        (["schedule", "org_1", "--at", "6am"], ["“6am” is not a time of day", "such as 06:00"]),
        (["schedule", "org_1", "--at", "\udced"], ["“�” is not a time of day"]),
        (["schedule", "org_1", "--at", "06:00", "--time-zone", "Sidney"], ["“Sidney” is not a time zone"]),
        (["schedule", "org_1", "--at", "06:00", "--weekdays", "mo"], ["“mo” are not days of the week", "mon-fri"]),
        (["audit", "--limit", "9" * 5_000], ["--limit", "routiq-gql audit --help"]),
        (["tokens", "revoke", "\udced"], ["ROUTIQ_TOKENS_FILE is not set"]),
        (["serve", "--host", "\udced"], ["no host"]),
        (["serve", "--host", "0.0.0.0"], ["ROUTIQ_AUTH=off", "--host 127.0.0.1", "ROUTIQ_AUTH to token or jwt"]),
        (["status", "--stale"], ["routiq-gql status --help"]),
        (["tokens", "rewoke"], ["No such command", "'revoke'", "routiq-gql tokens --help"]),
        (["tokens", "add", "org_1"], ["ROUTIQ_TOKENS_FILE is not set"]),
        (["audit", "org 1"], ["letters, digits, dashes and underscores"]),
        (["audit", "--since", "yesterday"], ["“yesterday” is not a duration", "7d"]),
        (["audit", "--limit", "0"], ["--limit", "routiq-gql audit --help"]),
        (["webhooks", "add", "org_1", "https://x.example"], ["'--event'. Choose from: sync.completed, sync.failed, "]),
        (["schema", "--output", "no/such/folder.graphql"], ["can't be written", "--output FILE"]),
    ],
)
def test_wrong_use_gets_a_sentence(command: Command, arguments: list[str], parts: list[str]):
    """The error names the mistyped or missing part and the correct form."""
    _assert_one_sentence(command(*arguments), *parts)


def test_a_key_that_is_not_text_gets_a_sentence(folder: Path):
    """A binary file piped in by mistake, and a terminal that only supports ASCII, give a sentence."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ROUTIQ_")}
    ended = subprocess.run(
        [sys.executable, "-m", "routiq_gql", "connect", "org_1"],
        input=b"\xff\xfe\xed\xa0\x80",
        capture_output=True,
        cwd=folder,
        env={**environment, "PYTHONIOENCODING": "ascii:strict"},
        check=False,
    )
    _assert_one_sentence(Result(ended.returncode, ended.stdout.decode(), ended.stderr.decode("ascii")), "API key")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ROUTIQ_RECENT_DAYS", "soon"),
        ("ROUTIQ_LOG_FORMAT", "xml"),
        ("ROUTIQ_AUTH", "maybe"),
        ("ROUTIQ_DATABASE_URL", "mysql://secret@host/db"),
        ("ROUTIQ_CONTACT_EMAIL", "nobody"),
        ("ROUTIQ_DATABASE_URL", "sqlite+aiosqlite:///:memory:"),
        ("ROUTIQ_CLINIKO_BASE_URL", "http://secret.example"),
        ("ROUTIQ_ALLOWED_HOSTS", "routiq.example.com *"),
        ("ROUTIQ_JWT_ISSUER", "http://issuer.example"),
        ("ROUTIQ_TRUSTED_PROXIES", "10.0.0.0/8 proxy"),
        ("ROUTIQ_CLINIKO_REQUESTS_PER_MINUTE", "100000"),
    ],
)
@pytest.mark.parametrize("arguments", [["serve"], ["sync", "org_1"], ["connect", "org_1"], ["db", "upgrade"]])
def test_a_wrong_setting_is_named(
    command: Command, monkeypatch: pytest.MonkeyPatch, name: str, value: str, arguments: list[str]
):
    """The error names the variable, but not its value, which may be a secret."""
    monkeypatch.setenv(name, value)
    result = command(*arguments)
    _assert_one_sentence(result, name)
    assert value not in result.err


@pytest.mark.parametrize(
    ("name", "value", "parts"),
    [
        ("ROUTIQ_SEND_TIMEOUT", "", ["ROUTIQ_SEND_TIMEOUT is wrong", "number is expected"]),
        ("ROUTIQ_RECENT_DAYS", "", ["ROUTIQ_RECENT_DAYS is wrong", "whole number is expected"]),
        ("ROUTIQ_INTROSPECTION", "perhaps", ["ROUTIQ_INTROSPECTION is wrong", "true or false"]),
        ("ROUTIQ_ALOWED_HOSTS", "clinic.example", ["ROUTIQ_ALOWED_HOSTS is not a setting", "ROUTIQ_ALLOWED_HOSTS?"]),
        ("routiq_databaseurl", "secret", ["routiq_databaseurl is not a setting", "ROUTIQ_DATABASE_URL?"]),
    ],
)
def test_a_setting_is_explained_in_words(
    command: Command, monkeypatch: pytest.MonkeyPatch, name: str, value: str, parts: list[str]
):
    """The expected form is described in an operator's words, and a misspelt variable is an error."""
    monkeypatch.setenv(name, value)
    _assert_one_sentence(command("status"), *parts)


def test_variables_of_other_programs_are_left_alone(command: Command, monkeypatch: pytest.MonkeyPatch):
    """Variables of other programs with the same prefix, such as the example clients', are ignored."""
    for name in ("ROUTIQ_TOKEN", "ROUTIQ_TOKEN_URL", "ROUTIQ_CLINIKO_API_KEY", "ROUTIQ_TEST_POSTGRES_URL"):
        monkeypatch.setenv(name, "x")
    assert command("status").code == 0


@pytest.mark.parametrize("arguments", [["serve", "--port", "0"], ["sync", "org_1"], ["db", "upgrade"]])
@pytest.mark.parametrize("problem", ["no folder", "a folder in its place", "not a database", "newer"])
def test_a_database_that_cannot_be_used_is_named(
    command: Command, monkeypatch: pytest.MonkeyPatch, folder: Path, problem: str, arguments: list[str]
):
    """With a missing folder, a wrong file or a newer version, the error names the file, which stays unchanged."""
    file = folder / "here" / "clinic.db"
    monkeypatch.setenv("ROUTIQ_DATABASE_URL", f"sqlite+aiosqlite:///{file}")
    if problem != "no folder":
        file.parent.mkdir()
    if problem == "a folder in its place":
        file.mkdir()
    elif problem == "not a database":
        file.write_text("Dear diary, this is not a database, but it is long enough to look at." * 100)
    elif problem == "newer":
        assert command("db", "upgrade").code == 0
        connection = sqlite3.connect(file)
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
        connection.close()
    before = file.read_bytes() if file.is_file() else None
    _assert_one_sentence(command(*arguments), str(file))
    assert before is None or file.read_bytes()[:4096] == before[:4096]


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        yield taken.getsockname()[1]


@pytest.mark.parametrize("name", ["serve", "demo", "emulator"])
def test_a_port_in_use_gets_a_sentence(command: Command, folder: Path, taken_port: int, name: str):
    """The port is checked before anything is created or started."""
    _assert_one_sentence(command(name, "--port", str(taken_port)), f"Port {taken_port}", "--port ")
    assert os.listdir(folder) == []


def test_a_second_demo_in_the_same_folder_is_refused(folder: Path):
    """Two demos would share a database, so the second is refused and the first continues."""
    with Program("demo", "--still", "--port", "0", folder=folder) as first:
        first.url()
        code, out, err = run_program("demo", "--port", "0", "--fresh", folder=folder)
        assert (code, out) == (2, "")
        assert "Another demo runs here" in err
        assert err.count("\n") == 1
        assert first.process.poll() is None


def test_a_demo_where_nothing_can_be_written_says_so(command: Command, folder: Path):
    """The demo names the folder that it can't use."""
    (folder / ".routiq-demo").write_text("in the way")
    _assert_one_sentence(command("demo", "--port", "0"), ".routiq-demo", "folder of your own")


def test_the_version_is_printed(command: Command):
    """The installed version, on a single line."""
    assert command("--version").out == "routiq-gql 0.1.0\n"


if sys.platform == "linux":  # which has /dev/full

    @pytest.mark.parametrize("arguments", [["--help"], ["schema"], ["connections", "--json"]])
    def test_a_full_disk_below_the_output_is_a_sentence(tmp_path, arguments):
        """Output to a file on a full disk ends the command with a sentence, not with a traceback."""
        with Path("/dev/full").open("w") as full:
            ended = subprocess.run(
                [sys.executable, "-m", "routiq_gql", *arguments],
                cwd=tmp_path,
                stdout=full,
                stderr=subprocess.PIPE,
                text=True,
                check=False,
            )
        assert ended.returncode == 1
        assert ended.stderr == "No space left on device. Free some space and run the command again.\n"
