"""Output of figures: progress that rewrites a line in a terminal, and plain tables at the end."""

import sys
from collections.abc import Sequence


def show_progress(text: str) -> None:
    """Show the current work: in place in a terminal, as a line elsewhere."""
    if sys.stdout.isatty():
        print(f"\r\x1b[2K{text}", end="", flush=True)
    else:
        print(text, flush=True)


def end_progress() -> None:
    """End the line that ``show_progress`` writes."""
    if sys.stdout.isatty():
        print("\r\x1b[2K", end="", flush=True)


def print_table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """The first column is text, all others are figures."""
    widths = [max(len(line[column]) for line in (head, *rows)) for column in range(len(head))]
    print(f"\n{title}")
    for line in (head, ["-" * width for width in widths], *rows):
        cells = [cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True)]
        print("  ".join([line[0].ljust(widths[0]), *cells]).rstrip())


def milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.1f}"


def ratio(value: float, base: float) -> str:
    return f"{value / base:.2f}" if base else "-"
