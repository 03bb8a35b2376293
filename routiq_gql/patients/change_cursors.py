"""Cursors of changes of patients: opaque texts for a place in the changes of an organization, in a single form each.

Changes are ordered by the number of their sync, then by the patient's id. A place in the difference between two syncs
names both, and is none among the changes that a subscription resumes from.
"""

import re
from dataclasses import dataclass

from routiq_gql.errors import BadInput
from routiq_gql.opaque import decode_opaque, encode_opaque

LAST_ID = 2**63 - 1
"""The patient of the place behind all changes of a sync."""
_LARGEST = 2**63 - 1
_PLACE = re.compile(rb"change:(0|[1-9][0-9]{0,18}):(0|[1-9][0-9]{0,18})(?::(0|[1-9][0-9]{0,18}))?")
_LONGEST = 120
"""Characters; more than any cursor of changes has."""


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A place right behind a change.

    Attributes:
        sync: The number of the sync.
        patient_id: The patient's id in Cliniko; ``LAST_ID`` behind the last change of the sync.
    """

    sync: int
    patient_id: int

    @classmethod
    def behind(cls, sync: int) -> "Place":
        """The place behind all changes of a sync."""
        return cls(sync, LAST_ID)


def change_cursor(place: Place, since: int | None = None) -> str:
    """The cursor of a place; with ``since`` of a place in the difference from that sync."""
    numbers = [place.sync, place.patient_id, *([since] if since is not None else [])]
    return encode_opaque(("change:" + ":".join(map(str, numbers))).encode())


def read_change_cursor(cursor: str) -> tuple[Place, int | None]:
    """The place in the cursor, and the earlier sync if it is a place in a difference.

    Raises:
        BadInput: It is not a cursor of changes.
    """
    found = _PLACE.fullmatch(decode_opaque(cursor, _LONGEST))
    if found is not None:
        sync, patient_id, since = (int(number) if number is not None else None for number in found.groups())
        if sync is not None and patient_id is not None and max(sync, patient_id, since or 0) <= _LARGEST:
            return Place(sync, patient_id), since
    raise BadInput("“after” is not a cursor of changes. Use the cursor of an earlier change or page.")
