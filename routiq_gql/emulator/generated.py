"""Clinics of any size for tests of memory and speed, and for random searches; the same arguments, the same clinic.

The builder decides for each patient whether the person will be active, and then makes the rows for it. So
``clinic.expected`` is independent of the code that reads rows. Further appointments fill up the horizon of 24 months
and some months ahead; they leave the windows of activity as they are.
"""

from datetime import datetime
from random import Random

from routiq_gql.emulator.builder import ClinicBuilder
from routiq_gql.emulator.clinic import Clinic
from routiq_gql.emulator.expected import Expected, day_of
from routiq_gql.emulator.filters import seconds_of

MOST_PATIENTS = 200_000

# Whole days from today that keep a day's distance from now, from the edges of windows of 30 days, and from the horizon.
_RECENT_DAYS = range(-28, -1)
_UPCOMING_DAYS = range(2, 29)
_LONG_AGO = range(-727, -31)
_LATER = range(32, 200)
_BEFORE_HORIZON = range(-1100, -732)
_PATIENTS_PER_CLASS = 100
_SHARE_AHEAD = 0.05  # of the further appointments


def generated_clinic(
    patients: int,
    now: datetime,
    seed: int = 1,
    *,
    appointments: int | None = None,
    classes: int | None = None,
    attendees_per_class: int = 0,
) -> Clinic:
    """A clinic that lists exactly ``patients`` patients, and has hidden patients beside them.

    About a sixth is active, in every way there is. The figures in ``expected`` hold at every hour of the day of
    ``now``.

    Args:
        patients: How many the list shows.
        now: The clinic's time; rows move with its day.
        seed: Decides everything else.
        appointments: Exactly ``expected.appointments_found``, classes included; ``None`` for about one a patient.
        classes: How many of them are group appointments; ``None`` for one in 100 patients.
        attendees_per_class: Attendees of each class beside the few whom activity needs.

    Raises:
        ValueError: ``patients`` is not within 0 to 200,000, or more appointments or classes are needed than asked for.
    """
    if not 0 <= patients <= MOST_PATIENTS:
        raise ValueError(f"A generated clinic has 0 to {MOST_PATIENTS:,} patients.")
    random = Random(f"generated clinic {seed}")
    clinic = Clinic(f"Generated Clinic {seed}", subdomain=f"generated-{seed}", time_zone="Melbourne")
    first_id = 600_000_000_000_000_000 + seed % 1000 * 100_000_000_000_000
    builder = ClinicBuilder(clinic, seconds_of(day_of(now)), random, first_id)
    generator = _Generator(builder, random)
    generator.add_patients(patients)
    generator.add_attendees(attendees_per_class)
    generator.add_further_classes(classes, attendees_per_class)
    generator.add_further_appointments(appointments)
    builder.finish()
    clinic.expected = generator.expected()
    return clinic


class _Generator:
    """Decides the state of each patient, makes the rows, and counts."""

    def __init__(self, builder: ClinicBuilder, random: Random) -> None:
        self._builder = builder
        self._random = random
        self._listed: list[int] = []
        self._recent: set[int] = set()
        self._upcoming: set[int] = set()
        self._found = 0
        self._in_window = 0
        self._classes: dict[range, list[int]] = {_RECENT_DAYS: [], _UPCOMING_DAYS: []}

    def expected(self) -> Expected:
        """The figures of the rows made so far."""
        recent, upcoming = (frozenset(map(str, ids)) for ids in (self._recent, self._upcoming))
        return Expected(len(self._listed), self._found, self._in_window, recent, upcoming)

    def add_patients(self, patients: int) -> None:
        """Make the patients, and the rows that decide who is active."""
        for number in range(2 + patients // _PATIENTS_PER_CLASS):
            days = _UPCOMING_DAYS if number % 2 else _RECENT_DAYS
            self._classes[days].append(self._builder.group_class(self._random.choice(days)))
            self._count(days)
        hidden_class = self._builder.group_class(_RECENT_DAYS[0], archived=True)
        for number in range(patients):
            patient = self._builder.patient()
            self._listed.append(patient)
            self._add_listed(patient, hidden_class)
            if number % 50 == 0:
                self._add_hidden(number)

    def add_attendees(self, per_class: int) -> None:
        """Let active patients attend the classes of the windows, which makes no other patient active."""
        for days, active in ((_RECENT_DAYS, sorted(self._recent)), (_UPCOMING_DAYS, sorted(self._upcoming))):
            arrived = True if days is _RECENT_DAYS else None
            for class_id in self._classes[days]:
                for patient in self._random.sample(active, min(per_class, len(active))):
                    self._builder.attendee(class_id, patient, arrived=arrived)

    def add_further_classes(self, classes: int | None, attendees_per_class: int) -> None:
        """Make classes outside the windows until there are ``classes``."""
        made = sum(map(len, self._classes.values()))
        if classes is not None and classes < made:
            raise ValueError(f"This clinic has at least {made:,} classes.")
        for _ in range((classes or made) - made):
            day = self._some_day()
            class_id = self._builder.group_class(day)
            self._found += 1
            for patient in self._random.sample(self._listed, min(attendees_per_class, len(self._listed))):
                self._builder.attendee(class_id, patient, arrived=day < 0 or None, day=day)

    def add_further_appointments(self, appointments: int | None) -> None:
        """Make individual appointments outside the windows until ``appointments`` are within the horizon."""
        if appointments is None:
            return
        if appointments < self._found or (appointments > self._found and not self._listed):
            raise ValueError(f"This clinic has at least {self._found:,} appointments, and none without patients.")
        while self._found < appointments:
            patient = self._listed[int(self._random.random() * len(self._listed))]
            self._builder.appointment(patient, self._some_day(), did_not_arrive=self._random.random() < 0.05)
            self._found += 1

    def _some_day(self) -> int:
        days = _LATER if self._random.random() < _SHARE_AHEAD else _LONG_AGO
        return days[int(self._random.random() * len(days))]

    def _add_listed(self, patient: int, hidden_class: int) -> None:
        lot = self._random.random()
        if lot < 0.10:
            self._visits(patient, _RECENT_DAYS)
        elif lot < 0.14:
            self._visits(patient, _UPCOMING_DAYS)
        elif lot < 0.16:
            self._visits(patient, _RECENT_DAYS)
            self._visits(patient, _UPCOMING_DAYS)
        elif lot < 0.17:
            self._attend(patient, _UPCOMING_DAYS if lot < 0.163 else _RECENT_DAYS)
        elif lot < 0.45:
            days = _BEFORE_HORIZON if lot < 0.19 else _LONG_AGO if lot < 0.42 else _LATER
            self._builder.appointment(patient, self._random.choice(days))
            self._count(days)
        elif lot < 0.50:
            self._builder.appointment(patient, self._random.choice(_RECENT_DAYS), cancelled=True)
        elif lot < 0.51:
            self._builder.appointment(patient, self._random.choice(_UPCOMING_DAYS), deleted=lot < 0.505, archived=True)
        elif lot < 0.52:
            class_id = self._random.choice(self._classes[_RECENT_DAYS])
            self._builder.attendee(class_id, patient, arrived=None, cancelled=True)
        elif lot < 0.525:
            self._builder.attendee(hidden_class, patient, arrived=True)

    def _visits(self, patient: int, days: range) -> None:
        for _ in range(1 + int(self._random.random() * 5)):
            missed = days is _RECENT_DAYS and self._random.random() < 0.06
            self._builder.appointment(patient, self._random.choice(days), did_not_arrive=missed)
            self._count(days)
        self._mark(patient, days)

    def _attend(self, patient: int, days: range) -> None:
        arrived = None if days is _UPCOMING_DAYS else self._random.random() < 0.9
        self._builder.attendee(self._random.choice(self._classes[days]), patient, arrived=arrived)
        self._mark(patient, days)

    def _count(self, days: range) -> None:
        self._found += days is not _BEFORE_HORIZON
        self._in_window += days in {_RECENT_DAYS, _UPCOMING_DAYS}

    def _mark(self, patient: int, days: range) -> None:
        (self._recent if days is _RECENT_DAYS else self._upcoming).add(patient)

    def _add_hidden(self, number: int) -> None:
        """Patients that no list shows; the appointments of archived patients are listed all the same."""
        if number % 150 == 0:
            deleted = self._builder.patient(deleted=True)
            self._builder.appointment(deleted, self._random.choice(_UPCOMING_DAYS), deleted=True)
        else:
            archived = self._builder.patient(archived=True)
            self._builder.appointment(archived, self._random.choice(_RECENT_DAYS))
            self._count(_RECENT_DAYS)
