"""Why a patient is in a list: agreement with the rule for random histories, and the sentences themselves."""

import random
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from routiq_gql.database.patient_pages import PatientRow
from routiq_gql.database.patient_reading import BookingRow, Names
from routiq_gql.patients.bookings import to_moment
from routiq_gql.patients.lists import PatientList
from routiq_gql.patients.model import Patient
from routiq_gql.patients.people import Clinic, patient_of
from routiq_gql.patients.read_sync import ReadSync
from tests.patients.clinics import DAY, PRACTITIONERS, TYPES, Person, Visit, random_person, terms_at

NOW = datetime(2025, 3, 5, 1, 0, tzinfo=UTC)
SYDNEY = ZoneInfo("Australia/Sydney")
MILLISECOND = timedelta(milliseconds=1)


def shown(
    person: Person, at: datetime = NOW, horizon: datetime = NOW - 730 * DAY, merged_with: int | None = None
) -> Patient:
    """The patient as a reader of a sync at this time gets it."""
    terms = terms_at(at, horizon)
    sync = ReadSync("org_1", 1, 1, "sync_org_1_20250305_010000", False, at, terms, SYDNEY)
    row = PatientRow(
        person.id, person.first_name, person.last_name, person.preferred_first_name, person.email, person.phone,
        NOW if person.is_archived else None, merged_with, person.created_at,
    )  # fmt: skip
    bookings = [
        BookingRow(
            person.id, one.starts_at, one.starts_at + timedelta(minutes=45), one.is_cancelled, one.is_missed,
            2 if one.is_class else 1, one.id, one.type_id, one.practitioner_id,
        )
        for one in sorted(person.visits, key=lambda one: (one.starts_at, one.is_class, one.id))
    ]  # fmt: skip
    return patient_of(Clinic(sync, Names(dict(PRACTITIONERS), dict(TYPES))), row, bookings)


@pytest.mark.parametrize("seed", range(300))
def test_the_reason_agrees_with_the_list_until_the_moment_that_it_names(seed: int):
    """Membership is that of the list; time alone changes it exactly at the named moment, and not before it."""
    pick = random.Random(seed)
    person = random_person(pick, seed + 1, NOW)
    patient = shown(person)
    for which in PatientList:
        reason = patient.why(which)
        assert reason.list is which
        assert reason.is_member is (which in patient.lists)
        assert reason.is_member is (which in person.assessed(terms_at(NOW, NOW - 730 * DAY)).lists)
        assert len(reason.appointments) <= 2
        assert reason.sentence.endswith(".")
        assert not reason.sentence.endswith("..")
        assert "None" not in reason.sentence
        if reason.changes_at is None:
            later = shown(person, NOW + 2_000 * DAY, NOW - 730 * DAY)
            assert (which in later.lists) is reason.is_member
            continue
        assert reason.changes_at > NOW
        before = shown(person, reason.changes_at - MILLISECOND, NOW - 730 * DAY)
        after = shown(person, reason.changes_at, NOW - 730 * DAY)
        assert (which in before.lists) is reason.is_member
        assert (which in after.lists) is not reason.is_member
        date = reason.changes_at.astimezone(SYDNEY)
        assert f" {date.day} {date:%B}" in reason.sentence


def _day(days: int) -> datetime:
    return NOW + days * DAY


PILATES = {"type_id": 601, "is_class": True}
NEW = NOW - 100 * DAY
WEEKLY = tuple(Visit(number, _day(-200 + 7 * number)) for number in range(5))
CASES: list[tuple[str, PatientList, tuple[Visit, ...], str]] = [
    ("a visit", PatientList.ACTIVE, (Visit(1, _day(-1), **PILATES),),
     "Pilates class with Dr Sana Malik, Tue 4 March; leaves the list on 3 April unless they book."),
    ("a booking", PatientList.ACTIVE, (Visit(1, _day(3)),),
     "Booked: Standard physio with Dr Sana Malik, Sat 8 March; leaves the list on 7 April unless they book."),
    ("a missed one", PatientList.ACTIVE, (Visit(1, _day(-3), is_missed=True, practitioner_id=503, type_id=None),),
     "Missed: Appointment, Sun 2 March; leaves the list on 1 April unless they book."),
    ("an old visit", PatientList.ACTIVE, (Visit(1, _day(-62)),),
     "Not active: the last visit was on 2 January, more than 30 days before this sync."),
    ("last year", PatientList.ACTIVE, (Visit(1, _day(-100)),),
     "Not active: the last visit was on 25 November 2024, more than 30 days before this sync."),
    ("far ahead", PatientList.ACTIVE, (Visit(1, _day(50)),),
     "Not active: the next appointment is on 24 April, more than 30 days after this sync; joins the list on 25 March."),
    ("nothing", PatientList.ACTIVE, (), "Not active: no appointment in the stored history."),
    ("all cancelled", PatientList.ACTIVE, (Visit(1, _day(1), is_cancelled=True),),
     "Not active: all appointments were cancelled."),
    ("nothing booked", PatientList.UPCOMING, (Visit(1, _day(-1)),), "Nothing is booked."),
    ("no booking", PatientList.NO_FUTURE_APPOINTMENT, (Visit(1, _day(-1)),),
     ("Last visit: Standard physio with Dr Sana Malik, Tue 4 March, and nothing is booked; leaves the list on "
     "2 September, or when they book.")),
    ("booked", PatientList.NO_FUTURE_APPOINTMENT, (Visit(1, _day(-1)), Visit(2, _day(8), practitioner_id=502)),
     "Not in this list: booked for Thu 13 March, Standard physio with Tom Ode"),
    ("cancelled", PatientList.CANCELLED_NOT_REBOOKED, (Visit(1, _day(2), is_cancelled=True),),
     ("Cancelled: Standard physio with Dr Sana Malik, Fri 7 March, and nothing later is booked; leaves the list on "
     "6 April, or when they book a later appointment.")),
    ("rebooked", PatientList.CANCELLED_NOT_REBOOKED, (Visit(1, _day(2), is_cancelled=True), Visit(2, _day(9))),
     ("Not in this list: after the cancelled appointment of 7 March there is another, Standard physio with Dr Sana "
     "Malik, Fri 14 March.")),
    ("missed", PatientList.MISSED_NOT_REBOOKED, (Visit(1, _day(-2), is_missed=True),),
     ("Missed: Standard physio with Dr Sana Malik, Mon 3 March, and nothing later is booked; leaves the list on "
     "2 April, or when they book.")),
    ("came once", PatientList.FIRST_VISIT_ONLY, (Visit(1, _day(-20)),),
     ("The only visit: Standard physio with Dr Sana Malik, Thu 13 February, and nothing is booked; leaves the list on "
     "12 August, or when they book.")),
    ("came just now", PatientList.FIRST_VISIT_ONLY, (Visit(1, _day(-2)),),
     ("Not in this list yet: the first visit was on 3 March, less than 14 days before this sync; joins the list on "
     "17 March unless they book.")),
    ("two booked", PatientList.UPCOMING, (Visit(1, _day(3)), Visit(2, _day(15), **PILATES)),
     ("Booked: Standard physio with Dr Sana Malik, Sat 8 March; also booked: Pilates class with Dr Sana Malik, Thu 20 "
      "March; leaves the list on 20 March unless they book.")),
    ("a later one keeps active", PatientList.ACTIVE, (Visit(1, _day(3)), Visit(2, _day(15), **PILATES)),
     ("Booked: Standard physio with Dr Sana Malik, Sat 8 March; also booked: Pilates class with Dr Sana Malik, Thu 20 "
      "March; leaves the list on 19 April unless they book.")),
    ("a recent visit", PatientList.RECENT, (Visit(1, _day(-1), **PILATES),),
     ("Pilates class with Dr Sana Malik, Tue 4 March; leaves the list on 3 April unless they have another visit "
      "before.")),
    ("a recent visit and a missed one", PatientList.ACTIVE, (Visit(1, _day(-9)), Visit(2, _day(-1), is_missed=True)),
     ("Standard physio with Dr Sana Malik, Mon 24 February; missed: Standard physio with Dr Sana Malik, Tue 4 March; "
      "leaves the list on 3 April unless they book.")),
    ("will come", PatientList.RECENT, (Visit(1, _day(3)),),
     ("No recent visit: no visit in the stored history; joins the list on 8 March if they come to Standard physio with "
      "Dr Sana Malik.")),
    ("booked twice", PatientList.NO_FUTURE_APPOINTMENT, (Visit(1, _day(3)), Visit(2, _day(8), practitioner_id=502)),
     ("Not in this list: booked for Sat 8 March, Standard physio with Dr Sana Malik; also booked: Standard physio with "
      "Tom Ode, Thu 13 March; joins the list on 13 March unless they book a later appointment.")),
    ("lapsed", PatientList.LAPSED, WEEKLY,
     ("5 visits, usually 7 days apart; the last one was Standard physio with Dr Sana Malik, Sat 14 September 2024, and "
     "nothing is booked; leaves the list when they book.")),
    ("too few", PatientList.LAPSED, WEEKLY[:2], "Not in this list: 2 visits in the stored history, fewer than 3."),
]  # fmt: skip


@pytest.mark.parametrize(("which", "visits", "sentence"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_the_sentence_names_the_appointment_and_the_date(which: PatientList, visits: tuple[Visit, ...], sentence: str):
    """A receptionist reads which appointment decides, with whom, and until when, in the clinic's time zone."""
    assert shown(Person(7, created_at=NEW, visits=visits)).why(which).sentence.startswith(sentence)


def test_an_archived_patient_is_in_no_list():
    """Of an archived patient every list says the same."""
    patient = shown(Person(7, is_archived=True, visits=(Visit(1, _day(1)),)))
    assert patient.lists == ()
    assert {patient.why(which).sentence for which in PatientList} == {
        "Not in this list: the patient is archived in Cliniko."
    }


@pytest.mark.parametrize("is_archived", [True, False])
def test_a_patient_merged_into_another_is_in_no_list(is_archived: bool):
    """Cliniko archives a merged patient, who may be restored; the other patient has the bookings either way."""
    patient = shown(Person(7, is_archived=is_archived, visits=(Visit(1, _day(1)),)), merged_with=8)
    assert patient.lists == ()
    assert not patient.activity.is_active
    assert {patient.why(which).sentence for which in PatientList} == {
        "Not in this list: the patient was merged into another patient in Cliniko."
    }


def test_a_day_is_that_of_the_clinic():
    """An appointment at 00:30 in Sydney is on the Sydney day, although it is the day before in UTC."""
    starts_at = datetime(2025, 3, 3, 13, 30, tzinfo=UTC)
    reason = shown(Person(7, visits=(Visit(1, starts_at),))).why(PatientList.RECENT)
    assert "Tue 4 March" in reason.sentence
    assert reason.appointments[0].starts_at == starts_at == to_moment(1_741_008_600_000)
