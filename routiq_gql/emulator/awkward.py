"""A small clinic with every case that makes "active" hard to decide, once each.

Tests write the expected sets by hand, from this table. The window is 30 days back and ahead of ``now``. Rows near an
edge keep an hour's distance, so that a slow test passes.

    id                   expected            because
    9                    recent, upcoming    a visit on each side of now
    10                   not active          its only appointment is cancelled
    82                   not active          its only appointment is archived
    101                  not active          its only appointment is deleted, and hidden
    102                  not active          its only appointment is deleted, and listed all the same
    1000                 missed              did not arrive: active, since booked
    9007199254740992     not active          2^53, never had an appointment; the next id equals it as a float
    9007199254740993     upcoming            2^53 + 1
    514810976034364376   not active          archived, with visits
    514810976034364377   not active          merged into the next one
    514810976034364378   recent              the visit came with the merged one
    514810976034364379   upcoming            booked into a class, nothing else
    514810976034364380   not active          cancelled that class, yet patient_ids lists them
    514810976034364381   not active          attendee row archived
    514810976034364382   not active          attends an archived class
    514810976034364383   recent              an hour inside the window's beginning
    514810976034364384   not active          an hour outside it
    514810976034364385   upcoming            an hour inside the window's end
    514810976034364386   not active          an hour outside it
    514810976034364387   missed              has no name; missed a class: active, since booked
    514810976034364388   not active          deleted, with a visit that is still listed
    514810976034364389   not active          comes to a class outside the window only
    514810976034364390   upcoming            a cancellation that was undone
    514810976034364391   not active          attendee row deleted, and listed all the same
    514810976034364392   recent              a visit that began an hour ago
    514810976034364393   upcoming            a visit that begins in an hour
    514810976034364394   recent              comes to a class whose patient_ids is null

27 patients, 24 of them listed; 12 active: 5 recent and 6 upcoming (9 is both), 2 by missed visits only.
Within the window are 12 individual appointments and 4 classes that are not cancelled, archived or deleted, within the
horizon of 730 days 15 and 5. The lists also show an individual appointment within the window that is deleted.
"""

from datetime import datetime, timedelta

from routiq_gql.emulator.clinic import Clinic
from routiq_gql.emulator.expected import Expected, horizon_of
from routiq_gql.emulator.filters import seconds_of

_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)
_EDGE = 30 * _DAY

_RECENT = ("9", "514810976034364378", "514810976034364383", "514810976034364392", "514810976034364394")
_MISSED = ("1000", "514810976034364387")
_UPCOMING = ("9", "9007199254740993", *(f"5148109760343643{end}" for end in (79, 85, 90, 93)))


def awkward_clinic(now: datetime) -> Clinic:
    """The clinic around ``now``. Ids are always the same; many sort differently as text and as numbers."""
    clinic = Clinic("Awkward & Söhne <Physio>", subdomain="awkward", time_zone="Perth")
    clinic.insert_type("Consultation", type_id="7", category="", at=now - 900 * _DAY)
    clinic.insert_type("Pilates <b>class</b>", type_id="12", at=now - 900 * _DAY)
    clinic.insert_type("Gone", type_id="100", at=now - 900 * _DAY)
    clinic.archive("appointment_types", "100", at=now - 800 * _DAY)
    clinic.insert_practitioner(practitioner_id="3", at=now - 900 * _DAY)
    clinic.insert_practitioner(
        practitioner_id="9007199254740995", first_name="", last_name=None, label="", at=now - 900 * _DAY
    )
    clinic.insert_practitioner(practitioner_id="514810976034700001", active=False, at=now - 900 * _DAY)
    _add_patients(clinic, now)
    _add_visits(clinic, now)
    _add_classes(clinic, now)
    # Last, as these two act on rows that exist: a merge moves visits, an undone cancellation leaves no trace.
    clinic.merge("514810976034364377", "514810976034364378", at=now - 2 * _DAY)
    clinic.uncancel("individual_appointments", "514810976034500016", at=now - _DAY)
    clinic.expected = Expected(24, 20, 16, frozenset((*_RECENT, *_MISSED)), frozenset(_UPCOMING))
    return clinic


def _add_patients(clinic: Clinic, now: datetime) -> None:
    # Created in an order that is neither that of the ids as numbers nor as text, as imports leave it.
    small = ["1000", "9", "102", "10", "101", "82", "9007199254740993", "9007199254740992"]
    large = [str(number) for number in range(514810976034364376, 514810976034364395)]
    for age, patient_id in enumerate([*small, *reversed(large)]):
        nameless = patient_id == "514810976034364387"
        texts: dict[str, str | None] = {"first_name": None, "last_name": None, "email": None} if nameless else {}
        clinic.insert_patient(patient_id=patient_id, at=now - (400 - age) * _DAY, **texts)
    clinic.archive("patients", "514810976034364376", at=now - 3 * _DAY)
    clinic.patients.change(514810976034364388, deleted_at=seconds_of(now - 3 * _DAY))  # the visit stays behind


def _add_visits(clinic: Clinic, now: datetime) -> None:
    def visit(number: int, patient_id: str, starts_at: datetime, *, missed: bool = False) -> str:
        visit_id = str(514810976034500000 + number)
        booked = now - 60 * _DAY
        clinic.insert_appointment(patient_id, starts_at, appointment_id=visit_id, did_not_arrive=missed, at=booked)
        return visit_id

    visit(1, "9", now - 5 * _DAY)
    visit(2, "9", now + 5 * _DAY)
    clinic.cancel("individual_appointments", visit(3, "10", now + 4 * _DAY), reason=30, at=now - _DAY)
    clinic.archive("individual_appointments", visit(4, "82", now - 4 * _DAY), at=now - _DAY)
    clinic.delete("individual_appointments", visit(5, "101", now - 6 * _DAY), at=now - _DAY)
    listed_all_the_same = visit(6, "102", now - 7 * _DAY)  # deleted_at alone does not hide an appointment
    clinic.individual_appointments.change(int(listed_all_the_same), deleted_at=seconds_of(now - _DAY))
    visit(7, "1000", now - 8 * _DAY, missed=True)
    visit(8, "9007199254740993", now + 9 * _DAY)
    visit(9, "514810976034364376", now - 10 * _DAY)  # of an archived patient: found, but makes no patient active
    visit(10, "514810976034364377", now - 11 * _DAY)  # moves to ...378 by the merge
    visit(11, "514810976034364383", now - _EDGE + _HOUR)
    visit(12, "514810976034364384", now - _EDGE - _HOUR)
    visit(13, "514810976034364385", now + _EDGE - _HOUR)
    visit(14, "514810976034364386", now + _EDGE + _HOUR)
    visit(15, "514810976034364388", now - 12 * _DAY)  # of a deleted patient: found, but makes no patient active
    clinic.cancel("individual_appointments", visit(16, "514810976034364390", now + 13 * _DAY), at=now - 2 * _DAY)
    visit(17, "514810976034364392", now - _HOUR)
    visit(18, "514810976034364393", now + _HOUR)
    visit(19, "10", horizon_of(now) + 25 * _HOUR)  # inside the horizon, also when midnight passes
    visit(20, "10", horizon_of(now) - _HOUR)


def _add_classes(clinic: Clinic, now: datetime) -> None:
    booked = now - 50 * _DAY

    def attend(number: int, class_id: str, patient_id: str, *, arrived: bool | None = None) -> str:
        attendee_id = str(99 + number)  # 100, 101…: the same ids as patients have, in another list
        clinic.insert_attendee(class_id, patient_id, attendee_id=attendee_id, arrived=arrived, at=booked)
        return attendee_id

    ahead = clinic.insert_class(now + 3 * _DAY, class_id="95", at=booked)
    attend(1, ahead, "514810976034364379")
    clinic.cancel("attendees", attend(2, ahead, "514810976034364380"), at=now - _DAY)
    clinic.archive("attendees", attend(3, ahead, "514810976034364381"), at=now - _DAY)
    listed_all_the_same = attend(4, ahead, "514810976034364391")  # deleted_at alone does not hide an attendee
    clinic.attendees.change(int(listed_all_the_same), deleted_at=seconds_of(now - _DAY))

    archived = clinic.insert_class(now - 3 * _DAY, class_id="514810976034600001", at=booked)
    attend(5, archived, "514810976034364382", arrived=True)  # the attendee row itself is fine
    clinic.archive("group_appointments", archived, at=now - _DAY)

    past = clinic.insert_class(now - 14 * _DAY, class_id="514810976034600002", at=booked)
    attend(6, past, "514810976034364387", arrived=False)
    attend(7, past, "9", arrived=True)  # a patient who is recent already

    # The id decides that this class sends null for patient_ids; a test of the emulator holds it to that.
    without_hint = clinic.insert_class(now - 15 * _DAY, class_id="514810976034600007", at=booked)
    attend(8, without_hint, "514810976034364394", arrived=True)

    clinic.insert_class(now + 6 * _DAY, class_id="514810976034600009", at=booked)  # without attendees
    outside = clinic.insert_class(now + 40 * _DAY, class_id="514810976034600010", at=booked)
    attend(9, outside, "514810976034364389")  # a class outside the window makes no patient active
