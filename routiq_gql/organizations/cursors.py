"""Cursors of the history and of the list of organizations: opaque texts, each place in a single form.

A text that was not returned as a cursor is refused, so that odd input never reaches the database.
"""

import re

from routiq_gql.database.organization_pages import Place
from routiq_gql.errors import BadInput
from routiq_gql.opaque import decode_opaque, encode_opaque
from routiq_gql.security.viewer import ORGANIZATION_ID

_PLACE = re.compile(rb"sync:([1-9][0-9]{0,18})")
_LONGEST = 64
"""Characters; more than any cursor of a history has."""
_LONGEST_OF_ORGANIZATIONS = 1_200
"""The same of the list of organizations: a label of 100 characters, some of which may be two in lower case."""
_ORGANIZATION, _SEPARATOR = "organization:", "\n"
_LARGEST_KEY = 2**63 - 1
"""The largest number that either database stores."""


def history_cursor(key: int) -> str:
    """The cursor for the page after the sync with this number."""
    return encode_opaque(f"sync:{key}".encode())


def read_history_cursor(cursor: str) -> int:
    """The number of the sync in the cursor.

    Raises:
        BadInput: It is not a cursor of the history.
    """
    place = _PLACE.fullmatch(decode_opaque(cursor, _LONGEST))
    if place is not None and (key := int(place[1])) <= _LARGEST_KEY:
        return key
    raise BadInput("“after” is not a cursor of this history. Use nextCursor (REST: next_cursor) of an earlier page.")


def organizations_cursor(place: Place) -> str:
    """The cursor for the page after this place."""
    return encode_opaque(f"{_ORGANIZATION}{place.organization_id}{_SEPARATOR}{place.label}".encode())


def read_organizations_cursor(cursor: str) -> Place:
    """The place in the cursor.

    Raises:
        BadInput: It is not a cursor of the list of organizations.
    """
    try:
        start, separator, label = decode_opaque(cursor, _LONGEST_OF_ORGANIZATIONS).decode().partition(_SEPARATOR)
    except UnicodeDecodeError:
        start, separator, label = "", "", ""
    organization_id = start.removeprefix(_ORGANIZATION)
    # PostgreSQL stores no NUL in a text, so no label holds one.
    if separator and organization_id != start and ORGANIZATION_ID.fullmatch(organization_id) and "\0" not in label:
        return Place(label, organization_id)
    raise BadInput(
        "“after” is not a cursor of the list of organizations. Use nextCursor (REST: next_cursor) of an earlier page."
    )
