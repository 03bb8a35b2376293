"""Cursors of the history: opaque texts that encode the number of a sync, each in a single form.

A text that ``history_cursor`` can't have returned is refused, so that odd input never reaches the database.
"""

import base64
import binascii
import re

from routiq_gql.errors import BadInput

_PLACE = re.compile(rb"sync:([1-9][0-9]{0,18})")
_LONGEST = 64
"""Characters; more than any cursor has."""
_LARGEST_KEY = 2**63 - 1
"""The largest number that either database stores."""


def history_cursor(key: int) -> str:
    """The cursor for the page after the sync with this number."""
    return base64.urlsafe_b64encode(f"sync:{key}".encode()).decode().rstrip("=")


def read_history_cursor(cursor: str) -> int:
    """The number of the sync in the cursor.

    Raises:
        BadInput: It is not a cursor of the history.
    """
    if len(cursor) <= _LONGEST:
        try:
            place = _PLACE.fullmatch(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        except (ValueError, binascii.Error):  # ValueError: not ASCII
            place = None
        # The decoder skips unknown characters, so the cursor is encoded again and compared with the input.
        if place is not None and (key := int(place[1])) <= _LARGEST_KEY and history_cursor(key) == cursor:
            return key
    raise BadInput("“after” is not a cursor of this history. Use nextCursor (REST: next_cursor) of an earlier page.")
