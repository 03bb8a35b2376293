"""Makes the rows of a large clinic, in the order of their ids. Used by ``demo`` and ``generated``.

Ids come from a rising counter with uneven steps, beyond 2^53 like Cliniko's, and depend on nothing but the order of
the calls; so the same clinic has the same ids whatever the day.
"""

from random import Random

from routiq_gql.emulator.changes import VISIT_SECONDS, reason_of
from routiq_gql.emulator.clinic import Clinic
from routiq_gql.emulator.people import mix
from routiq_gql.emulator.table import Table

DAY = 86_400  # seconds
_OPENING_HOURS = (22, 23, 0, 1, 2, 3, 4, 5, 6, 7)  # UTC: eight in the morning to half past five in Sydney
_BATCH = 10_000  # rows

_PATIENT = ("id", "created_at", "updated_at", "archived_at", "deleted_at", "merged_at", "merged_with_id")
_APPOINTMENT = (
    "id", "patient_id", "appointment_type_id", "practitioner_id", "starts_at", "ends_at", "cancelled_at",
    "cancellation_reason", "archived_at", "deleted_at", "did_not_arrive", "created_at", "updated_at",
)  # fmt: skip
_CLASS = (
    "id", "appointment_type_id", "practitioner_id", "starts_at", "ends_at", "archived_at", "deleted_at",
    "created_at", "updated_at",
)  # fmt: skip
_ATTENDEE = (
    "id", "booking_id", "patient_id", "arrived", "cancelled_at", "archived_at", "deleted_at",
    "created_at", "updated_at",
)  # fmt: skip
_TYPES = (
    ("Initial assessment", "Physiotherapy", 60, 1),
    ("Standard consultation", "Physiotherapy", 45, 1),
    ("Follow-up", "Physiotherapy", 30, 1),
    ("Hydrotherapy", "Physiotherapy", 45, 1),
    ("Telehealth", "", 30, 1),
    ("Massage <60 min> & \"stretch\"", "Massage", 60, 1),
    ("Clinical Pilates", "Classes", 45, 8),
    ("Balance & Strength für Ältere", "Classes", 45, 8),
    ("Old workshop", None, 90, 20),
)  # fmt: skip
_PRACTITIONERS, _ACTIVE_PRACTITIONERS = 9, 7
_CLASS_TYPES = slice(6, 8)
_VISIT_TYPES = slice(0, 6)


class _Batch:
    """Rows on their way into a table; few at a time, as a tuple takes far more memory than a place in a column."""

    def __init__(self, table: Table, names: tuple[str, ...]) -> None:
        self._table = table
        self._names = names
        self._rows: list[tuple[int | None, ...]] = []

    def add(self, row: tuple[int | None, ...]) -> None:
        self._rows.append(row)
        if len(self._rows) >= _BATCH:
            self.load()

    def load(self) -> None:
        self._table.load(self._rows, self._names)
        self._rows.clear()


class ClinicBuilder:
    """Makes rows and loads them, in the order of their ids; ``finish`` completes the clinic.

    Args:
        clinic: Where the rows go.
        today: Midnight of the clinic's day, in seconds since 1970.
        random: Decides times and details; the same state gives the same clinic.
        first_id: Where the ids of this clinic begin.
    """

    def __init__(self, clinic: Clinic, today: int, random: Random, first_id: int) -> None:
        self._clinic = clinic
        self._today = today
        self._random = random
        self._last_id = first_id
        self._patients = _Batch(clinic.patients, _PATIENT)
        self._appointments = _Batch(clinic.individual_appointments, _APPOINTMENT)
        self._classes = _Batch(clinic.group_appointments, _CLASS)
        self._attendees = _Batch(clinic.attendees, _ATTENDEE)
        self._types = [self._add_type(*row) for row in _TYPES]
        self._practitioners = [self._add_practitioner(first_id, number) for number in range(_PRACTITIONERS)]

    def patient(self, *, archived: bool = False, deleted: bool = False, merged_into: int | None = None) -> int:
        """Add a patient, created some months or years ago, and return the id."""
        created = self._today - DAY * (100 + int(self._random.random() * 2500)) - self._some_seconds()
        gone = self._today - DAY * (2 + int(self._random.random() * 60)) - self._some_seconds()
        patient_id = self._new_id()
        row = (
            patient_id,
            created,
            gone if archived or deleted else created,
            gone if archived or merged_into else None,
            gone if deleted else None,
            gone if merged_into else None,
            merged_into,
        )
        self._patients.add(row)
        return patient_id

    def appointment(
        self,
        patient_id: int,
        day: int,
        *,
        cancelled: bool = False,
        archived: bool = False,
        deleted: bool = False,
        did_not_arrive: bool = False,
    ) -> int:
        """Add an individual appointment that many days from today and return the id."""
        starts, created = self._slot(day)
        changed = min(starts, self._today) - self._some_seconds()
        appointment_id = self._new_id()
        row = (
            appointment_id,
            patient_id,
            self._types[_VISIT_TYPES][int(self._random.random() * 6)],
            self._practitioner(appointment_id, day),
            starts,
            starts + VISIT_SECONDS,
            changed if cancelled else None,
            reason_of(appointment_id) if cancelled else None,
            changed if archived or deleted else None,
            changed if deleted else None,
            int(did_not_arrive),
            created,
            changed if cancelled or archived or deleted else created,
        )
        self._appointments.add(row)
        return appointment_id

    def group_class(self, day: int, *, archived: bool = False) -> int:
        """Add a class that many days from today and return the id."""
        starts, created = self._slot(day)
        changed = min(starts, self._today) - self._some_seconds()
        class_id = self._new_id()
        class_type = self._types[_CLASS_TYPES][int(self._random.random() * 2)]
        gone = changed if archived else None
        who = self._practitioner(class_id, day)
        row = (class_id, class_type, who, starts, starts + VISIT_SECONDS, gone, None, created, gone or created)
        self._classes.add(row)
        return class_id

    def attendee(
        self, class_id: int, patient_id: int, *, arrived: bool | None, cancelled: bool = False, day: int = 0
    ) -> int:
        """Let a patient attend a class that many days from today, and return the attendee's id.

        ``arrived`` is unknown before the class. Bookings are 33 days old, or older when the class is.
        """
        created = self._today + DAY * (min(day, 0) - 33) - self._some_seconds()
        gone = created + 3600 if cancelled else None
        attendee_id = self._new_id()
        came = None if arrived is None else int(arrived)
        self._attendees.add((attendee_id, class_id, patient_id, came, gone, None, None, created, gone or created))
        return attendee_id

    def finish(self) -> None:
        """Load the buffered rows; the clinic is complete then."""
        for batch in (self._patients, self._appointments, self._classes, self._attendees):
            batch.load()

    def _add_type(self, name: str, category: str | None, minutes: int, most: int) -> int:
        type_id = self._new_id()
        created = self._today - DAY * 3000
        archived = created + DAY if name.startswith("Old") else None
        row = {"id": type_id, "duration_in_minutes": minutes, "max_attendees": most, "archived_at": archived}
        self._clinic.appointment_types.insert({**row, "created_at": created, "updated_at": archived or created})
        self._clinic.type_names[type_id] = (name, category)
        return type_id

    def _add_practitioner(self, first_id: int, number: int) -> int:
        practitioner_id = first_id - 1_000_000 + 70_001 * number  # below all other ids of this clinic
        created, left = self._today - DAY * 2900, self._today - DAY * 31
        active = number < _ACTIVE_PRACTITIONERS
        row = {"id": practitioner_id, "active": int(active), "user_id": practitioner_id + 1, "created_at": created}
        self._clinic.practitioners.insert({**row, "updated_at": created if active else left})
        return practitioner_id

    def _practitioner(self, appointment_id: int, day: int) -> int:
        """Any practitioner for an earlier appointment, an active practitioner for those of the last month and later."""
        choice = self._practitioners if day < -30 else self._practitioners[:_ACTIVE_PRACTITIONERS]
        return choice[mix(appointment_id, 9) % len(choice)]

    def _new_id(self) -> int:
        self._last_id += 1 + int(self._random.random() * 90_000)
        return self._last_id

    def _some_seconds(self) -> int:
        return int(self._random.random() * 40_000)

    def _slot(self, day: int) -> tuple[int, int]:
        """When an appointment on that day starts, and when it was booked."""
        hour = _OPENING_HOURS[int(self._random.random() * len(_OPENING_HOURS))]
        starts = self._today + DAY * day + hour * 3600 + 900 * int(self._random.random() * 4)
        return starts, min(starts, self._today) - DAY * (3 + int(self._random.random() * 20)) - self._some_seconds()
