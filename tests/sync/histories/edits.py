"""Carries out the edits of a history on an emulated clinic, and makes its clinics."""

import random
from datetime import datetime, timedelta
from itertools import accumulate

from routiq_gql.emulator import Clinic
from tests.sync.histories.steps import LISTS, STARTS, VISITS, Edit, Kind, Size

OLD = timedelta(days=100)
"""The age of the rows that are as old as the clinic: before every mark."""


def make_clinic(size: Size, now: datetime) -> Clinic:
    """A clinic whose appointments start around the edges of the windows and the horizon. Some ids leave gaps."""
    clinic, chance, at = Clinic("Histories"), random.Random(size.seed), now - OLD
    steps = random.Random(f"ids {size.seed}")
    numbers = accumulate(iter(lambda: steps.choice((1, 10, 10)), 0))
    for name in ("Massage", "Yoga"):
        clinic.insert_type(name, type_id=str(next(numbers)), at=at)
    for _ in range(2):
        clinic.insert_practitioner(practitioner_id=str(next(numbers)), at=at)
    patients = [clinic.insert_patient(patient_id=str(next(numbers)), at=at) for _ in range(size.patients)]
    classes = [
        clinic.insert_class(now + chance.choice(STARTS), class_id=str(next(numbers)), at=at)
        for _ in range(size.classes)
    ]
    for _ in range(size.appointments if patients else 0):
        starts = now + chance.choice(STARTS)
        clinic.insert_appointment(chance.choice(patients), starts, appointment_id=str(next(numbers)), at=at)
    for _ in range(size.attendees if patients and classes else 0):
        number = str(next(numbers))
        clinic.insert_attendee(chance.choice(classes), chance.choice(patients), attendee_id=number, at=at)
    for resource in LISTS[:4]:
        for row_id in clinic.tables[resource].ids():
            if chance.random() < 0.15:
                clinic.archive(resource, str(row_id), at=at)
            if resource in VISITS and chance.random() < 0.15:
                clinic.cancel(resource, str(row_id), at=at)
            if resource in VISITS and chance.random() < 0.15:
                clinic.mark(resource, str(row_id), arrived=False, at=at)
    return clinic


def carry_out(edit: Edit, clinic: Clinic) -> None:
    """Change the clinic. An edit without a row that fits does nothing."""
    table = clinic.tables[edit.resource]
    ids = table.ids()
    now = clinic.clock.now()
    starts = now + STARTS[edit.starts]
    if edit.kind in {Kind.INSERT, Kind.INSERT_OLD, Kind.OPEN_CLASS}:
        _insert(edit, clinic, starts)
        return
    if not ids:
        return
    row = str(ids[edit.row % len(ids)])
    match edit.kind:
        case Kind.ARCHIVE:
            clinic.archive(edit.resource, row, touch=edit.touch)
        case Kind.UNARCHIVE:
            clinic.unarchive(edit.resource, row, touch=edit.touch)
        case Kind.CANCEL:
            clinic.cancel(edit.resource, row, touch=edit.touch)
        case Kind.UNCANCEL:
            clinic.uncancel(edit.resource, row, touch=edit.touch)
        case Kind.DELETE:
            clinic.delete(edit.resource, row, touch=edit.touch)
        case Kind.REMOVE:
            clinic.delete(edit.resource, row, trace=False)
        case Kind.MERGE:
            into = str(ids[edit.other % len(ids)])
            # A patient who was merged before takes part in no other merge; the survivor may be merged later.
            are_unmerged = all(table.get(int(one))["merged_with_id"] is None for one in (row, into))
            if into != row and are_unmerged and table.get(int(into))["deleted_at"] is None:
                clinic.merge(row, into, touch=edit.touch)
        case Kind.MARK:
            arrived = (None, True, False)[edit.other % 3]
            clinic.mark(edit.resource, row, arrived=arrived, touch=edit.touch)
        case Kind.MOVE if edit.resource != "attendees":
            clinic.move(edit.resource, row, starts, touch=edit.touch)
        case Kind.MOVE:
            if classes := clinic.group_appointments.ids():
                clinic.move("attendees", row, class_id=str(classes[edit.other % len(classes)]), touch=edit.touch)
        case Kind.HAND_OVER:
            _hand_over(edit, clinic, row)
        case Kind.RENAME:
            _rename(edit, clinic, row)


def _insert(edit: Edit, clinic: Clinic, starts: datetime) -> None:
    number, at = None, None
    if edit.kind is Kind.INSERT_OLD:
        at, given = clinic.clock.now() - OLD, 5 + 10 * edit.row
        if given in clinic.tables[edit.resource]:
            return
        number = str(given)
    patients, classes = clinic.patients.ids(), clinic.group_appointments.ids()
    patient = str(patients[edit.other % len(patients)]) if patients else None
    match edit.resource:
        case "patients":
            clinic.insert_patient(patient_id=number, at=at)
        case "individual_appointments" if patient is not None:
            clinic.insert_appointment(patient, starts, appointment_id=number, at=at)
        case "group_appointments":
            made = clinic.insert_class(starts, class_id=number, at=at)
            if edit.kind is Kind.OPEN_CLASS and patient is not None:
                for _ in range(1 + edit.row % 3):
                    clinic.insert_attendee(made, patient, at=clinic.clock.now() - OLD)
        case "attendees" if patient is not None and classes:
            booking = str(classes[edit.row % len(classes)])
            clinic.insert_attendee(booking, patient, attendee_id=number, at=at)
        case "appointment_types":
            clinic.insert_type(f"Type {edit.other}", at=at)
        case "practitioners":
            clinic.insert_practitioner(active=edit.touch, at=at)


def _hand_over(edit: Edit, clinic: Clinic, row: str) -> None:
    def chosen(resource: str) -> str | None:
        ids = clinic.tables[resource].ids()
        return str(ids[edit.other % len(ids)]) if ids else None

    patient = chosen("patients") if edit.resource in VISITS else None
    if edit.resource == "attendees":
        clinic.move("attendees", row, patient_id=patient, touch=edit.touch)
        return
    practitioner, kind = chosen("practitioners"), chosen("appointment_types")
    clinic.move(edit.resource, row, patient_id=patient, practitioner_id=practitioner, type_id=kind, touch=edit.touch)


def _rename(edit: Edit, clinic: Clinic, row: str) -> None:
    name = f"Name {edit.other}"
    match edit.resource:
        case "patients":
            clinic.rename(row, first_name=name, touch=edit.touch)
        case "appointment_types":
            clinic.rename_type(row, name, touch=edit.touch)
        case "practitioners":
            clinic.rename_practitioner(row, label=name, touch=edit.touch)
