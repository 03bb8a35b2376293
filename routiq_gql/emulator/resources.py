"""The lists of the emulated account, and the filters that each column supports.

This is the table of Cliniko's documentation as data. The filters refuse columns that are not ``searchable`` here. A row
with a value in a ``hides`` column is left out of a list unless the request filters by that column. ``PATHS`` has the
path of each list; inactive practitioners have one of their own.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """The type of a column, which decides its operators."""

    NUMBER = "number"
    TIME = "time"
    FLAG = "flag"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a list.

    Attributes:
        searchable: Whether ``q[]`` may name it; every column may be sorted by.
        hides: Whether a row with a value here is left out by default.
        indexed: Whether rows are found by an exact value without looking at all of them.
    """

    name: str
    kind: Kind = Kind.NUMBER
    searchable: bool = False
    hides: bool = False
    indexed: bool = False


@dataclass(frozen=True, slots=True)
class Resource:
    """One list of the account, ``/v1/<name>``."""

    name: str
    columns: Mapping[str, Column]

    @property
    def hiding(self) -> tuple[str, ...]:
        """Names of the columns whose values leave a row out by default."""
        return tuple(column.name for column in self.columns.values() if column.hides)


def _resource(name: str, *columns: Column) -> Resource:
    return Resource(name, {column.name: column for column in columns})


def _time(name: str, *, searchable: bool = True, hides: bool = False) -> Column:
    return Column(name, Kind.TIME, searchable=searchable, hides=hides)


_ID = Column("id", searchable=True, indexed=True)

PATIENTS = _resource(
    "patients",
    _ID,
    _time("created_at"),
    _time("updated_at"),
    _time("archived_at", hides=True),
    _time("deleted_at", searchable=False, hides=True),  # so no filter brings a deleted patient back
    _time("merged_at", searchable=False),
    Column("merged_with_id"),
    Column("email", Kind.TEXT, searchable=True),
    Column("first_name", Kind.TEXT, searchable=True),
    Column("last_name", Kind.TEXT, searchable=True),
)

INDIVIDUAL_APPOINTMENTS = _resource(
    "individual_appointments",
    _ID,
    Column("patient_id", searchable=True),
    Column("appointment_type_id", searchable=True),
    Column("practitioner_id", searchable=True),
    _time("starts_at"),
    _time("ends_at"),
    _time("cancelled_at", hides=True),
    Column("cancellation_reason"),
    _time("archived_at", hides=True),
    _time("deleted_at"),
    Column("did_not_arrive", Kind.FLAG),
    _time("created_at"),
    _time("updated_at"),
)

GROUP_APPOINTMENTS = _resource(
    "group_appointments",
    _ID,
    Column("appointment_type_id", searchable=True),
    Column("practitioner_id", searchable=True),
    _time("starts_at"),
    _time("ends_at"),
    _time("archived_at", hides=True),
    _time("deleted_at"),
    _time("created_at"),
    _time("updated_at"),
)

ATTENDEES = _resource(
    "attendees",
    _ID,
    Column("booking_id", searchable=True, indexed=True),
    Column("patient_id", searchable=True),
    Column("arrived", Kind.FLAG),
    _time("cancelled_at", hides=True),
    _time("archived_at", hides=True),
    _time("deleted_at"),
    _time("created_at"),
    _time("updated_at"),
)

APPOINTMENT_TYPES = _resource(
    "appointment_types",
    _ID,
    Column("duration_in_minutes"),
    Column("max_attendees"),
    _time("archived_at", hides=True),
    _time("created_at"),
    _time("updated_at"),
)

PRACTITIONERS = _resource(
    "practitioners",
    _ID,
    Column("active", Kind.FLAG),
    Column("user_id", searchable=True),
    _time("created_at"),
    _time("updated_at"),
)

RESOURCES: Mapping[str, Resource] = {
    resource.name: resource
    for resource in (PATIENTS, INDIVIDUAL_APPOINTMENTS, GROUP_APPOINTMENTS, ATTENDEES, APPOINTMENT_TYPES, PRACTITIONERS)
}
"""Every list of the account by its name."""


@dataclass(frozen=True, slots=True)
class ListPath:
    """A path of a list, and the values that all of its rows have, by column."""

    resource: Resource
    fixed: Mapping[str, int]


INACTIVE_PRACTITIONERS = "practitioners/inactive"

PATHS: Mapping[str, ListPath] = {
    **{name: ListPath(resource, {}) for name, resource in RESOURCES.items()},
    "practitioners": ListPath(PRACTITIONERS, {"active": 1}),
    INACTIVE_PRACTITIONERS: ListPath(PRACTITIONERS, {"active": 0}),
}
"""Every list by the part of its address after ``/v1/``."""
