"""What is safe and readable in a terminal: texts without control characters, numbers with separators."""

import sys
import unicodedata
from typing import TextIO

from rich.console import Console


def clean_text(text: str) -> str:
    """``text`` with every character that could steer a terminal or turn the reading direction shown as ``�``."""
    return "".join("�" if _is_unsafe(letter) else letter for letter in text)


def _is_unsafe(letter: str) -> bool:
    category = unicodedata.category(letter)
    return category[0] == "C" or category in {"Zl", "Zp"}


def counted(number: int, one: str) -> str:
    """``1 patient``, ``1,247 appointments``."""
    return f"{number:,} {one if number == 1 else one + 's'}"


def open_terminal(stream: TextIO | None = None) -> Console:
    """Standard output or ``stream``. Nothing is read as markup, and nothing wraps where there is no width to see."""
    stream = stream or sys.stdout
    return Console(file=stream, markup=False, highlight=False, emoji=False, soft_wrap=not stream.isatty())
