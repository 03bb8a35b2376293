"""Folds names and contact data into text that sorts and can be searched without accents and case.

The stored columns ``name_key`` and ``search`` of ``listing_versions`` and the text of a search go through the same
functions, so that a search finds what it was folded from.
"""

import re
import unicodedata

MOST_SEARCHED = 500
"""Characters of ``search``. Longer contact data is cut; names come first."""
NO_NAME = "\uffff"
"""Sorts behind every name."""

_PUNCTUATION_OF_NUMBERS = re.compile(r"[\s+\-()./]+")


def folded(text: str | None) -> str:
    """The text in lower case without accents, with single spaces. ``ß`` becomes ``ss``."""
    if not text:
        return ""
    if not text.isascii():
        marks = unicodedata.normalize("NFKD", text.casefold())
        text = "".join(one for one in marks if not unicodedata.combining(one))
    return " ".join(text.casefold().split())


def name_key(first_name: str | None, last_name: str | None) -> str:
    """Sorts by the last name, then by the first names; patients without both come last."""
    return " ".join(filter(None, (folded(last_name), folded(first_name)))) or NO_NAME


def search_text(
    first_name: str | None,
    last_name: str | None,
    preferred_first_name: str | None,
    email: str | None,
    phone: str | None,
) -> str:
    """What a search looks in: names, e-mail address, and the digits of the phone number."""
    parts = dict.fromkeys(folded(one) for one in (first_name, last_name, preferred_first_name, email))
    if phone and (digits := "".join(one for one in phone if one.isdecimal() and one.isascii())):
        parts[digits] = None
    return " ".join(filter(None, parts))[:MOST_SEARCHED]


def search_words(search: str | None) -> list[str]:
    """The words of a search, each of which ``search_text`` must contain. A phone number is one word of digits."""
    text = folded(search)
    number = _number(text)
    return [number] if number else [_number(word) or word for word in text.split()]


def _number(text: str) -> str | None:
    """The digits of a number, without the zeros that a number with a country code lacks; ``None`` for other text."""
    digits = _PUNCTUATION_OF_NUMBERS.sub("", text)
    if not (digits.isdecimal() and digits.isascii()):
        return None
    return digits.lstrip("0") or digits


def like_pattern(word: str) -> str:
    """The word as a pattern of ``LIKE … ESCAPE '\\'``, anywhere in a text."""
    escaped = word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"
