"""What the mirror holds of a page of Cliniko, and why it does not hold a row.

A deleted row is in no mirror, nor an archived appointment or attendee, nor an appointment outside the horizon; see
``cliniko.filters``, which asks for the same rows. Ids become integers here.
"""

from collections.abc import Callable, Mapping
from typing import Any

from routiq_gql.cliniko import (
    AppointmentType,
    Attendee,
    GroupAppointment,
    Horizon,
    IndividualAppointment,
    Page,
    Patient,
    Practitioner,
    Record,
)
from routiq_gql.database.drafts import Closing, Covered, ReadPage

Row = Mapping[str, object]


def page_content(
    page: Page[Record], horizon: Horizon, covered: Covered | None = None, classes: frozenset[int] | None = None
) -> ReadPage:
    """The content of a page, ready to be merged.

    Args:
        covered: The part of the list that the page answers for; ignored if the page has a row without a usable id.
        classes: Of attendees: the classes in the mirror. Attendees of other classes and of individual appointments are
            not mirrored. ``None``: every class of the page is in the mirror.
    """
    rows: list[Row] = []
    closing: dict[int, Closing] = {}
    is_by_class = covered is not None and covered.bookings is not None
    for record in page.records:
        if isinstance(record, Attendee) and record.booking_id is None and not is_by_class:
            continue  # it may belong to an individual appointment; if it is of a class, a full sync stores it
        reason = _reason(record, horizon, classes)
        if reason is None:
            rows.append(_ROWS[type(record)](record))
        else:
            closing[int(record.id)] = reason
    unreadable = [int(row.id) for row in page.unreadable if row.id is not None]
    if len(unreadable) < len(page.unreadable):
        covered = None
    return ReadPage(rows, closing, unreadable, covered)


def says_nothing(content: ReadPage) -> bool:
    """Whether merging a page would change nothing in any mirror, as it holds no row and answers for none."""
    return not (content.rows or content.closing or content.unreadable) and content.covered is None


def booking_ids(page: Page[Record]) -> set[int]:
    """The classes and appointments that the attendees of a page belong to."""
    return {int(one.booking_id) for one in page.records if isinstance(one, Attendee) and one.booking_id is not None}


def merged_patients(page: Page[Record]) -> dict[int, int | None]:
    """Patients whose row shows a merge, with the patient they were merged with if the row names one."""
    return {
        int(one.id): _int(one.merged_with_id)
        for one in page.records
        if isinstance(one, Patient) and (one.merged_at is not None or one.merged_with_id is not None)
    }


def count_listed(page: Page[Record]) -> int:
    """Rows of a page that count in the figures that clients read: not archived, cancelled or deleted."""
    return sum(
        getattr(one, "archived_at", None) is None
        and getattr(one, "cancelled_at", None) is None
        and getattr(one, "deleted_at", None) is None
        for one in page.records
    )


def _reason(record: Record, horizon: Horizon, classes: frozenset[int] | None) -> Closing | None:
    """Why a row is not mirrored; ``None`` if it is."""
    if getattr(record, "deleted_at", None) is not None:
        return Closing.DELETED
    if isinstance(record, IndividualAppointment | GroupAppointment):
        if record.archived_at is not None:
            return Closing.ARCHIVED
        if record.starts_at < horizon.start or (horizon.end is not None and record.starts_at > horizon.end):
            return Closing.MOVED_OUT
    elif isinstance(record, Attendee):
        if record.archived_at is not None:
            return Closing.ARCHIVED
        if classes is not None and record.booking_id is not None and int(record.booking_id) not in classes:
            return Closing.CLASS_CLOSED
    return None


def _patient(one: Patient) -> Row:
    return {
        "id": int(one.id),
        "first_name": one.first_name,
        "last_name": one.last_name,
        "preferred_first_name": one.preferred_first_name,
        "email": one.email,
        "phone": one.phone,
        "archived_at": one.archived_at,
        "merged_with_id": _int(one.merged_with_id),
        "created_at": one.created_at,
        "updated_at": one.updated_at,
    }


def _individual_appointment(one: IndividualAppointment) -> Row:
    return {
        "id": int(one.id),
        "patient_id": _int(one.patient_id),
        "appointment_type_id": _int(one.appointment_type_id),
        "practitioner_id": _int(one.practitioner_id),
        "starts_at": one.starts_at,
        "ends_at": one.ends_at,
        "did_not_arrive": one.did_not_arrive,
        "cancelled_at": one.cancelled_at,
        "cancellation_reason": one.cancellation_reason,
        "updated_at": one.updated_at,
    }


def _group_appointment(one: GroupAppointment) -> Row:
    return {
        "id": int(one.id),
        "appointment_type_id": _int(one.appointment_type_id),
        "practitioner_id": _int(one.practitioner_id),
        "starts_at": one.starts_at,
        "ends_at": one.ends_at,
        "updated_at": one.updated_at,
    }


def _attendee(one: Attendee) -> Row:
    return {
        "id": int(one.id),
        "booking_id": _int(one.booking_id),
        "patient_id": _int(one.patient_id),
        "arrived": one.arrived,
        "cancelled_at": one.cancelled_at,
        "updated_at": one.updated_at,
    }


def _appointment_type(one: AppointmentType) -> Row:
    return {
        "id": int(one.id),
        "name": one.name,
        "category": one.category,
        "duration_in_minutes": one.duration_in_minutes,
        "archived_at": one.archived_at,
        "updated_at": one.updated_at,
    }


def _practitioner(one: Practitioner) -> Row:
    return {
        "id": int(one.id),
        "name": one.name,
        "designation": one.designation,
        "is_active": one.is_active,
        "updated_at": one.updated_at,
    }


_ROWS: dict[type, Callable[[Any], Row]] = {
    Patient: _patient,
    IndividualAppointment: _individual_appointment,
    GroupAppointment: _group_appointment,
    Attendee: _attendee,
    AppointmentType: _appointment_type,
    Practitioner: _practitioner,
}


def _int(id_: str | None) -> int | None:
    return int(id_) if id_ is not None else None
