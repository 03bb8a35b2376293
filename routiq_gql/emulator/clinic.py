"""An emulated Cliniko account: its lists, and the ways in which its people change them.

The server reads the tables, the builders (``demo``, ``generated``, ``awkward``) fill them, and tests change
them between two requests. Everything is synchronous and runs on the server's event loop, so the next page
has a change as a whole. Ids are text here, as on the wire.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from routiq_gql.emulator.filters import seconds_of
from routiq_gql.emulator.people import Person, appointment_note, person
from routiq_gql.emulator.resources import RESOURCES
from routiq_gql.emulator.table import Table

_FIRST_NEW_ID = 900_000_000_000_000_001  # above every id that the builders give out


@dataclass(frozen=True, slots=True)
class Expected:
    """The expected result of a sync, known from the making of the clinic and not from its rows.

    Attributes:
        patients_found: Patients that the list shows by default.
        appointments_found: Individual and group appointments in the window that the lists show by default.
        recent: Ids of active patients with an appointment in the last 30 days, including missed appointments.
        upcoming: Ids of active patients with an appointment in the next 30 days; may overlap with ``recent``.
    """

    patients_found: int
    appointments_found: int
    recent: frozenset[str]
    upcoming: frozenset[str]

    @property
    def active(self) -> frozenset[str]:
        """Ids of all active patients."""
        return self.recent | self.upcoming


@dataclass(frozen=True, slots=True)
class Secrets:
    """The private texts planted in a clinic. Tests search for them where they must not appear."""

    names: frozenset[str]
    emails: frozenset[str]
    phones: frozenset[str]
    clinical: frozenset[str]

    def all(self) -> frozenset[str]:
        """Every planted text."""
        return self.names | self.emails | self.phones | self.clinical


@dataclass(slots=True)
class Clinic:
    """All rows of an emulated account.

    Attributes:
        name: The account's name, as in ``/settings/public``.
        expected: The expected result of a sync, if the builder knows it. Changes do not update it.
    """

    name: str
    subdomain: str = "emulated"
    time_zone: str = "Sydney"
    country: str = "Australia"
    expected: Expected | None = None
    tables: dict[str, Table] = field(init=False)
    type_names: dict[int, tuple[str, str | None]] = field(default_factory=dict)
    given_texts: dict[int, dict[str, str | None]] = field(default_factory=dict)
    _next_id: int = _FIRST_NEW_ID

    def __post_init__(self) -> None:
        self.tables = {name: Table(resource) for name, resource in RESOURCES.items()}
        self.tables["patients"] = Table(RESOURCES["patients"], self._patient_text)

    @property
    def patients(self) -> Table:
        return self.tables["patients"]

    @property
    def individual_appointments(self) -> Table:
        return self.tables["individual_appointments"]

    @property
    def group_appointments(self) -> Table:
        return self.tables["group_appointments"]

    @property
    def attendees(self) -> Table:
        return self.tables["attendees"]

    @property
    def appointment_types(self) -> Table:
        return self.tables["appointment_types"]

    def person(self, patient_id: int) -> Person:
        """The person behind a patient's row."""
        return person(patient_id, self.given_texts.get(patient_id, {}))

    def secrets(self) -> Secrets:
        """Every name, address, number and clinical text planted in this clinic; for clinics of a few thousand."""
        people = [self.person(row_id) for row_id in self.patients.ids()]
        notes = {appointment_note(row_id) for row_id in self.individual_appointments.ids()}
        return Secrets(
            names=frozenset(n for p in people for n in (p.full_name, p.last_name) if n and len(n.strip()) > 4),
            emails=frozenset(p.email for p in people if p.email),
            phones=frozenset(number for p in people for _, number in p.phones),
            clinical=frozenset(text for p in people for text in (p.notes, p.medicare, p.occupation))
            | {note for note in notes if note},
        )

    def insert_patient(self, *, patient_id: str | None = None, at: datetime | None = None, **texts: str | None) -> str:
        """Add a patient; ``texts`` may set first_name, last_name, preferred_first_name, email and phone."""
        new = self._new_id(patient_id)
        if texts:
            self.given_texts[new] = dict(texts)
        self.patients.insert({"id": new, **_stamps(at)})
        return str(new)

    def insert_appointment(
        self,
        patient_id: str,
        starts_at: datetime,
        *,
        appointment_id: str | None = None,
        did_not_arrive: bool = False,
        at: datetime | None = None,
    ) -> str:
        """Add an individual appointment of 45 minutes."""
        new = self._new_id(appointment_id)
        row = {"patient_id": int(patient_id), "did_not_arrive": int(did_not_arrive), **self._slot(starts_at)}
        self.individual_appointments.insert({"id": new, **row, **_stamps(at)})
        return str(new)

    def insert_class(self, starts_at: datetime, *, class_id: str | None = None, at: datetime | None = None) -> str:
        """Add a group appointment of 45 minutes, without attendees."""
        new = self._new_id(class_id)
        self.group_appointments.insert({"id": new, **self._slot(starts_at), **_stamps(at)})
        return str(new)

    def insert_attendee(
        self,
        class_id: str,
        patient_id: str,
        *,
        attendee_id: str | None = None,
        arrived: bool | None = None,
        at: datetime | None = None,
    ) -> str:
        """Let a patient attend a class. The class's own ``updated_at`` stays as it is."""
        new = self._new_id(attendee_id)
        row = {"booking_id": int(class_id), "patient_id": int(patient_id)}
        came = None if arrived is None else int(arrived)
        self.attendees.insert({"id": new, **row, "arrived": came, **_stamps(at)})
        return str(new)

    def insert_type(
        self,
        name: str,
        *,
        type_id: str | None = None,
        category: str | None = None,
        minutes: int = 45,
        at: datetime | None = None,
    ) -> str:
        """Add an appointment type."""
        new = self._new_id(type_id)
        self.type_names[new] = (name, category)
        self.appointment_types.insert({"id": new, "duration_in_minutes": minutes, "max_attendees": 1, **_stamps(at)})
        return str(new)

    def archive(self, resource: str, row_id: str, *, at: datetime | None = None) -> None:
        """Hide a row by ``archived_at``. A patient's appointments stay."""
        self._set(resource, row_id, at, archived_at=_moment(at))

    def unarchive(self, resource: str, row_id: str, *, at: datetime | None = None) -> None:
        """Take ``archived_at`` back."""
        self._set(resource, row_id, at, archived_at=None)

    def cancel(self, resource: str, row_id: str, *, at: datetime | None = None) -> None:
        """Cancel an individual appointment or an attendee; the class keeps the attendee in ``patient_ids``."""
        self._set(resource, row_id, at, cancelled_at=_moment(at))

    def uncancel(self, resource: str, row_id: str, *, at: datetime | None = None) -> None:
        """Undo a cancellation."""
        self._set(resource, row_id, at, cancelled_at=None)

    def delete(self, resource: str, row_id: str, *, at: datetime | None = None) -> None:
        """Delete a row: it gets ``deleted_at`` and, unless a patient, ``archived_at``, which hides it.

        A deleted patient's appointments and attendances are deleted too.
        """
        if resource == "patients":
            self._set(resource, row_id, at, deleted_at=_moment(at))
            for name in ("individual_appointments", "attendees"):
                for owned in self.tables[name].find("patient_id", int(row_id)):
                    self.delete(name, str(owned), at=at)
        else:
            self._set(resource, row_id, at, deleted_at=_moment(at), archived_at=_moment(at))

    def remove(self, resource: str, row_id: str) -> None:
        """Take a row out of the account without a trace, as no filter would bring it back."""
        self.tables[resource].remove(int(row_id))

    def merge(self, patient_id: str, into: str, *, at: datetime | None = None) -> None:
        """Archive ``patient_id`` as merged and move the appointments; their ``updated_at`` stays as it is."""
        merged = {"archived_at": _moment(at), "merged_at": _moment(at), "merged_with_id": int(into)}
        self._set("patients", patient_id, at, **merged)
        for table in (self.individual_appointments, self.attendees):
            for owned in table.find("patient_id", int(patient_id)):
                table.change(owned, patient_id=int(into))

    def move(self, resource: str, row_id: str, starts_at: datetime, *, at: datetime | None = None) -> None:
        """Move an appointment or a class to another time."""
        starts = seconds_of(starts_at)
        self._set(resource, row_id, at, starts_at=starts, ends_at=starts + 45 * 60)

    def rename(self, patient_id: str, *, at: datetime | None = None, **texts: str | None) -> None:
        """Change a patient's names, e-mail address or phone number."""
        self.given_texts.setdefault(int(patient_id), {}).update(texts)
        self._set("patients", patient_id, at)

    def _new_id(self, given: str | None) -> int:
        if given is not None:
            return int(given)
        self._next_id += 1
        return self._next_id

    def _slot(self, starts_at: datetime) -> Mapping[str, int | None]:
        starts = seconds_of(starts_at)
        types = self.appointment_types.ids()
        return {"starts_at": starts, "ends_at": starts + 45 * 60, "appointment_type_id": types[0] if types else None}

    def _set(self, resource: str, row_id: str, at: datetime | None, **values: int | None) -> None:
        self.tables[resource].change(int(row_id), updated_at=_moment(at), **values)

    def _patient_text(self, row_id: int, column: str) -> str | None:
        text: str | None = getattr(self.person(row_id), column)
        return text


def day_of(now: datetime) -> datetime:
    """Midnight UTC at which the day of ``now`` began; the builders count from it.

    Raises:
        ValueError: ``now`` has no time zone.
    """
    if now.tzinfo is None:
        raise ValueError("A clinic needs a time with a time zone.")
    return now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _moment(at: datetime | None) -> int:
    return seconds_of(at or datetime.now(UTC))


def _stamps(at: datetime | None) -> Mapping[str, int | None]:
    created = _moment(at)
    return {"created_at": created, "updated_at": created}
