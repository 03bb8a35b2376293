"""The global ids of patients: ``patient:{organization}:{id}``, or ``asof:{sync}:patient:{organization}:{id}``.

A patient as of a kept sync has an id of its own, so that a cache never replaces today's values by earlier ones. The
forms are final.
"""

import re
from dataclasses import dataclass
from typing import Self

LARGEST_CLINIKO_ID = 2**63 - 1
"""Cliniko's ids are int64."""

_PATIENT = re.compile(
    r"(?:asof:(?P<sync>sync_[A-Za-z0-9_-]{1,96}):)?patient:(?P<organization>[A-Za-z0-9_-]{1,64}):"
    r"(?P<patient>[1-9][0-9]{0,18})",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class PatientKey:
    """A patient of an organization, today or as of a sync.

    Attributes:
        cliniko_id: The patient's id in Cliniko.
        as_of: The id of the sync; ``None`` for the newest published one.
    """

    organization_id: str
    cliniko_id: int
    as_of: str | None = None

    @property
    def text(self) -> str:
        """The global id."""
        patient = f"patient:{self.organization_id}:{self.cliniko_id}"
        return patient if self.as_of is None else f"asof:{self.as_of}:{patient}"

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """The patient that a global id names; ``None`` if it is no id of a patient."""
        found = _PATIENT.fullmatch(text)
        if found is None or (cliniko_id := int(found["patient"])) > LARGEST_CLINIKO_ID:
            return None
        return cls(found["organization"], cliniko_id, found["sync"])
