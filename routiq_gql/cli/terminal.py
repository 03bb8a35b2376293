"""What is safe and readable in a terminal: texts without control characters, numbers with separators.

Texts from Cliniko, from tokens and from callers may hold characters that steer a terminal or turn the reading
direction. Every command prints through ``open_terminal`` or ``json_text``, so that none of them gets there.
"""

import json
import re
import sys
import unicodedata
from typing import Any, TextIO

import typer
from rich.console import Console

_NOT_PLAIN = re.compile(r"[^\n -~]")
"""Everything but printable ASCII and the line ends of indented JSON, which has those inside of texts escaped."""


def clean_text(text: str) -> str:
    """``text`` with every character that could steer a terminal or turn the reading direction shown as ``�``."""
    return "".join("�" if _is_unsafe(letter) else letter for letter in text)


def _is_unsafe(letter: str) -> bool:
    category = unicodedata.category(letter)
    return category[0] == "C" or category in {"Zl", "Zp"}


def json_text(value: object, *, for_terminal: bool) -> str:
    """``value`` as JSON; for a terminal with every character that ``clean_text`` replaces as ``\\uXXXX``.

    Both forms mean the same to a program.
    """
    text = json.dumps(value, ensure_ascii=False, indent=2)
    return _NOT_PLAIN.sub(_escaped, text) if for_terminal else text


def _escaped(found: re.Match[str]) -> str:
    return json.dumps(found[0])[1:-1] if _is_unsafe(found[0]) else found[0]


def counted(number: int, one: str) -> str:
    """``1 patient``, ``1,247 appointments``."""
    return f"{number:,} {one if number == 1 else one + 's'}"


class SafeConsole(Console):
    """A console that cleans the strings it prints, line by line. What comes as ``Text`` was cleaned by its maker."""

    def print(self, *objects: Any, **options: Any) -> None:
        super().print(*(_clean_lines(one) if isinstance(one, str) else one for one in objects), **options)


def _clean_lines(text: str) -> str:
    return "\n".join(clean_text(line) for line in text.split("\n"))


def open_terminal(stream: TextIO | None = None) -> SafeConsole:
    """Standard output or ``stream``. Nothing is read as markup, and nothing wraps where there is no width to see."""
    stream = stream or sys.stdout
    return SafeConsole(file=stream, markup=False, highlight=False, emoji=False, soft_wrap=not stream.isatty())


def print_json(terminal: Console, value: object) -> None:
    """Print ``value`` as JSON, unchanged where it goes to a program."""
    is_terminal = terminal.file.isatty()
    typer.echo(json_text(value, for_terminal=is_terminal), file=terminal.file)
