"""The demo's clinic, "Harbour Street Physio", with exactly the figures that the documentation shows.

641 patients are listed and 1,247 appointments lie in the window of 30 days back and ahead; 89 patients are
active, 66 by a recent visit and 23 by an upcoming one. The rest of the window's appointments are classes and
visits of patients who have been archived since. All other patients have earlier, later or cancelled appointments.
"""

from datetime import datetime
from random import Random

from routiq_gql.emulator.builder import ClinicBuilder
from routiq_gql.emulator.clinic import Clinic, Expected, day_of
from routiq_gql.emulator.filters import seconds_of

_LISTED_PATIENTS = 641
_RECENT_PATIENTS = 66
_UPCOMING_PATIENTS = 23
_ARCHIVED_PATIENTS = 64  # 40 of them with visits in the window
_DELETED_PATIENTS = 12

_RECENT_VISITS = 680
_UPCOMING_VISITS = 193
_VISITS_OF_ARCHIVED = 158
_CLASSES_A_DAY = 4
_CLASS_ONLY = 6  # recent patients who come to classes only; three of the upcoming patients too

# Whole days from today. At any hour of the day they keep a day's distance from now and from the window's edges.
_RECENT_DAYS = range(-28, -1)
_UPCOMING_DAYS = range(2, 29)
_LONG_AGO = range(-400, -31)
_LATER = range(32, 120)


def demo_clinic(now: datetime) -> Clinic:
    """The clinic on the day of ``now``: ids and people never change, times move with the day.

    The figures hold at every hour of that day, with windows of 30 days.
    """
    random = Random("Harbour Street Physio")
    clinic = Clinic("Harbour Street Physio", subdomain="harbour-street-physio", time_zone="Sydney")
    builder = ClinicBuilder(clinic, seconds_of(day_of(now)), random, first_id=514_810_976_034_364_000)
    listed = [builder.patient() for _ in range(_LISTED_PATIENTS)]
    archived = [builder.patient(archived=True) for _ in range(_ARCHIVED_PATIENTS)]
    deleted = [builder.patient(deleted=True) for _ in range(_DELETED_PATIENTS)]
    for kept in listed[::200]:
        builder.patient(merged_into=kept)

    shuffled = random.sample(listed, len(listed))
    recent = shuffled[:_RECENT_PATIENTS]
    upcoming = shuffled[_RECENT_PATIENTS : _RECENT_PATIENTS + _UPCOMING_PATIENTS]
    others = shuffled[_RECENT_PATIENTS + _UPCOMING_PATIENTS :]

    for patient, visits in _shares(random, recent[_CLASS_ONLY:], _RECENT_VISITS):
        for day in sorted(random.choices(_RECENT_DAYS, k=visits)):
            builder.appointment(patient, day, did_not_arrive=random.random() < 0.06)
    for patient, visits in _shares(random, upcoming[_CLASS_ONLY // 2 :], _UPCOMING_VISITS):
        for day in sorted(random.choices(_UPCOMING_DAYS, k=visits)):
            builder.appointment(patient, day)
    for patient, visits in _shares(random, archived[:40], _VISITS_OF_ARCHIVED):
        for day in sorted(random.choices(_RECENT_DAYS, k=visits)):
            builder.appointment(patient, day)

    _add_what_does_not_count(builder, random, listed, others, deleted)
    _add_classes(builder, random, recent, _RECENT_DAYS, others, arrived=True)
    _add_classes(builder, random, upcoming, _UPCOMING_DAYS, others, arrived=None)
    builder.finish()

    class_count = _CLASSES_A_DAY * (len(_RECENT_DAYS) + len(_UPCOMING_DAYS))
    clinic.expected = Expected(
        patients_found=_LISTED_PATIENTS,
        appointments_found=_RECENT_VISITS + _UPCOMING_VISITS + _VISITS_OF_ARCHIVED + class_count,
        recent=frozenset(map(str, recent)),
        upcoming=frozenset(map(str, upcoming)),
    )
    return clinic


def _shares(random: Random, patients: list[int], total: int) -> list[tuple[int, int]]:
    """Each patient with a number of visits, at least two, together exactly ``total``."""
    counts = [total // len(patients)] * len(patients)
    for place in range(total % len(patients)):
        counts[place] += 1
    for _ in range(len(patients) * 3):
        giver, taker = random.randrange(len(patients)), random.randrange(len(patients))
        if counts[giver] > 2:
            counts[giver] -= 1
            counts[taker] += 1
    return list(zip(patients, counts, strict=True))


def _add_what_does_not_count(
    builder: ClinicBuilder, random: Random, listed: list[int], others: list[int], deleted: list[int]
) -> None:
    """Visits outside the window, and cancelled, archived and deleted visits inside it."""
    for patient in random.choices(listed, k=900):
        builder.appointment(patient, random.choice(_LONG_AGO), did_not_arrive=random.random() < 0.06)
    for patient in random.choices(listed, k=60):
        builder.appointment(patient, random.choice(_LATER))
    for patient in random.choices(others, k=90):
        builder.appointment(patient, random.choice((*_RECENT_DAYS, *_UPCOMING_DAYS)), cancelled=True)
    for patient in random.choices(others, k=20):
        builder.appointment(patient, random.choice(_RECENT_DAYS), archived=True)
    for patient in [*deleted, *random.choices(others, k=8)]:
        builder.appointment(patient, random.choice((*_RECENT_DAYS, *_UPCOMING_DAYS)), deleted=True)


def _add_classes(
    builder: ClinicBuilder,
    random: Random,
    members: list[int],
    days: range,
    others: list[int],
    *,
    arrived: bool | None,
) -> None:
    """Classes on each of ``days``, attended by ``members`` only; ``others`` booked and cancelled."""
    class_only = members[: _CLASS_ONLY if arrived else _CLASS_ONLY // 2]
    for day in days:
        for number in range(_CLASSES_A_DAY):
            class_id = builder.group_class(day)
            if day % 9 == 5 and number == 0:
                continue  # a class without bookings
            attending = {class_only[day % len(class_only)], *random.sample(members, 4)}
            for patient in sorted(attending):
                came = arrived and random.random() > 0.1
                builder.attendee(class_id, patient, arrived=came)
            builder.attendee(class_id, random.choice(others), arrived=None, cancelled=True)
    archived_class = builder.group_class(days[3], archived=True)
    for patient in random.sample(others, 3):
        builder.attendee(archived_class, patient, arrived=arrived)
