"""Prints lists: a table in a terminal, lines with tabs for grep and cut."""

from collections.abc import Sequence

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from routiq_gql.cli.plain_text import clean_text


def print_table(terminal: Console, headings: tuple[str, ...], rows: Sequence[tuple[str, ...]], if_none: str) -> None:
    """The rows under their headings, or the sentence ``if_none``."""
    if not rows:
        terminal.print(if_none)
        return
    if not terminal.is_terminal:  # a line per row
        for row in (headings, *rows):
            typer.echo("\t".join(clean_text(cell) for cell in row))  # rich would turn tabs into spaces
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*(Text(clean_text(cell)) for cell in row))
    terminal.print(table)
