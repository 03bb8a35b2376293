"""The console of all commands: texts can't control the terminal, and lines don't wrap in a pipe."""

import sys
from typing import Any, TextIO

import typer
from rich.console import Console

from routiq_gql.cli.plain_text import clean_text, json_text


class SafeConsole(Console):
    """A console that cleans the strings it prints, line by line. A ``Text`` must be clean already."""

    def print(self, *objects: object, **options: Any) -> None:
        super().print(*(_clean_lines(one) if isinstance(one, str) else one for one in objects), **options)


def _clean_lines(text: str) -> str:
    return "\n".join(clean_text(line) for line in text.split("\n"))


def open_terminal(stream: TextIO | None = None) -> SafeConsole:
    """Standard output or ``stream``. Ignores markup, and wraps lines only in a terminal."""
    stream = stream or sys.stdout
    return SafeConsole(file=stream, markup=False, highlight=False, emoji=False, soft_wrap=not stream.isatty())


def print_json(terminal: Console, value: object) -> None:
    """Print ``value`` as JSON, unescaped unless the output is a terminal."""
    is_terminal = terminal.file.isatty()
    typer.echo(json_text(value, for_terminal=is_terminal), file=terminal.file)
