"""What readers of patients need besides the patients themselves: the sync that they read, bookings, and names.

Each function is a single statement, whatever the number of patients.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import NamedTuple

from sqlalchemy import (
    BigInteger,
    Boolean,
    Executable,
    and_,
    bindparam,
    literal_column,
    select,
    type_coerce,
    union_all,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.database.columns import AnySelect, among, unindexed
from routiq_gql.database.mirror import CLASS, INDIVIDUAL, visible
from routiq_gql.database.tables import APPOINTMENT, APPOINTMENT_TYPE, ATTENDEE, MIRROR, PRACTITIONER, SYNC
from routiq_gql.database.version_pruning import COMPLETED

_MIRROR, _SYNC = bindparam("mirror", type_=BigInteger), bindparam("sync", type_=BigInteger)


@dataclass(frozen=True, slots=True)
class AskedSync:
    """The published sync of an organization, and the sync that a reader asks for.

    Attributes:
        mirror: The number of the organization.
        published: The number of the published sync; 0 before the first.
        oldest_kept: The number of the oldest sync that readers may ask for.
        oldest_kept_id: Its id; ``None`` before the first.
        horizon_from: The start of the history that the sync stored.
        time_zone: The clinic's, as Cliniko names it.
        key: The number of the sync that was asked for; ``None`` if the organization has no such completed sync.
    """

    mirror: int
    published: int
    oldest_kept: int
    oldest_kept_id: str | None
    horizon_from: datetime | None
    key: int | None
    sync_id: str | None
    completed_at: datetime | None
    analyzed_at: datetime | None
    recent_days: int | None
    upcoming_days: int | None
    seen_within_weeks: int | None
    rules: int | None
    patients_found: int | None
    time_zone: str | None

    @property
    def is_kept(self) -> bool:
        """Whether the rows of the sync can be read."""
        return self.key is not None and self.oldest_kept <= self.key <= self.published


async def asked_sync(
    connection: AsyncConnection, organization_id: str, sync_id: str | None = None, key: int | None = None
) -> AskedSync | None:
    """The sync with this id or number, or else the published one; ``None`` for an organization without a mirror."""
    given = {"organization": organization_id, "sync_id": sync_id, "key": key}
    query = _asked("sync_id" if sync_id is not None else "key" if key is not None else None)
    row = (await connection.execute(query, given)).one_or_none()
    return AskedSync(*row) if row is not None else None


@cache
def _asked(by: str | None) -> Executable:
    oldest = SYNC.alias("oldest")
    if by == "sync_id":
        is_asked = SYNC.c.sync_id == bindparam("sync_id")
    else:
        is_asked = SYNC.c.key == (MIRROR.c.sync if by is None else bindparam("key", type_=BigInteger))
    is_own = and_(SYNC.c.organization_id == MIRROR.c.organization_id, SYNC.c.status == COMPLETED)
    earlier = SYNC.alias("earlier")
    # A sync that asked Cliniko nothing keeps the time zone of the sync before it.
    zone = (
        select(earlier.c.time_zone)
        .where(earlier.c.organization_id == MIRROR.c.organization_id, earlier.c.key <= SYNC.c.key)
        .where(earlier.c.time_zone.is_not(None))
        .order_by(earlier.c.key.desc())
        .limit(1)
        .scalar_subquery()
    )
    source = MIRROR.outerjoin(SYNC, and_(is_asked, is_own)).outerjoin(oldest, oldest.c.key == MIRROR.c.oldest_kept)
    return (
        select(
            *(MIRROR.c.number, MIRROR.c.sync, MIRROR.c.oldest_kept, oldest.c.sync_id, SYNC.c.horizon_from),
            *(SYNC.c.key, SYNC.c.sync_id, SYNC.c.completed_at, SYNC.c.analyzed_at, SYNC.c.recent_days),
            *(SYNC.c.upcoming_days, SYNC.c.seen_within_weeks, SYNC.c.rules, SYNC.c.patients_found, zone),
        )
        .select_from(source)
        .where(MIRROR.c.organization_id == bindparam("organization"))
    )


class BookingRow(NamedTuple):
    """An appointment of a patient, or a patient's place in a class.

    Attributes:
        is_missed: ``None`` where nothing is marked.
        kind: ``INDIVIDUAL`` or ``CLASS``.
        id: Of the appointment, or of the place.
    """

    patient_id: int
    starts_at: datetime
    ends_at: datetime | None
    is_cancelled: bool
    is_missed: bool | None
    kind: int
    id: int
    type_id: int | None
    practitioner_id: int | None


async def bookings_at(
    connection: AsyncConnection, mirror: int, sync: int, ids: Sequence[int]
) -> dict[int, list[BookingRow]]:
    """The bookings of these patients at a published sync, by patient, ascending by their start.

    Rows that can't be read and rows without a start are left out.
    """
    found: dict[int, list[BookingRow]] = {patient: [] for patient in ids}
    if ids:
        given = {"mirror": mirror, "sync": sync, "ids": list(ids)}
        for row in await connection.execute(_BOOKINGS, given):
            found[row[0]].append(BookingRow(*row))
        for bookings in found.values():
            bookings.sort(key=lambda one: (one.starts_at, one.kind, one.id))
    return found


def _bookings() -> Executable:
    of_patient, place, session = APPOINTMENT.alias("own"), ATTENDEE.alias("place"), APPOINTMENT.alias("session")
    individual: AnySelect = select(
        of_patient.c.patient_id,
        of_patient.c.starts_at,
        of_patient.c.ends_at,
        of_patient.c.cancelled_at.is_not(None).label("is_cancelled"),
        of_patient.c.did_not_arrive.label("is_missed"),
        literal_column(str(INDIVIDUAL)).label("kind"),
        of_patient.c.id,
        of_patient.c.appointment_type_id,
        of_patient.c.practitioner_id,
    ).where(
        visible(of_patient, _MIRROR, _SYNC),
        unindexed(of_patient.c.kind) == INDIVIDUAL,  # SQLite would read all of the kind
        among(of_patient.c.patient_id, "ids"),
        of_patient.c.starts_at.is_not(None),
        of_patient.c.is_stub.is_(False),
    )
    in_class: AnySelect = select(
        place.c.patient_id,
        session.c.starts_at,
        session.c.ends_at,
        place.c.cancelled_at.is_not(None),
        # Cliniko marks arrivals here, and absences of individual appointments.
        type_coerce(~place.c.arrived, Boolean),
        literal_column(str(CLASS)),
        place.c.id,
        session.c.appointment_type_id,
        session.c.practitioner_id,
    ).where(
        visible(place, _MIRROR, _SYNC),
        among(place.c.patient_id, "ids"),
        place.c.is_stub.is_(False),
        visible(session, _MIRROR, _SYNC),
        session.c.kind == CLASS,
        session.c.id == place.c.booking_id,
        session.c.starts_at.is_not(None),
        session.c.is_stub.is_(False),
    )
    return union_all(individual, in_class)


_BOOKINGS = _bookings()


class Names(NamedTuple):
    """Names of practitioners and of appointment types, by their ids."""

    practitioners: dict[int, str | None]
    types: dict[int, str | None]


MOST_PRACTITIONERS = 1_000
"""More than any clinic has."""


async def names_at(connection: AsyncConnection, mirror: int, sync: int, types: Iterable[int]) -> Names:
    """All practitioners of the clinic at a published sync, and the names of these appointment types."""
    given = {"mirror": mirror, "sync": sync, "ids": sorted(types)}
    names = Names({}, {})
    for is_type, row_id, name in await connection.execute(_NAMES, given):
        (names.types if is_type else names.practitioners)[row_id] = name
    return names


def _names() -> Executable:
    practitioners = (
        select(literal_column("0").label("is_type"), PRACTITIONER.c.id, PRACTITIONER.c.name)
        .where(visible(PRACTITIONER, _MIRROR, _SYNC), PRACTITIONER.c.is_stub.is_(False))
        .limit(MOST_PRACTITIONERS)
        .subquery("practitioners")
    )
    types: AnySelect = select(literal_column("1"), APPOINTMENT_TYPE.c.id, APPOINTMENT_TYPE.c.name).where(
        visible(APPOINTMENT_TYPE, _MIRROR, _SYNC), among(APPOINTMENT_TYPE.c.id, "ids")
    )
    return union_all(select(practitioners), types)


_NAMES = _names()
