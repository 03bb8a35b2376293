"""The demo's clinic, "Harbour Street Physio", with exactly the figures that the documentation shows.

641 patients are listed, and 1,247 appointments start within the horizon of 730 days or later. 89 patients are active,
66 by a recent visit and 23 by an upcoming one. Most appointments are older than the windows of 30 days. There are also
appointments before the horizon, and cancelled, archived and deleted appointments.
"""

from datetime import datetime
from random import Random

from routiq_gql.emulator.builder import ClinicBuilder
from routiq_gql.emulator.clinic import Clinic
from routiq_gql.emulator.expected import Expected, day_of
from routiq_gql.emulator.filters import seconds_of

_LISTED_PATIENTS = 641
_RECENT_PATIENTS = 66
_UPCOMING_PATIENTS = 23
_ARCHIVED_PATIENTS = 64  # 40 of them with visits
_DELETED_PATIENTS = 12

_APPOINTMENTS = 1247
_RECENT_VISITS = 190
_UPCOMING_VISITS = 52
_RECENT_VISITS_OF_ARCHIVED = 30
_EARLIER_VISITS_OF_ARCHIVED = 50
_LATER_VISITS = 40
_CLASS_ONLY = 6  # recent patients who come to classes only; three of the upcoming patients too

# Whole days from today. At any hour they keep a day's distance from now, from the windows' edges and from the horizon.
_RECENT_DAYS = range(-28, -1)
_UPCOMING_DAYS = range(2, 29)
_EARLIER = range(-727, -31)
_LATER = range(32, 120)
_BEFORE_HORIZON = range(-1400, -732)
_CLASS_DAYS_IN_WINDOW = (_RECENT_DAYS[::2], _UPCOMING_DAYS[::2])
_CLASS_DAYS = (*_CLASS_DAYS_IN_WINDOW, _EARLIER[::7], _LATER[::7])
_CLASS_DAYS_BEFORE_HORIZON = _BEFORE_HORIZON[::14]


def demo_clinic(now: datetime) -> Clinic:
    """The clinic on the day of ``now``: ids and people never change, times move with the day.

    The figures hold at every hour of that day, with windows of 30 days and a horizon of 730. Because rows move at
    midnight UTC, none has an older ``updated_at``: a sync on the next day finds them all changed.
    """
    random = Random("Harbour Street Physio")
    today = seconds_of(day_of(now))
    clinic = Clinic("Harbour Street Physio", subdomain="harbour-street-physio", time_zone="Sydney")
    builder = ClinicBuilder(clinic, today, random, first_id=514_810_976_034_364_000)
    listed = [builder.patient() for _ in range(_LISTED_PATIENTS)]
    archived = [builder.patient(archived=True) for _ in range(_ARCHIVED_PATIENTS)]
    deleted = [builder.patient(deleted=True) for _ in range(_DELETED_PATIENTS)]
    for kept in listed[::200]:
        builder.patient(merged_into=kept)

    shuffled = random.sample(listed, len(listed))
    recent = shuffled[:_RECENT_PATIENTS]
    upcoming = shuffled[_RECENT_PATIENTS : _RECENT_PATIENTS + _UPCOMING_PATIENTS]
    others = shuffled[_RECENT_PATIENTS + _UPCOMING_PATIENTS :]

    in_window = [
        (recent[_CLASS_ONLY:], _RECENT_VISITS, _RECENT_DAYS),
        (upcoming[_CLASS_ONLY // 2 :], _UPCOMING_VISITS, _UPCOMING_DAYS),
        (archived[:15], _RECENT_VISITS_OF_ARCHIVED, _RECENT_DAYS),
    ]
    outside = [(archived[15:40], _EARLIER_VISITS_OF_ARCHIVED, _EARLIER)]
    for patients, total, days in in_window + outside:
        for patient, visits in _shares(random, patients, total):
            for day in sorted(random.choices(days, k=visits)):
                builder.appointment(patient, day, did_not_arrive=day < 0 and random.random() < 0.06)
    for patient in random.choices(listed, k=_LATER_VISITS):
        builder.appointment(patient, random.choice(_LATER))
    classes = sum(map(len, _CLASS_DAYS))
    earlier_visits = _APPOINTMENTS - sum(total for _, total, _ in in_window + outside) - _LATER_VISITS - classes
    for patient in random.choices(listed, k=earlier_visits):
        builder.appointment(patient, random.choice(_EARLIER), did_not_arrive=random.random() < 0.06)

    _add_what_does_not_count(builder, random, listed, others, deleted)
    _add_classes(builder, random, recent, upcoming, others)
    builder.finish()
    for table in clinic.tables.values():
        for row in list(table.rows()):
            table.change(row["id"] or 0, updated_at=max(row["updated_at"] or 0, today))

    clinic.expected = Expected(
        patients_found=_LISTED_PATIENTS,
        appointments_found=_APPOINTMENTS,
        appointments_in_window=sum(total for _, total, _ in in_window) + sum(map(len, _CLASS_DAYS_IN_WINDOW)),
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
    """Visits before the horizon, and cancelled, archived and deleted visits of patients who are not active by them."""
    within = (*_EARLIER, *_RECENT_DAYS, *_UPCOMING_DAYS)
    for patient in random.choices(listed, k=300):
        builder.appointment(patient, random.choice(_BEFORE_HORIZON), did_not_arrive=random.random() < 0.06)
    for patient in random.choices(others, k=60):
        builder.appointment(patient, random.choice(within), cancelled=True)
    for patient in random.choices(others, k=30):
        builder.appointment(patient, random.choice((*_RECENT_DAYS, *_UPCOMING_DAYS)), cancelled=True)
    for patient in random.choices(others, k=20):
        builder.appointment(patient, random.choice(_RECENT_DAYS), archived=True)
    for patient in [*deleted, *random.choices(others, k=8)]:
        builder.appointment(patient, random.choice((*_RECENT_DAYS, *_UPCOMING_DAYS)), deleted=True)


def _add_classes(
    builder: ClinicBuilder, random: Random, recent: list[int], upcoming: list[int], others: list[int]
) -> None:
    """Classes, attended within the windows by active patients only; others booked and cancelled there."""
    for days in (*_CLASS_DAYS, _CLASS_DAYS_BEFORE_HORIZON):
        members, class_only = others, others[:1]
        if days[0] in _RECENT_DAYS:
            members, class_only = recent, recent[:_CLASS_ONLY]
        elif days[0] in _UPCOMING_DAYS:
            members, class_only = upcoming, upcoming[: _CLASS_ONLY // 2]
        for number, day in enumerate(days):
            class_id = builder.group_class(day)
            if number % 9 == 8:
                continue  # a class without bookings
            for patient in sorted({class_only[number % len(class_only)], *random.sample(members, 4)}):
                arrived = random.random() > 0.1 if day < 0 else None
                builder.attendee(class_id, patient, arrived=arrived, day=day)
            builder.attendee(class_id, random.choice(others), arrived=None, cancelled=True, day=day)
        if days in _CLASS_DAYS_IN_WINDOW:
            archived_class = builder.group_class(days[3], archived=True)
            for patient in random.sample(others, 3):
                builder.attendee(archived_class, patient, arrived=days[3] < 0 or None)
