"""Writes the rows of a clinic as Cliniko's JSON: links for references, text for ids, ``""`` or ``null`` for no value.

The server calls ``row_json`` for the rows of a page. The rows also hold fields that the product must never keep
(notes, Medicare numbers, custom fields, ``patient_name``), because Cliniko's do.
"""

from collections.abc import Mapping
from typing import Any

from routiq_gql.emulator.changes import CANCELLATION_REASONS
from routiq_gql.emulator.clinic import Clinic
from routiq_gql.emulator.filters import text_of_seconds
from routiq_gql.emulator.people import CLINICAL_MARKER, appointment_note, mix, sends_empty_text
from routiq_gql.emulator.table import Row

Json = dict[str, Any]


def row_json(clinic: Clinic, resource: str, row_id: int, base_url: str) -> Json:
    """A row of a list in its current state. ``base_url`` ends in ``/v1``."""
    row = clinic.tables[resource].get(row_id)
    body = _WRITERS[resource](clinic, row, _Links(base_url))
    body["links"] = {"self": f"{base_url}/{resource}/{row_id}"}
    if sends_empty_text(row_id):
        return {name: "" if value is None and name not in _NEVER_TEXT else value for name, value in body.items()}
    return body


_NEVER_TEXT = frozenset(
    {"patient_ids", "arrived", "did_not_arrive", "patient_arrived", "merged_with_patient", "cancellation_reason"}
)


class _Links:
    """Makes references, which are links only."""

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url

    def to(self, path: str, row_id: int | None) -> Mapping[str, Any] | None:
        return None if row_id is None else {"links": {"self": f"{self._base_url}/{path}/{row_id}"}}


def _time(row: Row, name: str) -> str | None:
    seconds = row[name]
    return None if seconds is None else text_of_seconds(seconds)


def _times(row: Row, *names: str) -> Json:
    return {name: _time(row, name) for name in names}


def _patient(clinic: Clinic, row: Row, links: _Links) -> Json:
    row_id = row["id"] or 0
    who = clinic.person(row_id)
    return {
        "id": str(row_id),
        "title": None,
        "first_name": who.first_name if who.first_name is not None else "",
        "last_name": who.last_name if who.last_name is not None else "",
        "preferred_first_name": who.preferred_first_name,
        "email": who.email,
        "date_of_birth": who.date_of_birth,
        "patient_phone_numbers": [{"phone_type": kind, "number": number} for kind, number in who.phones],
        "notes": who.notes,
        "appointment_notes": f"{CLINICAL_MARKER} appointment notes {row_id}",
        "occupation": who.occupation,
        "medicare": who.medicare,
        "medicare_reference_number": "1",
        "custom_fields": {
            "sections": [
                {"name": "History", "fields": [{"name": "Surgery", "type": "text", "value": who.notes}]},
            ]
        },
        "time_zone": None,
        **_times(row, "archived_at", "deleted_at", "merged_at", "created_at", "updated_at"),
        "merged_with_patient": links.to("patients", row["merged_with_id"]),
    }


def _individual_appointment(clinic: Clinic, row: Row, links: _Links) -> Json:
    row_id, patient_id, reason = row["id"] or 0, row["patient_id"], row["cancellation_reason"]
    missed = bool(row["did_not_arrive"])
    return {
        "id": str(row_id),
        **_times(row, "starts_at", "ends_at", "cancelled_at", "archived_at", "deleted_at"),
        "did_not_arrive": missed,
        "patient_arrived": not missed and mix(row_id, 4) % 2 == 0,
        "patient_name": None if patient_id is None else clinic.person(patient_id).full_name,
        "notes": appointment_note(row_id),
        "cancellation_note": f"{CLINICAL_MARKER} cancelled" if row["cancelled_at"] else None,
        "cancellation_reason": reason,
        "cancellation_reason_description": CANCELLATION_REASONS.get(reason or 0),
        "repeat_rule": {},
        "patient": links.to("patients", patient_id),
        "appointment_type": links.to("appointment_types", row["appointment_type_id"]),
        "practitioner": links.to("practitioners", row["practitioner_id"]),
        "business": links.to("businesses", 1),
        **_times(row, "created_at", "updated_at"),
    }


def _group_appointment(clinic: Clinic, row: Row, links: _Links) -> Json:
    row_id = row["id"] or 0
    attendees = [clinic.attendees.get(i)["patient_id"] for i in clinic.attendees.find("booking_id", row_id)]
    hint = None if not attendees or mix(row_id, 5) % 6 == 0 else [str(patient_id) for patient_id in attendees]
    return {
        "id": str(row_id),
        **_times(row, "starts_at", "ends_at", "archived_at", "deleted_at"),
        "max_attendees": 8,
        "notes": appointment_note(row_id),
        "patient_ids": hint,  # including cancelled attendees
        "appointment_type": links.to("appointment_types", row["appointment_type_id"]),
        "practitioner": links.to("practitioners", row["practitioner_id"]),
        "business": links.to("businesses", 1),
        **_times(row, "created_at", "updated_at"),
    }


def _attendee(_clinic: Clinic, row: Row, links: _Links) -> Json:
    row_id = row["id"] or 0
    return {
        "id": str(row_id),
        "arrived": None if row["arrived"] is None else bool(row["arrived"]),
        "notes": appointment_note(row_id),
        "booking": links.to("bookings", row["booking_id"]),
        "patient": links.to("patients", row["patient_id"]),
        **_times(row, "cancelled_at", "archived_at", "deleted_at", "created_at", "updated_at"),
    }


def _appointment_type(clinic: Clinic, row: Row, _links: _Links) -> Json:
    row_id = row["id"] or 0
    name, category = clinic.type_names.get(row_id, ("Appointment", None))
    return {
        "id": str(row_id),
        "name": name,
        "category": category,
        "color": f"#{mix(row_id) % 2**24:06x}",
        "duration_in_minutes": row["duration_in_minutes"],
        "max_attendees": row["max_attendees"],
        **_times(row, "archived_at", "created_at", "updated_at"),
    }


def _practitioner(clinic: Clinic, row: Row, links: _Links) -> Json:
    row_id = row["id"] or 0
    who = clinic.practitioner(row_id)
    return {
        "id": str(row_id),
        "first_name": who.first_name,
        "last_name": who.last_name,
        "title": who.title,
        "designation": who.designation,
        "label": who.label,
        "description": None,
        "active": bool(row["active"]),
        "user": links.to("users", row["user_id"]),
        **_times(row, "created_at", "updated_at"),
    }


_WRITERS = {
    "patients": _patient,
    "individual_appointments": _individual_appointment,
    "group_appointments": _group_appointment,
    "attendees": _attendee,
    "appointment_types": _appointment_type,
    "practitioners": _practitioner,
}
