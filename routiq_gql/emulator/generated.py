"""Clinics of any size for tests of memory and speed, and for random searches; the same arguments, the same clinic.

The builder decides for each patient whether the person will be active, and then makes the rows for it. So
``clinic.expected`` is independent of the code that reads rows.
"""

from datetime import datetime
from random import Random

from routiq_gql.emulator.builder import ClinicBuilder
from routiq_gql.emulator.clinic import Clinic, Expected, day_of
from routiq_gql.emulator.filters import seconds_of

MOST_PATIENTS = 200_000

# Whole days from today that keep a day's distance from now and from the edges of windows of 30 days.
_RECENT_DAYS = range(-28, -1)
_UPCOMING_DAYS = range(2, 29)
_LONG_AGO = range(-700, -31)
_LATER = range(32, 200)
_PATIENTS_PER_CLASS = 100


def generated_clinic(patients: int, now: datetime, seed: int = 1) -> Clinic:
    """A clinic that lists exactly ``patients`` patients, and has hidden patients beside them.

    About a sixth is active, in every way there is. The figures in ``expected`` hold at every hour of the day of
    ``now``, with windows of 30 days.

    Raises:
        ValueError: ``patients`` is not within 0 to 200,000.
    """
    if not 0 <= patients <= MOST_PATIENTS:
        raise ValueError(f"A generated clinic has 0 to {MOST_PATIENTS:,} patients.")
    random = Random(f"generated clinic {seed}")
    clinic = Clinic(f"Generated Clinic {seed}", subdomain=f"generated-{seed}", time_zone="Melbourne")
    first_id = 600_000_000_000_000_000 + seed % 1000 * 100_000_000_000_000
    _Generator(clinic, ClinicBuilder(clinic, seconds_of(day_of(now)), random, first_id), random).run(patients)
    return clinic


class _Generator:
    """Decides the state of each patient, makes the rows, and counts."""

    def __init__(self, clinic: Clinic, builder: ClinicBuilder, random: Random) -> None:
        self._clinic = clinic
        self._builder = builder
        self._random = random
        self._recent: set[str] = set()
        self._upcoming: set[str] = set()
        self._found = 0
        self._classes: dict[range, list[int]] = {_RECENT_DAYS: [], _UPCOMING_DAYS: []}

    def run(self, patients: int) -> None:
        """Make all rows, and return the expected result."""
        for number in range(2 + patients // _PATIENTS_PER_CLASS):
            days = _UPCOMING_DAYS if number % 2 else _RECENT_DAYS
            self._classes[days].append(self._builder.group_class(self._random.choice(days)))
            self._found += 1
        hidden_class = self._builder.group_class(_RECENT_DAYS[0], archived=True)
        for number in range(patients):
            self._add_listed(self._builder.patient(), hidden_class)
            if number % 50 == 0:
                self._add_hidden(number)
        self._builder.finish()
        self._clinic.expected = Expected(patients, self._found, frozenset(self._recent), frozenset(self._upcoming))

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
            self._builder.appointment(patient, self._random.choice(_LONG_AGO if lot < 0.42 else _LATER))
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
        count = 1 + int(self._random.random() * 5)
        for _ in range(count):
            missed = days is _RECENT_DAYS and self._random.random() < 0.06
            self._builder.appointment(patient, self._random.choice(days), did_not_arrive=missed)
        self._found += count
        self._mark(patient, days)

    def _attend(self, patient: int, days: range) -> None:
        arrived = None if days is _UPCOMING_DAYS else self._random.random() < 0.9
        self._builder.attendee(self._random.choice(self._classes[days]), patient, arrived=arrived)
        self._mark(patient, days)

    def _mark(self, patient: int, days: range) -> None:
        (self._recent if days is _RECENT_DAYS else self._upcoming).add(str(patient))

    def _add_hidden(self, number: int) -> None:
        """Patients that no list shows; the appointments of archived patients are listed all the same."""
        if number % 150 == 0:
            deleted = self._builder.patient(deleted=True)
            self._builder.appointment(deleted, self._random.choice(_UPCOMING_DAYS), deleted=True)
        else:
            archived = self._builder.patient(archived=True)
            self._builder.appointment(archived, self._random.choice(_RECENT_DAYS))
            self._found += 1
