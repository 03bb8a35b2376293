"""From Cliniko's rows to records."""

from datetime import UTC, datetime
from typing import Any

import pytest

from routiq_gql.cliniko import (
    APPOINTMENT_TYPES,
    ATTENDEES,
    GROUP_APPOINTMENTS,
    INDIVIDUAL_APPOINTMENTS,
    PATIENTS,
    booking_in,
    starts_between,
)
from routiq_gql.cliniko.rows import BadRow

LINK = {"links": {"self": "https://api.au1.cliniko.com/v1/things/514810976034364376"}}
ROW: dict[str, Any] = {
    "id": "9007199254740993",
    "starts_at": "2016-07-21T03:45:00Z",
    "patient": LINK,
    "booking": LINK,
    "appointment_type": LINK,
}


def test_empty_strings_are_nothing_for_texts_and_times() -> None:
    """Cliniko writes an empty field as null or as an empty text; both mean the same."""
    patient = PATIENTS.parse({"id": "82", "first_name": "", "last_name": " ", "archived_at": "", "email": None})
    assert (patient.first_name, patient.last_name, patient.archived_at, patient.email) == (None, None, None, None)
    assert patient.created_at is None


def test_times_are_utc_and_ids_are_text() -> None:
    """An id beyond what a float holds survives, and a time with another offset becomes UTC."""
    row = {**ROW, "ends_at": "2016-07-21T13:45:00.123456+10:00"}
    appointment = INDIVIDUAL_APPOINTMENTS.parse(row)
    assert appointment.id == "9007199254740993"
    assert appointment.patient_id == "514810976034364376"
    assert appointment.ends_at == datetime(2016, 7, 21, 3, 45, 0, 123000, UTC)
    assert INDIVIDUAL_APPOINTMENTS.parse({**ROW, "id": 82}).id == "82"


@pytest.mark.parametrize(
    ("numbers", "phone"),
    [
        ([{"phone_type": "Home", "number": "1"}, {"phone_type": "Mobile", "number": "2"}], "2"),
        ([{"phone_type": "Mobile", "number": ""}, {"phone_type": "Fax", "number": "3"}], "3"),
        ([], None),
        (None, None),
    ],
)
def test_the_mobile_number_comes_first(numbers: Any, phone: str | None) -> None:
    """A clinic calls the mobile number if there is one, else any."""
    assert PATIENTS.parse({"id": "1", "patient_phone_numbers": numbers}).phone == phone


def test_what_no_database_takes_is_taken_out_of_texts() -> None:
    """A hostile name can't stop a sync."""
    assert PATIENTS.parse({"id": "1", "first_name": "A\0n\ud800na 🦘"}).first_name == "An?na 🦘"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"id": None}, "id"),
        ({"id": "1/2"}, "id"),
        ({"id": "٣"}, "id"),
        ({"id": True}, "id"),
        ({"starts_at": ""}, "starts_at"),
        ({"starts_at": "2016-07-21T03:45:00"}, "starts_at"),
        ({"starts_at": "0001-01-01T00:00:00+14:00"}, "starts_at"),
        ({"ends_at": "secret"}, "ends_at"),
        ({"ends_at": 5}, "ends_at"),
        ({"patient": None}, "patient"),
        ({"patient": {"links": {"self": "https://x/v1/patients/"}}}, "patient"),
        ({"patient": {"links": {"self": "https://[x/v1/patients/82"}}}, "patient"),
        ({"patient": "82"}, "patient"),
        ({"did_not_arrive": "no"}, "did_not_arrive"),
    ],
)
def test_a_row_of_another_shape_is_refused_without_its_content(change: dict[str, Any], field: str) -> None:
    """A row we can't read is not guessed at, and the error names the field only."""
    with pytest.raises(BadRow) as caught:
        INDIVIDUAL_APPOINTMENTS.parse({**ROW, **change})
    assert str(caught.value) == field
    assert caught.value.__context__ is None


def test_personal_fields_are_not_in_a_records_repr() -> None:
    """A record that ends up in a log shows nobody's name."""
    row = {"id": "1", "first_name": "Zofia", "email": "zofia@example.com", "notes": "Zofia's knee"}
    assert "ofia" not in repr(PATIENTS.parse(row))


def test_the_other_lists() -> None:
    """Classes, attendees and types keep what the product uses."""
    assert GROUP_APPOINTMENTS.parse({**ROW, "patient_ids": None}).appointment_type_id == "514810976034364376"
    attendee = ATTENDEES.parse({**ROW, "arrived": True})
    assert (attendee.booking_id, attendee.arrived) == ("514810976034364376", True)
    kind = APPOINTMENT_TYPES.parse({"id": "7", "name": "Pilates", "category": "", "duration_in_minutes": "45"})
    assert (kind.name, kind.category, kind.duration_in_minutes) == ("Pilates", None, 45)


def test_filters_are_in_clinikos_words() -> None:
    """A window includes both its ends, although Cliniko knows whole seconds only."""
    start = datetime(2024, 1, 1, 10, 0, 0, 900_000, UTC)
    assert starts_between(start, start) == ["starts_at:>=2024-01-01T10:00:00Z", "starts_at:<=2024-01-01T10:00:01Z"]
    with pytest.raises(ValueError, match="time zone"):
        starts_between(datetime(2024, 1, 1), start)  # noqa: DTZ001
    assert booking_in(["1", "2"]) == "booking_id:=1,2"
    for ids in ([], ["1,2"], [""]):
        with pytest.raises(ValueError, match="ids"):
            booking_in(ids)
