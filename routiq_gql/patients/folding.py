"""Folds names and contact data into text that sorts and can be searched without accents and case.

The stored columns ``name_key`` and ``search`` of ``listing_versions`` and the text of a search go through the same
functions, so that a search finds what it was folded from.
"""

import re
import unicodedata

MOST_SEARCHED = 500
"""Characters of ``search``. Longer contact data is cut; names come first."""
MOST_SORTED = 200
"""Characters of ``name_key``. PostgreSQL refuses a row whose indexed values exceed 2,704 bytes."""
NO_NAME = "\uffff"
"""Sorts behind every name."""

_LETTERS = str.maketrans(
    {
        "æ": "ae",
        "œ": "oe",
        "ø": "o",
        "ł": "l",
        "đ": "d",
        "ð": "d",
        "ħ": "h",
        "ŧ": "t",
        "ı": "i",
        "þ": "th",
        **dict.fromkeys("‘’ʼ`´", "'"),
        **dict.fromkeys("‐‑–", "-"),
    }
)
"""What normalization leaves as it is: letters with strokes, and signs that keyboards and phones write differently."""

_SIGNS = re.compile(r"['-]")
"""Signs inside names that people leave out."""
_PUNCTUATION_OF_NUMBERS = re.compile(r"[\s+\-()./]+")
_INTERNATIONAL = re.compile(r"(?<!\S)(?:\+|00)[\d\s\-()./]{5,}(?!\S)", re.ASCII)
"""A number with a country code among the words of a search."""
_COUNTRY_CODE = re.compile(r"1|7|2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]|[2-9]\d\d", re.ASCII)
"""Source: ITU-T E.164, list of assigned country codes: those of one and two digits; all others have three."""
LONGEST_NATIONAL = 10
"""Digits of a number without a country code and without leading zeros, in Cliniko's markets."""
LEAST_NATIONAL = 3
"""Digits behind a country code below which the code is searched too."""


def folded(text: str | None) -> str:
    """The text in lower case without accents, with single spaces. ``ß`` becomes ``ss``, and ``Ø`` becomes ``o``."""
    if not text:
        return ""
    if not text.isascii():
        marks = unicodedata.normalize("NFKD", text.casefold().translate(_LETTERS))
        text = "".join(one for one in marks if not unicodedata.combining(one))
    return " ".join(text.casefold().split())


def name_key(first_name: str | None, last_name: str | None) -> str:
    """Sorts by the last name, then by the first names; patients without both come last."""
    return " ".join(filter(None, (folded(last_name), folded(first_name))))[:MOST_SORTED] or NO_NAME


def search_text(
    first_name: str | None,
    last_name: str | None,
    preferred_first_name: str | None,
    email: str | None,
    phone: str | None,
) -> str:
    """What a search looks in: names, e-mail address, the digits of the phone number, and names without their signs.

    A change of this form needs another version of the rules, so that the next sync writes it for all patients.
    """
    names = dict.fromkeys(folded(one) for one in (first_name, last_name, preferred_first_name))
    parts = names | {folded(email): None}
    if phone and (digits := "".join(one for one in phone if one.isdecimal() and one.isascii())):
        parts[digits] = None
    words = " ".join(names).split()
    parts |= dict.fromkeys(_SIGNS.sub("", word) for word in words if _SIGNS.search(word))
    return " ".join(filter(None, parts))[:MOST_SEARCHED]


def search_words(search: str | None) -> list[str]:
    """The words of a search, each of which ``search_text`` must contain. A phone number is one word of digits.

    A word is split at apostrophes and hyphens, so that ``o'brien`` finds ``obrien``, too.
    """
    text = folded(search)
    number = _number(text)
    if number:
        return [number]
    numbers = [_number(one) or "" for one in _INTERNATIONAL.findall(text)]
    words = [part for word in _INTERNATIONAL.sub(" ", text).split() for part in _parts(word)]
    return [*words, *filter(None, numbers)]


def _parts(word: str) -> list[str]:
    if number := _number(word):
        return [number]
    return [one for one in _SIGNS.split(word) if one] or [word]


def _number(text: str) -> str | None:
    """The digits that a number has with and without a country code; ``None`` for other text."""
    digits = _PUNCTUATION_OF_NUMBERS.sub("", text)
    if not (digits.isdecimal() and digits.isascii()):
        return None
    significant = digits.lstrip("0")
    has_code = text.startswith(("+", "00")) or len(significant) > LONGEST_NATIONAL
    if has_code and (code := _COUNTRY_CODE.match(significant)) is not None:
        national = significant[code.end() :].lstrip("0")  # as in +61 (0)412
        if len(national) >= LEAST_NATIONAL:
            return national
    return significant or digits
