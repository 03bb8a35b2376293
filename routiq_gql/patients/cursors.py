"""Cursors of lists of patients: opaque texts that name a sync, a patient, and what the list was asked for.

They hold no names, since addresses may hold them. The digest of what was asked for is keyed: a reader of an address
in a log can't try short searches. Every process of a database has the key, also after a restart. A cursor continues the
list of its sync, whatever is published meanwhile; used with another list, sort, search or organization it is refused.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from hmac import compare_digest

from routiq_gql.database.keys import KeyStore
from routiq_gql.errors import BadInput
from routiq_gql.opaque import decode_opaque, encode_opaque
from routiq_gql.patients.requests import PageRequest

_FORM = re.compile(rb"patients:([1-9][0-9]{0,18}):([1-9][0-9]{0,18}):([0-9a-f]{16})")
_PURPOSE = "cursors of lists of patients"
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


def cursor_of(place: Place, digests: Sequence[str]) -> str:
    """The cursor of a place; ``digests`` are the ``digests_of`` the request."""
    return encode_opaque(f"patients:{place.sync}:{place.patient}:{digests[0]}".encode())


def digests_of(keys: KeyStore, organization_id: str, request: PageRequest, words: tuple[str, ...]) -> tuple[str, ...]:
    """Short texts that differ for requests with other lists, sorts, filters or organizations.

    One for each encryption key: the first is for new cursors, and the others are those of cursors from before the keys
    were rotated.

    Args:
        words: The folded words of the search, so that spaces and case make no difference.
    """
    parts = (organization_id, request.list.name, request.sort.name, str(request.practitioner), *words)
    content = "\0".join(parts).encode()
    derived = keys.load().derived(_PURPOSE).values()
    return tuple(blake2b(content, digest_size=8, key=key).hexdigest() for key in derived)


def read_cursor(name: str, cursor: str, digests: Sequence[str]) -> Place:
    """The place in a cursor.

    Args:
        name: The argument that has it.
        digests: The ``digests_of`` the request that brings it.

    Raises:
        BadInput: It is no cursor of this list.
    """
    found = _FORM.fullmatch(decode_opaque(cursor, _LONGEST))
    if found is None or not any(compare_digest(found[3].decode(), one) for one in digests):
        raise refused_cursor(name)
    place = Place(int(found[1]), int(found[2]))
    if max(place.sync, place.patient) > _LARGEST:
        raise refused_cursor(name)
    return place


def refused_cursor(name: str) -> BadInput:
    """The error for an argument that is not a cursor of the list."""
    return BadInput(_REFUSAL.format(name=name))
