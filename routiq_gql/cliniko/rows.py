"""Takes single fields out of a row that Cliniko sent, and refuses those that are not as documented.

Called by ``records`` only. Empty is ``null``, ``""`` or absent, for every kind of field. A refusal names the field and
never holds its value.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import urlsplit

Row = Mapping[str, object]

_ID = re.compile(r"0|[1-9]\d{0,31}", re.ASCII)


class BadRow(ValueError):
    """A row is not as documented. Holds the field's name, never its value."""


def read_id(row: Row) -> str:
    """The row's own id: digits without leading zeros, at most 32 of them."""
    value = row.get("id")
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value  # old examples: numbers
    if not isinstance(text, str) or not _ID.fullmatch(text):
        raise BadRow("id")
    return text


def read_text(row: Row, name: str) -> str | None:
    """The text without what no database takes (NUL, half of a surrogate pair); ``None`` for an empty one."""
    value = row.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise BadRow(name)
    return value.replace("\0", "").encode("utf-8", "replace").decode().strip() or None


def read_time(row: Row, name: str) -> datetime | None:
    """In UTC, cut to milliseconds. Cliniko writes both ``null`` and ``""`` for no time."""
    value = row.get(name)
    if value is None or value == "":
        return None
    moment = None
    try:
        parsed = datetime.fromisoformat(value) if isinstance(value, str) else None
        if parsed is not None and parsed.tzinfo is not None:
            moment = parsed if parsed.tzinfo is UTC else parsed.astimezone(UTC)
    except (ValueError, OverflowError):
        pass  # raised below, as the error in hand quotes the value
    if moment is None:
        raise BadRow(name)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000) if moment.microsecond else moment


def read_required_time(row: Row, name: str) -> datetime:
    """As ``read_time``, where a row without one is no row."""
    moment = read_time(row, name)
    if moment is None:
        raise BadRow(name)
    return moment


def read_reference(row: Row, name: str) -> str | None:
    """The id that a link ends with: ``{"links": {"self": "https://…/v1/patients/82"}}`` is ``82``."""
    value = row.get(name)
    if value is None or value == "":
        return None
    links = value.get("links") if isinstance(value, dict) else None
    address = links.get("self") if isinstance(links, dict) else None
    try:
        last = urlsplit(address).path.rstrip("/").rsplit("/", 1)[-1] if isinstance(address, str) else ""
    except ValueError:
        last = ""
    if not _ID.fullmatch(last):
        raise BadRow(name)
    return last


def read_required_reference(row: Row, name: str) -> str:
    """As ``read_reference``, where a row without one is no row."""
    reference = read_reference(row, name)
    if reference is None:
        raise BadRow(name)
    return reference


def read_flag(row: Row, name: str) -> bool:
    """Nothing counts as false."""
    value = row.get(name)
    if value is None or value == "":
        return False
    if not isinstance(value, bool):
        raise BadRow(name)
    return value


def read_number(row: Row, name: str) -> int | None:
    """A whole number, also one written as text."""
    value = row.get(name)
    if value is None or value == "":
        return None
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 10:
        return int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not abs(value) < 10**9:
        raise BadRow(name)
    return value


def read_phone(row: Row) -> str | None:
    """The first mobile number, else the first number of any kind."""
    value = row.get("patient_phone_numbers")
    if value is None or value == "":
        return None
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        raise BadRow("patient_phone_numbers")
    numbers = [(entry.get("phone_type"), read_text(entry, "number")) for entry in value]
    mobiles = [number for kind, number in numbers if kind == "Mobile" and number]
    return next(iter(mobiles), None) or next((number for _, number in numbers if number), None)
