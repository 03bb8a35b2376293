"""The list of commands is complete, readable in any terminal, and quick, as nothing else is imported for it."""

import subprocess
import sys
from pathlib import Path

import pytest
from typer.core import TyperGroup

from routiq_gql.cli.commands import COMMANDS, load
from tests.cli.conftest import Command

NAMES = [one.name for one in COMMANDS]
GROUPS = [name for name in NAMES if isinstance(load(name), TyperGroup)]
HEAVY = {"strawberry", "graphql", "sqlalchemy", "alembic", "starlette", "uvicorn", "httpx", "structlog", "asyncio"}
"""Packages that take most of the time of a start."""
EVERY_LINE = [[name, *rest] for name in NAMES for rest in ([], *([sub] for sub in getattr(load(name), "commands", {})))]


def _imported(*arguments: str) -> set[str]:
    """The modules that a call of the program has imported at its end."""
    code = (
        "import atexit, sys; sys.argv = ['routiq-gql', *sys.argv[1:]];"
        "atexit.register(lambda: print(*sys.modules, file=sys.stderr));"
        "from routiq_gql.__main__ import main; main()"
    )
    ended = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)
    return set(ended.stderr.splitlines()[-1].split())


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["serv"]])
def test_help_imports_nothing_that_only_a_command_needs(arguments: list[str]):
    """Help and typing errors don't wait for imports of the server."""
    modules = _imported(*arguments)
    assert {name.partition(".")[0] for name in modules} & HEAVY == set()
    ours = {name for name in modules if name.startswith("routiq_gql")}
    allowed = {"commands", "exit_codes", "plain_text", "program"}
    assert ours <= {"routiq_gql", "routiq_gql.__main__", "routiq_gql.cli", "routiq_gql.errors"} | {
        f"routiq_gql.cli.{name}" for name in allowed
    }


@pytest.mark.parametrize(
    ("command", "unneeded"),
    [
        ("status", {"strawberry", "starlette", "uvicorn", "routiq_gql.emulator", "routiq_gql.app"}),
        ("sync", {"strawberry", "starlette", "uvicorn", "routiq_gql.emulator", "routiq_gql.app"}),
        ("history", {"strawberry", "starlette", "uvicorn", "routiq_gql.emulator", "routiq_gql.app"}),
        ("tokens", {"strawberry", "starlette", "uvicorn", "httpx", "routiq_gql.emulator", "routiq_gql.runtime"}),
        ("db", {"strawberry", "starlette", "uvicorn", "httpx", "routiq_gql.emulator", "routiq_gql.runtime"}),
        ("worker", {"strawberry", "graphql", "routiq_gql.emulator"}),
        ("workers", {"psycopg", "procrastinate", "routiq_gql.emulator"}),
        ("serve", {"routiq_gql.emulator", "routiq_gql.doctor"}),
        ("check", {"strawberry", "sqlalchemy", "starlette", "routiq_gql.emulator"}),
    ],
)
def test_a_command_imports_only_what_it_needs(command: str, unneeded: set[str]):
    """A command that cron calls every minute doesn't load the web server or the emulated clinic."""
    assert _imported(command, "--help") & unneeded == set()


def test_the_list_of_commands_equals_their_help():
    """A command's line in the list is the first paragraph of its help."""
    for one in COMMANDS:
        first = (load(one.name).help or "").split("\n\n")[0]
        assert first == one.summary, one.name
    modules = {one.module or one.name for one in COMMANDS}
    folder = Path(sys.modules["routiq_gql.cli.commands"].__file__ or "").parent
    with_app = {file.stem for file in folder.glob("*.py") if "\napp = typer.Typer(add_completion" in file.read_text()}
    assert with_app == modules - {one.module or one.name for one in COMMANDS if one.name in GROUPS}


def test_a_program_without_a_command_lists_them(command: Command):
    """Without a command, the program and each of its groups list their commands, without an error."""
    listing = command("--help")
    assert listing.code == 0
    assert all(name in listing.out for name in NAMES)
    assert command() == listing
    assert GROUPS == ["webhooks", "tokens", "keys", "db"]
    for name in GROUPS:
        alone = command(name)
        assert (alone.code, alone.err) == (0, "")
        assert all(sub in alone.out for sub in load(name).commands)  # type: ignore[union-attr]
        assert alone == command(name, "--help")


@pytest.mark.parametrize("words", EVERY_LINE, ids=" ".join)
def test_every_help_fits_a_terminal_and_has_an_example(
    command: Command, monkeypatch: pytest.MonkeyPatch, words: list[str]
):
    """Each command's help fits into 80 columns and has an example to copy."""
    monkeypatch.setenv("COLUMNS", "80")
    shown = command(*words, "--help")
    assert shown.code == 0
    assert max(len(line) for line in shown.out.splitlines()) <= 80
    assert "Example" in shown.out
    command_help = load(words[0]) if len(words) == 1 else load(words[0]).commands[words[1]]  # type: ignore[union-attr]
    assert all("\n" not in paragraph for paragraph in (command_help.help or "").split("\n\n"))
    examples = " ".join(shown.out.partition("Example")[2].split())
    assert f"routiq-gql {' '.join(words)}" in examples


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("routiq-gql hist", {"history"}),
        ("routiq-gql tokens re", {"revoke"}),
        ("routiq-gql sync --n", {"--no-wait"}),
        ("routiq-gql log --level ", {"info", "success", "warning", "error"}),
    ],
)
def test_a_shell_completes_commands_and_options(
    command: Command, monkeypatch: pytest.MonkeyPatch, typed: str, offered: set[str]
):
    """The tab key completes commands and options, even of a command that is not loaded yet."""
    monkeypatch.setenv("_ROUTIQ_GQL_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", typed)
    monkeypatch.setenv("COMP_CWORD", str(len(typed.split(" ")) - 1))
    shown = command(*typed.split()[1:])
    assert set(shown.out.split()) == offered
