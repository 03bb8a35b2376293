"""Makes texts safe for a terminal: no control characters, numbers with separators.

Texts from Cliniko, from tokens and from callers may hold characters that control a terminal or reverse the reading
direction. Imports only the standard library, as ``--help`` and every error message need it.
"""

import json
import re
import unicodedata

_NOT_PLAIN = re.compile(r"[^\n -~]")
"""All but printable ASCII and the line ends of indented JSON, which escapes line ends within texts."""

COUNT = re.compile(
    r"(?<![\w.,-])\d{4,}(?= (?:of \d|(?:[a-z]+ ){0,2}(?:patients|appointments|attendees|types|rows)\b))"
    r"|(?<=\d of )\d{4,}(?![\w.,-])"
)
"""A count in a sentence of a sync, which has no separators there: it stands before the things it counts, unlike an id.

The page has the same expression (``examples/client/src/words/formats.ts``).
"""


def sentence_text(sentence: str) -> str:
    """A clean sentence of a sync, with separators as in all other numbers: ``600 of 1,337 patients``."""
    return COUNT.sub(lambda found: f"{int(found[0]):,}", clean_text(sentence))


def clean_text(text: str) -> str:
    """``text``, with ``�`` for each character that could control a terminal or reverse the reading direction."""
    return "".join("�" if _is_unsafe(letter) else letter for letter in text)


def _is_unsafe(letter: str) -> bool:
    category = unicodedata.category(letter)
    return category[0] == "C" or category in {"Zl", "Zp"}


def json_text(value: object, *, for_terminal: bool) -> str:
    """``value`` as JSON; for a terminal, with ``\\uXXXX`` for each character that ``clean_text`` replaces.

    Both forms are equal for a program.
    """
    text = json.dumps(value, ensure_ascii=False, indent=2)
    return _NOT_PLAIN.sub(_escaped, text) if for_terminal else text


def _escaped(found: re.Match[str]) -> str:
    return json.dumps(found[0])[1:-1] if _is_unsafe(found[0]) else found[0]


def counted(number: int, one: str) -> str:
    """``1 patient``, ``1,247 appointments``."""
    return f"{number:,} {one if number == 1 else one + 's'}"
