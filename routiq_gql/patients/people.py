"""Makes a patient for readers from a row of Cliniko and the bookings that are visible at a sync."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from routiq_gql.database.mirror import CLASS
from routiq_gql.database.patient_pages import PatientRow
from routiq_gql.database.patient_reading import BookingRow, Names
from routiq_gql.patients.bookings import Booking, to_milliseconds, to_moment
from routiq_gql.patients.keys import PatientKey
from routiq_gql.patients.lists import PatientList
from routiq_gql.patients.model import Activity, Appointment, Patient, Practitioner
from routiq_gql.patients.read_sync import ReadSync
from routiq_gql.patients.reasons import reason_of
from routiq_gql.patients.rules import assess
from routiq_gql.patients.subject import Subject
from routiq_gql.patients.wording import Wording
from routiq_gql.time_zones import name_of


@dataclass(frozen=True, slots=True)
class Clinic:
    """A clinic at a sync, and the names that its appointments need."""

    sync: ReadSync
    names: Names

    def practitioner(self, row_id: int | None) -> Practitioner | None:
        return Practitioner(str(row_id), self.names.practitioners.get(row_id)) if row_id is not None else None


def patient_of(clinic: Clinic, row: PatientRow, rows: Sequence[BookingRow]) -> Patient:
    """The patient of a row.

    Args:
        rows: The patient's bookings, ascending by their start.
    """
    sync = clinic.sync
    bookings = [_booking(one) for one in rows]
    created_at = to_milliseconds(row.created_at) if row.created_at is not None else None
    is_listed = row.archived_at is None and row.merged_with_id is None
    found = assess(bookings, is_listed, created_at, sync.terms)
    appointments = {(one.kind, one.id): one for one in rows}
    show = partial(_appointment, clinic, appointments)
    subject = Subject(
        bookings=bookings,
        is_listed=is_listed,
        is_merged=row.merged_with_id is not None,
        created_at=created_at,
        assessment=found,
        terms=sync.terms,
        show=show,
        wording=Wording(sync.zone, sync.analyzed_at),
    )
    return Patient(
        key=PatientKey(sync.organization_id, row.id, sync.as_of),
        name=full_name(row),
        first_name=row.first_name,
        last_name=row.last_name,
        preferred_first_name=row.preferred_first_name,
        email=row.email,
        phone=row.phone,
        created_at=row.created_at,
        is_archived=row.archived_at is not None,
        lists=tuple(one for one in PatientList if one in found.lists),
        last_appointment=show(found.last_visit) if found.last_visit else None,
        next_appointment=show(found.next_booking) if found.next_booking else None,
        visits=found.visits,
        missed_appointments=found.missed,
        cancelled_appointments=found.cancelled,
        booked_appointments=found.booked,
        activity=Activity(
            is_active=PatientList.ACTIVE in found.lists,
            recent_appointments=found.recent,
            upcoming_appointments=found.upcoming,
            missed_appointments=found.recently_missed,
        ),
        time_zone=name_of(sync.zone),
        why=partial(reason_of, subject),
    )


def full_name(row: PatientRow) -> str:
    """First and last name; the preferred name, or else the number in Cliniko, where both are missing."""
    full = " ".join(one for one in (row.first_name, row.last_name) if one)
    return full or row.preferred_first_name or f"Patient {row.id}"


def _booking(row: BookingRow) -> Booking:
    return Booking(
        starts_at=to_milliseconds(row.starts_at),
        is_cancelled=bool(row.is_cancelled),
        is_missed=None if row.is_missed is None else bool(row.is_missed),
        kind=row.kind,
        id=row.id,
        type_id=row.type_id,
        practitioner_id=row.practitioner_id,
    )


def _appointment(clinic: Clinic, rows: Mapping[tuple[int, int], BookingRow], booking: Booking) -> Appointment:
    row = rows[booking.kind, booking.id]
    return Appointment(
        starts_at=to_moment(booking.starts_at),
        ends_at=row.ends_at,
        type_name=clinic.names.types.get(row.type_id) if row.type_id is not None else None,
        practitioner=clinic.practitioner(row.practitioner_id),
        is_class=row.kind == CLASS,
    )
