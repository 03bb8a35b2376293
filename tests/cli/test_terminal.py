"""Texts from outside, such as the name of an account, can't control the terminal that shows them."""

import asyncio
import json
import os
import pty
import re
import sys
import threading
import unicodedata
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from routiq_gql.cli.plain_text import clean_text, json_text
from routiq_gql.clock import utc_now
from routiq_gql.database.audit import insert_audit
from routiq_gql.database.connections import save_connection
from routiq_gql.database.engine import Database
from routiq_gql.database.schema import upgrade
from tests.cli.conftest import Command
from tests.cli.programs import run_in_terminal

EVIL = "Bay\x1b]0;owned\x07\x9b31m\u202eoisyhP\u202c\u2066\u200b\ufeff\u00ad\u2028\x7f\U000e0041\x00 Ünï 😀 end"
"""An escape sequence with 7 bits, another with 8, reversed text, invisible characters, and good characters."""
HARMLESS = " Ünï 😀 end"
COMMANDS = ["connections", "status", "audit"]


@pytest.fixture
def evil(folder: Path) -> Path:
    """A folder with a database in which an account, a problem and a person have that name."""

    async def fill() -> None:
        database = Database(f"sqlite+aiosqlite:///{folder}/routiq.db")
        await upgrade(database)
        now = utc_now()
        problem = {"problem_code": "KEY_REFUSED", "problem_message": EVIL, "problem_what_to_do": EVIL}
        values = {"state": "needs_attention", "base_url": "https://a", "shard": "au1", "encrypted_key": b"x"}
        values |= {"encryption_key_id": "k", "account_name": EVIL, "role": EVIL, "last_validated_at": None, **problem}
        async with database.writing() as connection:
            await save_connection(connection, "org_a", values)
            noted = {"time": now, "action": "start", "outcome": "DONE", "organization_id": "org_a", "subject": EVIL}
            await insert_audit(connection, [{**noted, "address": EVIL, "sync_id": None, "times": 1}])
        await database.close()

    asyncio.run(fill())
    return folder


def unsafe_in(text: str) -> set[str]:
    text = re.sub("\x1b\\[[0-9;]*m|\r\n", "", text)  # rich's colours, and the ends of lines
    return {one for one in text if unicodedata.category(one)[0] == "C" or unicodedata.category(one) in {"Zl", "Zp"}}


@pytest.fixture
def in_terminal(command: Command, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Calls ``routiq-gql`` with standard output in a pseudo-terminal; returns the output."""
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "400")

    def call(*arguments: str) -> str:
        ours, theirs = pty.openpty()
        shown: list[bytes] = []

        def read() -> None:
            with suppress(OSError):  # the end of a pseudo-terminal on Linux
                while part := os.read(ours, 65536):
                    shown.append(part)

        reader = threading.Thread(target=read)
        reader.start()
        with os.fdopen(theirs, "w", encoding="utf-8") as terminal, monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", terminal)
            command(*arguments)
        reader.join()
        os.close(ours)
        return b"".join(shown).decode()

    return call


@pytest.mark.parametrize("name", COMMANDS)
def test_json_in_a_terminal_is_escaped_and_means_the_same(
    evil: Path, command: Command, in_terminal: Callable[..., str], name: str
):
    """A person who reads the JSON gets escapes; a program gets the same values as before."""
    shown = in_terminal(name, "--json")
    piped = command(name, "--json").out
    assert unsafe_in(shown) == set()
    assert "\\u202e" in shown
    assert "\\udb40\\udc41" in shown, "beyond 16 bits it takes two escapes"
    assert HARMLESS in shown
    assert json.loads(shown) == json.loads(piped)
    assert "\u202e" in piped
    assert EVIL in {value for one in json.loads(piped) for value in one.values()}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_table_shows_none_of_them(evil: Path, command: Command, in_terminal: Callable[..., str], name: str):
    """A table shows each such character as a replacement, in a terminal and elsewhere."""
    shown = in_terminal(name)
    piped = command(name).out
    assert unsafe_in(shown) == set()
    assert unsafe_in(piped.replace("\t", "").replace("\n", "")) == set()
    assert "�" in shown
    assert "�" in piped


def test_a_program_in_a_terminal(evil: Path):
    """The same in a separate process with a real terminal."""
    code, shown = run_in_terminal("connections", "--json", folder=evil)
    assert code == 0, shown
    assert unsafe_in(shown) == set()
    assert json.loads(shown)[0]["account"] == EVIL


def test_every_character_is_escaped_that_would_be_replaced():
    """The output for all kinds of characters is printable, and reads back to the same text."""
    ranges = (range(0x3100), range(0xE000, 0xE010), range(0xFE00, 0x10000), range(0x1D160, 0x1D190))
    many = "".join(map(chr, (one for numbers in (*ranges, range(0xE0000, 0xE0100)) for one in numbers)))
    text = json_text({many: [many, 1, None]}, for_terminal=True)
    assert json.loads(text) == {many: [many, 1, None]}
    assert unsafe_in(text.replace("\n", "")) == set()
    assert json_text({"a": ["\u202e", "é"]}, for_terminal=False) == '{\n  "a": [\n    "\u202e",\n    "é"\n  ]\n}'
    kept = "".join(one for one in many if clean_text(one) == one)
    assert json_text(kept, for_terminal=True) == json_text(kept, for_terminal=False)


def test_no_command_prints_around_it():
    """Commands print only through the console that cleans texts."""
    commands = Path(__file__).parents[2] / "routiq_gql" / "cli"
    for file in commands.glob("*.py"):
        if file.name not in {"terminal.py", "plain_text.py"}:
            text = file.read_text()
            assert "json.dumps" not in text, file.name
            assert not re.search(r"\bConsole\(", text), file.name
