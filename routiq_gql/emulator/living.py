"""The people of an emulated clinic at work: each step is one change, as a receptionist or a patient would make it.

``routiq-gql demo`` and ``routiq-gql emulator --living`` take a step every ten seconds or so. Each change moves the
``updated_at`` of its rows, as Cliniko does. The clinic grows up to a limit: beyond it, patients who left come back and
cancelled visits are booked again. So the demo can run for days. The same seed makes the same changes on the same day.
"""

from collections.abc import Callable
from datetime import datetime, time, timedelta
from random import Random

from routiq_gql.emulator.clinic import Clinic
from routiq_gql.emulator.expected import WINDOW_DAYS
from routiq_gql.emulator.filters import seconds_of
from routiq_gql.emulator.people import PHONE_MARKER
from routiq_gql.emulator.table import Row, Table
from routiq_gql.time_zones import zone_of

SECONDS_BETWEEN = (6.0, 14.0)
"""The least and the longest wait between two steps."""
MOST_JOINED, MOST_BOOKED, MOST_ATTENDING = 100, 200, 80
"""How many patients, visits and attendees are added at most."""

_VISITS, _CLASSES, _ATTENDEES = "individual_appointments", "group_appointments", "attendees"
_DAYS_AHEAD = (2, 20)  # within the window of upcoming appointments at any hour
_OPENS, _QUARTERS = 8, 36  # the first visit begins at eight, the last at a quarter to five
_SATURDAY = 5
_TRIES = 400  # rows that are looked at for one with some property; one in thirty is an upcoming visit
_USUAL = 24  # the weight of bookings, and of cancellations; less of either as it moves the number of active patients


class ClinicLife:
    """Changes a clinic step by step.

    Args:
        clinic: The clinic.
        seed: Decides who does what; ``None`` for other changes each time.
    """

    def __init__(self, clinic: Clinic, seed: int | None = None) -> None:
        self._clinic = clinic
        self._random = Random(seed)
        self._joined: list[str] = []
        self._left: list[str] = []
        self._unbooked: list[str] = []  # who has joined and has no visit yet
        self._duplicates: list[tuple[str, str]] = []  # a row, and the patient who has it by mistake
        self._cancelled: list[str] = []  # visits
        self._absent: list[str] = []  # attendees who have cancelled
        self._booked = self._attending = 0
        self._surplus = 0  # active patients more than at first

    def seconds_to_next(self) -> float:
        """How long the clinic stays as it is before the next step."""
        return self._random.uniform(*SECONDS_BETWEEN)

    def step(self) -> str:
        """Make a change and return its kind, such as ``books``; ``rests`` if this clinic has nothing to change."""
        ways = self._ways()
        while ways:
            [name] = self._random.choices(list(ways), [weight for weight, _ in ways.values()])
            _, way = ways.pop(name)
            if way():
                return name
        return "rests"

    def _ways(self) -> dict[str, tuple[int, Callable[[], bool]]]:
        more, less = (max(3, _USUAL + sign * 3 * self._surplus) for sign in (-1, 1))
        return {
            "books": (more, self._book),
            "cancels": (less, self._cancel),
            "moves": (14, self._move),
            "joins": (9, self._join),
            "is merged": (12 if self._duplicates else 0, self._merge),
            "attends": (max(1, 5 - self._surplus), self._attend),
            "is absent": (max(1, 5 + self._surplus), self._miss_class),
            "was marked": (5, self._mark),
            "has a new phone": (4, self._rename),
            "leaves": (2, self._leave),
        }

    def _book(self) -> bool:
        joined = self._listed(self._unbooked)
        if joined is None and (self._booked >= MOST_BOOKED or self._random.random() < 0.3):
            again = self._take(self._cancelled, self._clinic.individual_appointments)
            if again is not None:
                self._book_again(again)
                return True
        if self._booked >= MOST_BOOKED:
            return False
        patient = joined or self._sampled(
            self._clinic.patients, lambda row: _is_shown(row) and not self._is_active(row)
        )
        if patient is None:
            return False
        self._counting(patient, lambda: self._clinic.insert_appointment(patient, self._slot()))
        self._booked += 1
        return True

    def _book_again(self, visit: str) -> None:
        def book() -> None:
            self._clinic.uncancel(_VISITS, visit)
            self._clinic.move(_VISITS, visit, self._slot())

        self._counting(self._patient_of(_VISITS, visit), book)

    def _cancel(self) -> bool:
        visit = self._sampled(self._clinic.individual_appointments, self._one_of(self._is_ahead))
        if visit is None:
            return False
        self._counting(self._patient_of(_VISITS, visit), lambda: self._clinic.cancel(_VISITS, visit))
        self._cancelled.append(visit)
        return True

    def _move(self) -> bool:
        visit = self._sampled(self._clinic.individual_appointments, self._is_ahead)
        if visit is None:
            return False
        self._clinic.move(_VISITS, visit, self._slot())
        return True

    def _join(self) -> bool:
        if len(self._joined) >= MOST_JOINED:
            back = self._take(self._left, self._clinic.patients)
            if back is None:
                return False
            self._clinic.unarchive("patients", back)
            return True
        known = self._sampled(self._clinic.patients, _is_shown) if self._random.random() < 0.4 else None
        if known is not None:  # the same person is entered a second time
            person = self._clinic.person(int(known))
            new = self._clinic.insert_patient(first_name=person.first_name, last_name=person.last_name)
            self._duplicates.append((new, known))
        else:
            new = self._clinic.insert_patient()
        self._joined.append(new)
        self._unbooked.append(new)
        return True

    def _merge(self) -> bool:
        duplicate, patient = self._duplicates.pop(self._random.randrange(len(self._duplicates)))
        if not all(self._shows(one) for one in (duplicate, patient)):
            return False
        self._counting(patient, lambda: self._clinic.merge(duplicate, patient, touch_moved=True), duplicate)
        return True

    def _attend(self) -> bool:
        if self._attending >= MOST_ATTENDING or (self._absent and self._random.random() < 0.3):
            back = self._take(self._absent, self._clinic.attendees)
            if back is None:
                return False
            self._counting(self._patient_of(_ATTENDEES, back), lambda: self._clinic.uncancel(_ATTENDEES, back))
            return True
        group = self._sampled(self._clinic.group_appointments, self._is_ahead)
        patient = self._sampled(self._clinic.patients, _is_shown)
        if group is None or patient is None:
            return False
        self._counting(patient, lambda: self._clinic.insert_attendee(group, patient))
        self._attending += 1
        return True

    def _miss_class(self) -> bool:
        attendee = self._sampled(self._clinic.attendees, self._one_of(self._is_place_ahead))
        if attendee is None:
            return False
        self._counting(self._patient_of(_ATTENDEES, attendee), lambda: self._clinic.cancel(_ATTENDEES, attendee))
        self._absent.append(attendee)
        return True

    def _mark(self) -> bool:
        visit = self._sampled(self._clinic.individual_appointments, lambda row: self._counts(row, ahead=False))
        if visit is None:
            return False
        was_missed = self._clinic.individual_appointments.get(int(visit))["did_not_arrive"] == 1
        self._clinic.mark(_VISITS, visit, arrived=was_missed)
        return True

    def _rename(self) -> bool:
        patient = self._sampled(self._clinic.patients, _is_shown)
        if patient is None:
            return False
        number = self._random.randrange(10_000)
        self._clinic.rename(patient, phone=f"{PHONE_MARKER}{number // 1000} {number % 1000:03d}")
        return True

    def _leave(self) -> bool:
        patient = self._random.choice(self._joined) if self._joined else None
        if patient is None or not self._shows(patient) or patient in {one for one, _ in self._duplicates}:
            return False
        self._counting(patient, lambda: self._clinic.archive("patients", patient))
        self._left.append(patient)
        return True

    def _counting(self, patient: str, change: Callable[[], object], *others: str) -> None:
        """Make a change of patients, and count who became active or inactive by it."""
        before = self._active_of(patient, *others)
        change()
        self._surplus += self._active_of(patient, *others) - before

    def _active_of(self, *patients: str) -> int:
        return sum(self._is_active(self._clinic.patients.get(int(one))) for one in patients)

    def _patient_of(self, resource: str, row_id: str) -> str:
        return str(self._clinic.tables[resource].get(int(row_id))["patient_id"])

    def _sampled(self, table: Table, fits: Callable[[Row], bool]) -> str | None:
        """The id of a random row that fits, if one is found soon."""
        ids = table.ids()
        for row_id in self._random.choices(ids, k=_TRIES) if ids else ():
            if fits(table.get(row_id)):
                return str(row_id)
        return None

    def _take(self, ids: list[str], table: Table) -> str | None:
        """Take a random id out of ``ids``; rows that others have removed are forgotten."""
        while ids:
            taken = ids.pop(self._random.randrange(len(ids)))
            if int(taken) in table and (table is self._clinic.patients or self._is_of_shown(table.get(int(taken)))):
                return taken
        return None

    def _listed(self, ids: list[str]) -> str | None:
        while ids:
            if self._shows(taken := ids.pop()):
                return taken
        return None

    def _shows(self, patient: str) -> bool:
        return int(patient) in self._clinic.patients and _is_shown(self._clinic.patients.get(int(patient)))

    def _is_of_shown(self, row: Row) -> bool:
        return self._shows(str(row["patient_id"]))

    def _is_ahead(self, row: Row) -> bool:
        return self._counts(row, ahead=True) and ("patient_id" not in row or self._is_of_shown(row))

    def _is_place_ahead(self, row: Row) -> bool:
        return _is_booked(row) and self._is_of_shown(row) and self._has_class(row, self._is_ahead)

    def _one_of(self, fits: Callable[[Row], bool]) -> Callable[[Row], bool]:
        """Mostly those whose patient is active by this booking alone."""
        if self._random.random() < 0.3:
            return fits
        return lambda row: fits(row) and len(self._bookings(row["patient_id"] or 0)) == 1

    def _is_active(self, patient: Row) -> bool:
        return _is_shown(patient) and bool(self._bookings(patient["id"] or 0))

    def _bookings(self, patient: int) -> list[Row]:
        """What makes a patient active."""
        visits, places = self._clinic.individual_appointments, self._clinic.attendees
        return [one for one in map(visits.get, visits.find("patient_id", patient)) if self._counts(one)] + [
            one
            for one in map(places.get, places.find("patient_id", patient))
            if _is_booked(one) and self._has_class(one, self._counts)
        ]

    def _has_class(self, place: Row, fits: Callable[[Row], bool]) -> bool:
        classes, class_id = self._clinic.group_appointments, place["booking_id"] or 0
        return class_id in classes and fits(classes.get(class_id))

    def _counts(self, row: Row, *, ahead: bool | None = None) -> bool:
        """Whether it is booked and within the windows; with ``ahead``, only in the coming or in the past one."""
        seconds = (row["starts_at"] or 0) - seconds_of(self._clinic.clock.now())
        in_window = abs(seconds) <= WINDOW_DAYS * 86_400
        return _is_booked(row) and in_window and (ahead is None or ahead is (seconds > 0))

    def _slot(self) -> datetime:
        """A time on a working day of the coming weeks, in the clinic's time zone."""
        zone = zone_of(self._clinic.time_zone)
        day = self._clinic.clock.now().astimezone(zone).date() + timedelta(days=self._random.randint(*_DAYS_AHEAD))
        day += timedelta(days=max(0, 7 - day.weekday()) if day.weekday() >= _SATURDAY else 0)
        hours, quarter = divmod(self._random.randrange(_QUARTERS), 4)
        return datetime.combine(day, time(_OPENS + hours, 15 * quarter), zone)


def _is_shown(patient: Row) -> bool:
    return patient["archived_at"] is None and patient["deleted_at"] is None


def _is_booked(row: Row) -> bool:
    return row.get("cancelled_at") is None and row["archived_at"] is None and row["deleted_at"] is None
