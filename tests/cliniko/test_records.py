"""Reading records from Cliniko's rows."""

from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

import pytest

from routiq_gql.cliniko import (
    APPOINTMENT_TYPES,
    ATTENDEES,
    GROUP_APPOINTMENTS,
    INDIVIDUAL_APPOINTMENTS,
    PATIENTS,
    PRACTITIONERS,
    RESOURCES,
    Resource,
)
from routiq_gql.cliniko.resources import INACTIVE_PRACTITIONERS
from routiq_gql.cliniko.rows import BadRow

LINK_ID = "514810976034364376"
LINK = {"links": {"self": f"https://api.au1.cliniko.com/v1/things/{LINK_ID}"}}
ROW: dict[str, Any] = {
    "id": "9007199254740993",
    "starts_at": "2016-07-21T03:45:00Z",
    "patient": LINK,
    "booking": LINK,
    "appointment_type": LINK,
    "practitioner": LINK,
}


def test_empty_strings_are_nothing_for_texts_and_times() -> None:
    """Cliniko writes an empty field as null or as an empty text; both mean the same."""
    patient = PATIENTS.parse({"id": "82", "first_name": "", "last_name": " ", "archived_at": "", "email": None})
    assert (patient.first_name, patient.last_name, patient.archived_at, patient.email) == (None, None, None, None)
    assert patient.created_at is None


def test_times_are_utc_and_ids_are_text() -> None:
    """An id too large for a float is kept exactly, and a time with another offset becomes UTC."""
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
        ([{"phone_type": "Mobile", "number": ""}, {"phone_type": "Home", "number": "3"}], "3"),
        ([{"phone_type": "Fax", "number": "1"}, {"phone_type": "Other", "number": "2"}], "2"),
        ([{"phone_type": "fax", "number": "1", "normalized_number": "2"}], None),
        ([{"phone_type": "Mobile", "normalized_number": "61400111222"}], "61400111222"),
        ([{"phone_type": "Mobile", "number": None, "normalized_number": "5"}, {"number": "6"}], "5"),
        ([{"number": "6"}], "6"),
        ([{"phone_type": 3, "number": "6"}], "6"),
        ([{"phone_type": "Mobile", "number": 61400111222}], "61400111222"),
        ([{"phone_type": "Mobile", "number": 1.5}, {"number": True}, {"number": {}}, "7", None, 8], None),
        ([{}], None),
        ([], None),
        (None, None),
        ("", None),
        ("0400", None),
        ({"number": "1"}, None),
    ],
)
def test_the_number_to_call(numbers: Any, phone: str | None) -> None:
    """The number is the mobile number if there is one, else any other but never a fax; odd entries are skipped."""
    assert PATIENTS.parse({"id": "1", "patient_phone_numbers": numbers}).phone == phone


def test_characters_that_databases_reject_are_removed_from_texts() -> None:
    """A hostile name can't stop a sync."""
    assert PATIENTS.parse({"id": "1", "first_name": "A\0n\ud800na 🦘"}).first_name == "An?na 🦘"


ODD_VALUES: list[Any] = [
    None, "", " ", True, False, 0, 7, 1.5, -1, "soon", "true", [], ["x"], [None], {}, {"links": {}}, {"links": None},
    {"links": {"self": None}}, {"links": {"self": ""}}, {"links": {"self": 82}}, {"links": {"self": "https://[x/v1/p/8"}},
    {"links": {"self": "https://x/v1/patients/"}}, {"links": ["self"]}, "82", "2016-13-41T00:00:00Z", "2016-07-21",
    "2016-07-21T03:45:00", "0001-01-01T00:00:00+14:00",
]  # fmt: skip


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: resource.name)
def test_only_the_id_and_the_start_are_required(resource: Resource[Any]) -> None:
    """A row with missing or odd fields is kept, and those fields are empty."""
    required = {"id": "82", "starts_at": "2016-07-21T03:45:00Z"}
    bare = resource.parse(required)
    optional = {field.name for field in fields(bare)} - {"id", "starts_at", "is_active"}
    assert {name for name in optional if getattr(bare, name) is not None} == set()
    links = {"patient", "booking", "appointment_type", "practitioner", "merged_with_patient"}
    names = {*optional, *links, "patient_phone_numbers", "label", "first_name", "last_name", "title", "active"}
    for value in ODD_VALUES:
        record = resource.parse({**dict.fromkeys(names, value), **required})
        assert record.id == "82"
        for name in optional:
            kept = getattr(record, name)
            assert kept is None or kept == value or isinstance(value, int | str), (name, value)
        assert all(getattr(record, name) is None for name in optional if name.endswith("_id")), value


@pytest.mark.parametrize(
    "link",
    [
        "https://api.au1.cliniko.com/v1/patients/82",
        "https://api.au1.cliniko.com/v1/patients/82/",
        "https://proxy.example:8443/cliniko/v1/patients/82?x=1",
        "/v1/patients/82",
        "patients/82",
        "82",
    ],
)
def test_a_link_ends_with_the_id_wherever_it_leads(link: str) -> None:
    """Links may be absolute, relative or through a proxy."""
    assert INDIVIDUAL_APPOINTMENTS.parse({**ROW, "patient": {"links": {"self": link}}}).patient_id == "82"


@pytest.mark.parametrize(
    ("value", "flag"), [(True, True), (False, False), (None, None), ("", None), ("false", None), (0, None), (1, None)]
)
def test_only_an_explicit_mark_counts(value: Any, flag: bool | None) -> None:
    """A visit that is not marked, or marked with another value than yes or no, is neither attended nor missed."""
    assert INDIVIDUAL_APPOINTMENTS.parse({**ROW, "did_not_arrive": value}).did_not_arrive is flag
    assert ATTENDEES.parse({**ROW, "arrived": value}).arrived is flag
    assert ATTENDEES.parse(ROW).arrived is None


@pytest.mark.parametrize(
    "text",
    [
        "2016-07-21T03:45:00Z",
        "2016-07-21T03:45:00.1Z",
        "2016-07-21T03:45:00.123456789+00:00",
        "2016-07-21T13:45:00+10:00",
        "2016-07-20T23:15:00-0430",
        "2016-07-21 03:45:00Z",
    ],
)
def test_a_time_may_have_an_offset_and_a_fraction(text: str) -> None:
    """Different spellings of a time give the same moment."""
    moment = INDIVIDUAL_APPOINTMENTS.parse({**ROW, "starts_at": text}).starts_at
    assert moment.replace(microsecond=0) == datetime(2016, 7, 21, 3, 45, 0, 0, UTC)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"id": None}, "id"),
        ({"id": "1/2"}, "id"),
        ({"id": "٣"}, "id"),
        ({"id": True}, "id"),
        ({"id": "9223372036854775808"}, "id"),
        ({"id": 2**64}, "id"),
        ({"starts_at": ""}, "starts_at"),
        ({"starts_at": "2016-07-21T03:45:00"}, "starts_at"),
        ({"starts_at": "0001-01-01T00:00:00+14:00"}, "starts_at"),
        ({"starts_at": "secret"}, "starts_at"),
        ({"starts_at": 1469072700}, "starts_at"),
    ],
)
def test_a_row_without_id_or_start_is_refused_without_its_content(change: dict[str, Any], field: str) -> None:
    """A row that can't be stored is refused, and the error names only the field."""
    with pytest.raises(BadRow) as caught:
        INDIVIDUAL_APPOINTMENTS.parse({**ROW, **change})
    assert str(caught.value) == field
    assert caught.value.__context__ is None


def test_personal_fields_are_not_in_a_records_repr() -> None:
    """A record in a log shows no patient's name."""
    row = {"id": "1", "first_name": "Zofia", "email": "zofia@example.com", "notes": "Zofia's knee"}
    assert "ofia" not in repr(PATIENTS.parse(row))


def test_the_other_lists() -> None:
    """Classes, attendees and types keep the fields that the product uses."""
    assert GROUP_APPOINTMENTS.parse({**ROW, "patient_ids": None}).appointment_type_id == "514810976034364376"
    attendee = ATTENDEES.parse({**ROW, "arrived": True})
    assert (attendee.booking_id, attendee.arrived) == ("514810976034364376", True)
    kind = APPOINTMENT_TYPES.parse({"id": "7", "name": "Pilates", "category": "", "duration_in_minutes": "45"})
    assert (kind.name, kind.category, kind.duration_in_minutes) == ("Pilates", None, 45)
    assert GROUP_APPOINTMENTS.parse(ROW).practitioner_id == "514810976034364376"


def test_the_greatest_id_of_a_database_is_kept_exactly() -> None:
    """Ids fill 63 bits. A larger one makes a row unreadable, and a link with one is no link."""
    assert PATIENTS.parse({"id": str(2**63 - 1)}).id == "9223372036854775807"
    link = {"links": {"self": f"https://api.au1.cliniko.com/v1/patients/{2**63}"}}
    assert INDIVIDUAL_APPOINTMENTS.parse({**ROW, "patient": link}).patient_id is None


@pytest.mark.parametrize(
    ("value", "reason"), [(30, 30), ("31", 31), (None, None), ("", None), ("sick", None), (10**6, None), ([], None)]
)
def test_a_cancellation_has_a_reason(value: Any, reason: int | None) -> None:
    """Only the number of a cancellation's reason is kept, never the note."""
    row = {**ROW, "cancellation_reason": value, "cancellation_note": "unwell"}
    appointment = INDIVIDUAL_APPOINTMENTS.parse(row)
    assert (appointment.cancellation_reason, appointment.practitioner_id) == (reason, "514810976034364376")
    assert "unwell" not in repr(appointment)


def test_a_merged_patient_names_the_other() -> None:
    """A merge shows which patient has the appointments now."""
    row = {"id": "1", "merged_at": "2016-07-21T03:45:00Z", "merged_with_patient": LINK}
    patient = PATIENTS.parse(row)
    assert (patient.merged_at, patient.merged_with_id) == (datetime(2016, 7, 21, 3, 45, tzinfo=UTC), LINK_ID)


@pytest.mark.parametrize(
    ("row", "name"),
    [
        ({"label": "Dr Kim Lee", "first_name": "Kim"}, "Dr Kim Lee"),
        ({"label": "", "title": "Dr", "first_name": "Kim", "last_name": "Lee"}, "Dr Kim Lee"),
        ({"first_name": "Kim", "last_name": None}, "Kim"),
        ({}, None),
    ],
)
def test_a_practitioner_has_a_name_if_cliniko_sends_one(row: dict[str, Any], name: str | None) -> None:
    """A practitioner appears under the name that the clinic shows to patients, else under first and last name."""
    assert PRACTITIONERS.parse({"id": "1", **row}).name == name


def test_a_practitioner_who_left_is_inactive() -> None:
    """The list says who has left, unless the row itself says it."""
    assert PRACTITIONERS.parse({"id": "1"}).is_active is True
    assert INACTIVE_PRACTITIONERS.parse({"id": "1"}).is_active is False
    assert INACTIVE_PRACTITIONERS.parse({"id": "1", "active": True}).is_active is True
