"""The tables of the results of an analysis: who is active, and who is in which list of patients.

Results are versions like the rows that they are computed from; see ``mirror``. They hold nothing that changes by
itself.
"""

from datetime import datetime

from sqlalchemy import Column, Index, Named, SmallInteger, Table, Text, TypedColumns

from routiq_gql.database.columns import CompactTime, RowKey
from routiq_gql.database.tables.base import METADATA, ClinikoId, Holds, partial_index
from routiq_gql.database.tables.mirror import CURRENT, version_indexes

_FOLDED = Text().with_variant(Text(collation="C"), "postgresql")
"""Text that both databases compare by its bytes."""


class ActivityColumns(TypedColumns):
    """Whether a patient is active, and by which appointments.

    A patient has a row who is or was active, or whose result changes by time alone: at ``changes_at``.
    ``active_since`` is the sync that found the patient active. ``recent_appointments`` and ``last_appointment_at`` are
    about visits that took place or are not marked; past visits that are marked as missed are ``missed_appointments``.
    ``changes_at`` is the first moment at which time alone changes anything that is stored of the patient's results.
    """

    mirror: Named[int] = Column(RowKey, primary_key=True, autoincrement=False)
    id: Named[int] = Column(ClinikoId, primary_key=True, autoincrement=False)
    to_sync: Named[int] = Column(RowKey, primary_key=True, autoincrement=False)
    from_sync: Named[int] = Column(RowKey)
    is_active: Named[bool]
    was_active: Named[bool]
    active_since: Named[int | None] = Column(RowKey)
    recent_appointments: Named[int]
    upcoming_appointments: Named[int]
    missed_appointments: Named[int]
    last_appointment_at: Named[datetime | None] = Column(CompactTime)
    next_appointment_at: Named[datetime | None] = Column(CompactTime)
    changes_at: Named[datetime | None] = Column(CompactTime)


ACTIVITY = Table(
    "activity_versions",
    METADATA,
    ActivityColumns,
    *version_indexes("activity_versions"),
    partial_index("ix_activity_versions_change", "mirror", "changes_at", where=f"to_sync = {CURRENT}"),
    info={"holds": Holds.PATIENTS, "patient": "id"},
)
"""``id`` is the patient's id in Cliniko."""


class ListingColumns(TypedColumns):
    """A patient's place in a list of patients: ``list`` is the number of a ``PatientList``, and ``id`` the patient.

    ``name_key`` sorts by name, and ``search`` holds the words that a search looks for; see ``patients/folding.py``.
    ``last_at`` is the patient's last visit within the horizon, and ``next_at`` the next booking, with practitioners.
    """

    mirror: Named[int] = Column(RowKey, primary_key=True, autoincrement=False)
    list: Named[int] = Column(SmallInteger, primary_key=True, autoincrement=False)
    id: Named[int] = Column(ClinikoId, primary_key=True, autoincrement=False)
    to_sync: Named[int] = Column(RowKey, primary_key=True, autoincrement=False)
    from_sync: Named[int] = Column(RowKey)
    name_key: Named[str] = Column(_FOLDED)
    search: Named[str] = Column(_FOLDED)
    last_at: Named[datetime | None] = Column(CompactTime)
    next_at: Named[datetime | None] = Column(CompactTime)
    last_practitioner_id: Named[int | None] = Column(ClinikoId)
    next_practitioner_id: Named[int | None] = Column(ClinikoId)


LISTING = Table(
    "listing_versions",
    METADATA,
    ListingColumns,
    *version_indexes("listing_versions"),
    Index("ix_listing_versions_name", "mirror", "list", "name_key", "id", "to_sync", "from_sync"),
    Index("ix_listing_versions_last", "mirror", "list", "last_at", "id", "to_sync", "from_sync"),
    Index("ix_listing_versions_next", "mirror", "list", "next_at", "id", "to_sync", "from_sync"),
    # Rows in the order of the key: 50,000 are counted in 6 ms instead of 35, and searched in 15 instead of 40.
    sqlite_with_rowid=False,
    info={"holds": Holds.PATIENTS, "patient": "id"},
)

RESULTS = (ACTIVITY, LISTING)
"""Every table of results."""
