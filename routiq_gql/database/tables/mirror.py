"""The tables of the versioned mirror: the lists read from Cliniko. ``results`` has what is computed from them.

A version of a row is valid from the sync ``from_sync`` until before the sync ``to_sync``, which is ``CURRENT`` while no
later sync has closed it. Readers see the newest published sync, which ``mirrors`` names. A running sync writes
versions with its own number, which no reader sees before the publication.

A *stub* is a row without content: Cliniko lists it, and it can't be read. ``is_suppressed`` marks the stubs of erased
persons; see ``keep_out``. ``info["patient"]`` names the column that holds the patient's id, if there is one.

The primary key allows a single current version of each row, and finds the version of a row that was visible at a sync.
Rows carry the organization's number in ``mirrors`` instead of its id, which would make the tables larger by half.
"""

from datetime import datetime

from sqlalchemy import Column, Index, Named, SmallInteger, String, Table, Text, TypedColumns, text

from routiq_gql.database.columns import CompactTime, RowKey, UtcDateTime
from routiq_gql.database.tables.base import METADATA, ClinikoId, Holds, OrganizationId, partial_index

CURRENT = 2**63 - 1
"""The ``to_sync`` of a version that no sync has closed."""


class MirrorColumns(TypedColumns):
    """The mirror of an organization, and what the next sync has to know about the published sync."""

    number: Named[int] = Column(RowKey, primary_key=True, autoincrement=True)
    organization_id: Named[str] = Column(OrganizationId, unique=True)
    sync: Named[int] = Column(RowKey)
    oldest_kept: Named[int] = Column(RowKey)
    writing: Named[int | None] = Column(RowKey)
    keeps_window: Named[bool]
    published_at: Named[datetime | None] = Column(UtcDateTime)
    patients_in_cliniko: Named[int]
    mark: Named[datetime | None] = Column(UtcDateTime)
    full_at: Named[datetime | None] = Column(UtcDateTime)
    horizon_from: Named[datetime | None] = Column(UtcDateTime)
    horizon_to: Named[datetime | None] = Column(UtcDateTime)
    horizon_days: Named[int | None]
    account: Named[str | None] = Column(String(64))
    format: Named[int]
    erased_at: Named[datetime | None] = Column(UtcDateTime)
    compared_at: Named[datetime | None] = Column(UtcDateTime)


MIRROR = Table("mirrors", METADATA, MirrorColumns, sqlite_autoincrement=True, info={"holds": Holds.PATIENTS})


def version_indexes(table: str) -> list[Index]:
    """The versions that a sync wrote, and those that it closed."""
    return [
        Index(f"ix_{table}_from", "mirror", "from_sync"),
        partial_index(f"ix_{table}_closed", "mirror", "to_sync", where=f"to_sync < {CURRENT}"),
    ]


class PatientColumns(TypedColumns):
    """A patient, archived or not. A stub has an id only: Cliniko lists the row, but it can't be read."""

    mirror: Named[int] = Column(RowKey, primary_key=True, autoincrement=False)
    id: Named[int] = Column(ClinikoId, primary_key=True, autoincrement=False)
    to_sync: Named[int] = Column(RowKey, primary_key=True, autoincrement=False)
    from_sync: Named[int] = Column(RowKey)
    closed_because: Named[int | None] = Column(SmallInteger)
    is_stub: Named[bool]
    is_suppressed: Named[bool] = Column(server_default=text("false"))
    first_name: Named[str | None] = Column(Text)
    last_name: Named[str | None] = Column(Text)
    preferred_first_name: Named[str | None] = Column(Text)
    email: Named[str | None] = Column(Text)
    phone: Named[str | None] = Column(Text)
    archived_at: Named[datetime | None] = Column(CompactTime)
    merged_with_id: Named[int | None] = Column(ClinikoId)
    created_at: Named[datetime | None] = Column(CompactTime)
    updated_at: Named[datetime | None] = Column(CompactTime)


PATIENT = Table(
    "patient_versions",
    METADATA,
    PatientColumns,
    *version_indexes("patient_versions"),
    info={"holds": Holds.PATIENTS, "patient": "id"},
)


class AppointmentColumns(TypedColumns):
    """An appointment within the horizon: of a patient (``kind`` 1), or a class (``kind`` 2). Cancelled ones are kept.

    ``did_not_arrive`` is null where nothing is marked. ``cancellation_reason`` is Cliniko's number.
    """

    mirror: Named[int] = Column(RowKey, primary_key=True, autoincrement=False)
    kind: Named[int] = Column(SmallInteger, primary_key=True, autoincrement=False)
    id: Named[int] = Column(ClinikoId, primary_key=True, autoincrement=False)
    to_sync: Named[int] = Column(RowKey, primary_key=True, autoincrement=False)
    from_sync: Named[int] = Column(RowKey)
    closed_because: Named[int | None] = Column(SmallInteger)
    is_stub: Named[bool]
    is_suppressed: Named[bool] = Column(server_default=text("false"))
    patient_id: Named[int | None] = Column(ClinikoId)
    appointment_type_id: Named[int | None] = Column(ClinikoId)
    practitioner_id: Named[int | None] = Column(ClinikoId)
    starts_at: Named[datetime | None] = Column(CompactTime)
    ends_at: Named[datetime | None] = Column(CompactTime)
    did_not_arrive: Named[bool | None]
    cancelled_at: Named[datetime | None] = Column(CompactTime)
    cancellation_reason: Named[int | None]
    updated_at: Named[datetime | None] = Column(CompactTime)


APPOINTMENT = Table(
    "appointment_versions",
    METADATA,
    AppointmentColumns,
    *version_indexes("appointment_versions"),
    Index("ix_appointment_versions_patient", "mirror", "patient_id", "starts_at"),
    Index("ix_appointment_versions_start", "mirror", "starts_at", "to_sync"),
    info={"holds": Holds.PATIENTS, "patient": "patient_id"},
)


class AttendeeColumns(TypedColumns):
    """A patient's place in a class. ``arrived`` is null where nothing is marked."""

    mirror: Named[int] = Column(RowKey, primary_key=True, autoincrement=False)
    id: Named[int] = Column(ClinikoId, primary_key=True, autoincrement=False)
    to_sync: Named[int] = Column(RowKey, primary_key=True, autoincrement=False)
    from_sync: Named[int] = Column(RowKey)
    closed_because: Named[int | None] = Column(SmallInteger)
    is_stub: Named[bool]
    is_suppressed: Named[bool] = Column(server_default=text("false"))
    booking_id: Named[int | None] = Column(ClinikoId)
    patient_id: Named[int | None] = Column(ClinikoId)
    arrived: Named[bool | None]
    cancelled_at: Named[datetime | None] = Column(CompactTime)
    updated_at: Named[datetime | None] = Column(CompactTime)


ATTENDEE = Table(
    "attendee_versions",
    METADATA,
    AttendeeColumns,
    *version_indexes("attendee_versions"),
    Index("ix_attendee_versions_patient", "mirror", "patient_id"),
    Index("ix_attendee_versions_booking", "mirror", "booking_id"),
    info={"holds": Holds.PATIENTS, "patient": "patient_id"},
)


class AppointmentTypeColumns(TypedColumns):
    """An appointment type, archived or not."""

    mirror: Named[int] = Column(RowKey, primary_key=True, autoincrement=False)
    id: Named[int] = Column(ClinikoId, primary_key=True, autoincrement=False)
    to_sync: Named[int] = Column(RowKey, primary_key=True, autoincrement=False)
    from_sync: Named[int] = Column(RowKey)
    closed_because: Named[int | None] = Column(SmallInteger)
    is_stub: Named[bool]
    is_suppressed: Named[bool] = Column(server_default=text("false"))
    name: Named[str | None] = Column(Text)
    category: Named[str | None] = Column(Text)
    duration_in_minutes: Named[int | None]
    archived_at: Named[datetime | None] = Column(CompactTime)
    updated_at: Named[datetime | None] = Column(CompactTime)


APPOINTMENT_TYPE = Table(
    "appointment_type_versions",
    METADATA,
    AppointmentTypeColumns,
    *version_indexes("appointment_type_versions"),
    info={"holds": Holds.PATIENTS, "patient": None},
)


class PractitionerColumns(TypedColumns):
    """A practitioner. The table is empty where the API key may not read the list."""

    mirror: Named[int] = Column(RowKey, primary_key=True, autoincrement=False)
    id: Named[int] = Column(ClinikoId, primary_key=True, autoincrement=False)
    to_sync: Named[int] = Column(RowKey, primary_key=True, autoincrement=False)
    from_sync: Named[int] = Column(RowKey)
    closed_because: Named[int | None] = Column(SmallInteger)
    is_stub: Named[bool]
    is_suppressed: Named[bool] = Column(server_default=text("false"))
    name: Named[str | None] = Column(Text)
    designation: Named[str | None] = Column(Text)
    is_active: Named[bool | None]
    updated_at: Named[datetime | None] = Column(CompactTime)


PRACTITIONER = Table(
    "practitioner_versions",
    METADATA,
    PractitionerColumns,
    *version_indexes("practitioner_versions"),
    info={"holds": Holds.PATIENTS, "patient": None},
)

MIRRORED = (PATIENT, APPOINTMENT, ATTENDEE, APPOINTMENT_TYPE, PRACTITIONER)
"""Every table of rows that are read from Cliniko."""
