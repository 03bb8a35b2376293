"""The registry of the mirrored lists, and the conditions that select their versions.

``tables.mirror`` explains versions, and ``drafts`` explains drafts. Pages are written by ``merging``.
"""

from enum import Enum

from sqlalchemy import BigInteger, ColumnElement, FromClause, Table, and_, bindparam, literal_column, or_, true

from routiq_gql.database.columns import among, unindexed
from routiq_gql.database.drafts import Covered, Draft
from routiq_gql.database.tables import APPOINTMENT, APPOINTMENT_TYPE, ATTENDEE, CURRENT, PATIENT, PRACTITIONER

INDIVIDUAL = 1
"""The ``kind`` of an appointment of one patient."""
CLASS = 2
"""The ``kind`` of a group appointment."""

_ONLY_INDIVIDUAL = frozenset({"patient_id", "did_not_arrive", "cancelled_at", "cancellation_reason"})
VERSION_COLUMNS = frozenset(
    {"mirror", "kind", "id", "from_sync", "to_sync", "closed_because", "is_stub", "is_suppressed"}
)
"""Columns of a version that are not read from Cliniko, except for the id."""

MIRROR_NUMBER = bindparam("mirror", type_=BigInteger)
"""The parameter ``mirror`` of ``Draft.parameters``. SQLAlchemy takes longer to make a short query than to run it."""
DRAFT_SYNC = bindparam("sync", type_=BigInteger)
"""The parameter ``sync`` of ``Draft.parameters``."""


class MirrorList(Enum):
    """The mirrored lists: Cliniko's name, the table and, where two lists share a table, the ``kind`` of its rows.

    Every list is named here and in ``RESOURCES`` of the Cliniko package; a test compares the two.
    """

    PATIENTS = ("patients", PATIENT, None)
    INDIVIDUAL_APPOINTMENTS = ("individual_appointments", APPOINTMENT, INDIVIDUAL)
    GROUP_APPOINTMENTS = ("group_appointments", APPOINTMENT, CLASS)
    ATTENDEES = ("attendees", ATTENDEE, None)
    APPOINTMENT_TYPES = ("appointment_types", APPOINTMENT_TYPE, None)
    PRACTITIONERS = ("practitioners", PRACTITIONER, None)

    def __init__(self, resource: str, table: Table, kind: int | None) -> None:
        self.resource = resource
        self.table = table
        self.kind = kind
        self.absent = _ONLY_INDIVIDUAL if kind == CLASS else frozenset()
        """Columns of the table that this list never fills. A group appointment names no patient itself."""
        names = map(str, table.columns.keys())
        self.read_columns = tuple(name for name in names if name not in VERSION_COLUMNS | self.absent)
        """Columns that are read from Cliniko, besides the id."""

    def of(self, mirror: int | ColumnElement[int]) -> ColumnElement[bool]:
        """The condition that selects all versions of this list's rows of an organization."""
        own = self.table.c.mirror == mirror
        return own if self.kind is None else and_(own, self.table.c.kind == self.kind)

    def in_draft(self, draft: Draft) -> ColumnElement[bool]:
        """The condition that selects the list's rows as the draft would publish them."""
        return self.current(draft.mirror)

    def current(self, mirror: int | ColumnElement[int] = MIRROR_NUMBER) -> ColumnElement[bool]:
        """The same, by the number of the organization; by default, of the draft whose ``parameters`` are given."""
        # No version of another unpublished sync exists, so every open version is the base's or the draft's.
        return self.of(mirror) & (self.table.c.to_sync == CURRENT)


BY_RESOURCE = {one.resource: one for one in MirrorList}
"""The lists by Cliniko's name."""


def visible(table: FromClause, mirror: int | ColumnElement[int], sync: int | ColumnElement[int]) -> ColumnElement[bool]:
    """The condition that selects the versions of a table that were visible at a published sync, stubs included."""
    # Nearly all versions began before any sync that readers ask about, so the index on from_sync is of no use.
    return and_(table.c.mirror == mirror, unindexed(table.c.from_sync) <= sync, table.c.to_sync > sync)


def written_by(table: FromClause, sync: int) -> ColumnElement[bool]:
    """The condition that selects a draft's own versions, in a query that finds rows by other columns."""
    return unindexed(table.c.from_sync) == sync  # SQLite would read all of the draft instead


def closed_by(table: FromClause, sync: int | ColumnElement[int]) -> ColumnElement[bool]:
    """The condition that selects the versions that a running sync, or one that is rolled back, has closed."""
    # No later sync has written. SQLite prefers the upper bound to an equality, so a lower bound ends the range.
    return and_(table.c.to_sync >= sync, is_closed(table))


def is_closed(table: FromClause) -> ColumnElement[bool]:
    """The condition that a version has ended."""
    return table.c.to_sync < literal_column(str(CURRENT))  # a parameter would rule out the partial index


def belongs(table: Table, covered: Covered | None) -> ColumnElement[bool]:
    """The condition that selects rows which belong to the covered part of a list.

    A stub without a time belongs to every range of times, and is not archived: Cliniko listed it, and nothing else is
    known of it.
    """
    if covered is None:
        return true()
    columns = table.c
    conditions: list[ColumnElement[bool]] = []
    if covered.above is not None:
        conditions.append(columns.id > covered.above)
    if covered.up_to is not None:
        conditions.append(columns.id <= covered.up_to)
    if covered.starts_from is not None:
        conditions.append(or_(columns.starts_at >= covered.starts_from, columns.starts_at.is_(None)))
    if covered.starts_to is not None:
        conditions.append(or_(columns.starts_at <= covered.starts_to, columns.starts_at.is_(None)))
    if covered.archived is not None:
        archived_at = columns.archived_at
        conditions.append(archived_at.is_not(None) if covered.archived else archived_at.is_(None))
    for name, ids in (("booking_id", covered.bookings), ("patient_id", covered.patients), ("id", covered.ids)):
        if ids is not None:
            conditions.append(among(columns[name], ids))
    return and_(true(), *conditions)
