"""The values that readers of changes get: a change of a patient, and a page of changes.

A change says which fields differ, and never their earlier or later values.
"""

from dataclasses import dataclass
from enum import Enum

from routiq_gql.patients.change_cursors import Place
from routiq_gql.patients.keys import PatientKey
from routiq_gql.patients.lists import PatientList


class ChangeKind(Enum):
    """What happened to a patient, in the order in which it is listed."""

    ADDED = "added"
    CHANGED = "changed"
    VANISHED = "vanished"
    BECAME_ACTIVE = "became_active"
    BECAME_INACTIVE = "became_inactive"
    LISTS_CHANGED = "lists_changed"


class ChangedField(Enum):
    """A field of a patient that can differ; the values are columns of the mirror, the names are for readers."""

    FIRST_NAME = "first_name"
    LAST_NAME = "last_name"
    PREFERRED_FIRST_NAME = "preferred_first_name"
    EMAIL = "email"
    PHONE = "phone"
    ARCHIVED = "archived_at"
    MERGED = "merged_with_id"
    CREATED_AT = "created_at"

    @property
    def key(self) -> str:
        """The name in REST and on the command line."""
        return _FIELD_NAMES.get(self, self.value)


_FIELD_NAMES = {ChangedField.ARCHIVED: "is_archived", ChangedField.MERGED: "merged_with"}


@dataclass(frozen=True, slots=True)
class PatientChange:
    """A patient that differs after a sync.

    Attributes:
        id: The global id.
        place: The place behind this change, and
        cursor: its text, for a later page, or for a subscription.
        sync_id: The sync that made the change; of a difference between two syncs: the later.
        key: The patient today; readers may find that there is none.
        name: The patient's name after the sync, or before if there is none after.
        kinds: At least one, in the order of ``ChangeKind``.
        fields: The fields that differ, if the patient was and is in Cliniko.
        joined: The lists that the patient has joined, in the order of ``PatientList``.
        left: The lists that the patient has left.
        sentence: What happened and why, for people.
    """

    id: str
    place: Place
    cursor: str
    sync_id: str
    key: PatientKey
    name: str
    kinds: tuple[ChangeKind, ...]
    fields: tuple[ChangedField, ...]
    joined: tuple[PatientList, ...]
    left: tuple[PatientList, ...]
    sentence: str


@dataclass(frozen=True, slots=True)
class ChangePage:
    """A page of changes, ascending by the patient's id.

    Attributes:
        has_previous: Whether there is a change before this page; ``False`` if that was not asked for.
        cursor: The place behind this page, also of an empty page.
        sync_id: The sync whose changes these are.
        since: The earlier sync of a difference; ``None`` for the changes of a single sync.
        is_baseline: Whether nothing counts as a change, as in the first sync of a clinic.
    """

    changes: list[PatientChange]
    cursor: str
    has_next: bool
    has_previous: bool
    organization_id: str
    sync_id: str
    since: str | None
    is_baseline: bool
