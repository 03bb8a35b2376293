"""Cursors of lists of patients: opaque texts that name a sync, a patient, and what the list was asked for.

They hold no names, since addresses may hold them. A cursor continues the list of its sync, whatever is published
meanwhile; used with another list, sort, search or organization it is refused.
"""

import base64
import binascii
import re
from dataclasses import dataclass
from hashlib import blake2b

from routiq_gql.errors import BadInput
from routiq_gql.patients.requests import PageRequest

_FORM = re.compile(rb"patients:([1-9][0-9]{0,18}):([1-9][0-9]{0,18}):([0-9a-f]{16})")
_LONGEST = 100
"""Characters; more than any cursor has."""
_LARGEST = 2**63 - 1
_REFUSAL = (
    "“{name}” is not a cursor of this list. Use the cursors of an earlier page of the same organization with the same "
    "“list”, “search”, “practitionerId” and “sort” (REST: practitioner_id)."
)


@dataclass(frozen=True, slots=True)
class Place:
    """The place of a patient in a list at a sync, both by their numbers."""

    sync: int
    patient: int


def cursor_of(place: Place, digest: str) -> str:
    """The cursor of a place; ``digest`` is the ``digest_of`` the request."""
    return _encoded(f"patients:{place.sync}:{place.patient}:{digest}".encode())


def digest_of(organization_id: str, request: PageRequest, words: tuple[str, ...]) -> str:
    """A short text that differs for requests with other lists, sorts, filters or organizations.

    Args:
        words: The folded words of the search, so that spaces and case make no difference.
    """
    parts = (organization_id, request.list.name, request.sort.name, str(request.practitioner), *words)
    return blake2b("\0".join(parts).encode(), digest_size=8).hexdigest()


def read_cursor(name: str, cursor: str, digest: str) -> Place:
    """The place in a cursor.

    Args:
        name: The argument that has it.
        digest: The ``digest_of`` the request that brings it.

    Raises:
        BadInput: It is no cursor of this list.
    """
    found = _FORM.fullmatch(_decoded(cursor))
    if found is None or found[3].decode() != digest:
        raise refused_cursor(name)
    place = Place(int(found[1]), int(found[2]))
    if max(place.sync, place.patient) > _LARGEST:
        raise refused_cursor(name)
    return place


def refused_cursor(name: str) -> BadInput:
    """The error for an argument that is not a cursor of the list."""
    return BadInput(_REFUSAL.format(name=name))


def _encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def _decoded(cursor: str) -> bytes:
    """The content of a cursor; empty if it can't be a cursor."""
    if len(cursor) > _LONGEST:
        return b""
    try:
        content = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    except (ValueError, binascii.Error):  # ValueError: not ASCII
        return b""
    # The decoder skips unknown characters, so the content is encoded again and compared with the input.
    return content if _encoded(content) == cursor else b""
