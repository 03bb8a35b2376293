"""The global ids of changes: ``change:{sync}:{id}``, or ``change:{sync}:since:{earlier sync}:{id}`` in a difference.

A patient changes at most once in a sync, so the sync and the patient name the change. The forms are final.
"""

import re
from dataclasses import dataclass
from typing import Self

from routiq_gql.patients.keys import LARGEST_CLINIKO_ID

_SYNC = "sync_[A-Za-z0-9_-]{1,96}"
_CHANGE = re.compile(
    rf"change:(?P<sync>{_SYNC}):(?:since:(?P<since>{_SYNC}):)?(?P<patient>[1-9][0-9]{{0,18}})", re.ASCII
)


@dataclass(frozen=True, slots=True)
class ChangeKey:
    """A change of a patient by a sync, or between two.

    Attributes:
        since: The earlier sync of a difference; ``None`` for what the sync itself has changed.
    """

    sync_id: str
    cliniko_id: int
    since: str | None = None

    @property
    def text(self) -> str:
        """The global id."""
        syncs = self.sync_id if self.since is None else f"{self.sync_id}:since:{self.since}"
        return f"change:{syncs}:{self.cliniko_id}"

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """The change that a global id names; ``None`` if it is no id of a change."""
        found = _CHANGE.fullmatch(text)
        if found is None or (cliniko_id := int(found["patient"])) > LARGEST_CLINIKO_ID:
            return None
        return cls(found["sync"], cliniko_id, found["since"])
