"""Reads single fields of a row that Cliniko sent. An undocumented value is read as absent.

Called by ``records`` only. Cliniko's specification requires no field of any row, so only a missing id, or a missing
start of an appointment, makes a row unreadable. Errors name the field, never its value.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import urlsplit

Row = Mapping[str, object]

_ID = re.compile(r"0|[1-9]\d{0,18}", re.ASCII)
GREATEST_ID = 2**63 - 1
"""Source: Cliniko's OpenAPI document, where ids have the format int64."""


class BadRow(ValueError):
    """A row can't be read. Holds the field's name, never its value."""


def find_id(row: Row) -> str | None:
    """The row's id: digits without leading zeros, at most ``GREATEST_ID``; ``None`` if unreadable."""
    value = row.get("id")
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value  # old examples: numbers
    return text if isinstance(text, str) and is_id(text) else None


def is_id(text: str) -> bool:
    """Whether a text is an id as Cliniko writes it."""
    return _ID.fullmatch(text) is not None and int(text) <= GREATEST_ID


def read_id(row: Row) -> str:
    """As ``find_id``.

    Raises:
        BadRow: There is no readable id.
    """
    row_id = find_id(row)
    if row_id is None:
        raise BadRow("id")
    return row_id


def read_text(row: Row, name: str) -> str | None:
    """The text without characters that databases reject (NUL, half of a surrogate pair); ``None`` if empty."""
    value = row.get(name)
    if not isinstance(value, str):
        return None
    return value.replace("\0", "").encode("utf-8", "replace").decode().strip() or None


def read_time(row: Row, name: str) -> datetime | None:
    """In UTC, cut to milliseconds; any offset and any number of decimals. ``None`` without a time zone."""
    value = row.get(name)
    if not isinstance(value, str) or not value:
        return None
    try:
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            return None
        moment = moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000) if moment.microsecond else moment


def read_required_time(row: Row, name: str) -> datetime:
    """As ``read_time``.

    Raises:
        BadRow: There is no readable time.
    """
    moment = read_time(row, name)
    if moment is None:
        raise BadRow(name)
    return moment


def read_reference(row: Row, name: str) -> str | None:
    """The id at the end of a link: ``{"links": {"self": "https://…/v1/patients/82"}}`` is ``82``; relative links, too.

    ``None`` if the relation is left out, is ``null``, or has no link.
    """
    value = row.get(name)
    links = value.get("links") if isinstance(value, dict) else None
    address = links.get("self") if isinstance(links, dict) else None
    try:
        last = urlsplit(address).path.rstrip("/").rsplit("/", 1)[-1] if isinstance(address, str) else ""
    except ValueError:
        return None
    return last if is_id(last) else None


def read_flag(row: Row, name: str) -> bool | None:
    """``True`` or ``False`` only if the row says so; any other value is unknown."""
    value = row.get(name)
    return value if isinstance(value, bool) else None


def read_number(row: Row, name: str) -> int | None:
    """A whole number, also if written as text."""
    value = row.get(name)
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 10:
        return int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not abs(value) < 10**9:
        return None
    return value


def read_phone(row: Row) -> str | None:
    """The first mobile number, else the first number that is not a fax."""
    value = row.get("patient_phone_numbers")
    entries = [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []
    numbers = [(_kind_of(entry), _phone_number(entry)) for entry in entries]
    callable_numbers = [(kind, number) for kind, number in numbers if number and kind != "fax"]
    mobiles = [number for kind, number in callable_numbers if kind == "mobile"]
    return next(iter(mobiles), None) or next((number for _, number in callable_numbers), None)


def _kind_of(entry: Row) -> str:
    return (read_text(entry, "phone_type") or "").lower()


def _phone_number(entry: Row) -> str | None:
    """The number as the clinic wrote it, else in Cliniko's normalized form. JSON numbers are accepted, too."""
    for name in ("number", "normalized_number"):
        value = entry.get(name)
        if isinstance(value, int) and not isinstance(value, bool) and value > 0:
            return str(value)
        text = read_text(entry, name)
        if text is not None:
            return text
    return None
