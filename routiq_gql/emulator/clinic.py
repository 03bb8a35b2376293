"""An emulated Cliniko account: its lists, and how rows get into them. ``changes`` has how rows change.

The server reads the tables, the builders (``demo``, ``generated``, ``awkward``) fill them, and tests change
them between two requests. Everything is synchronous and runs on the server's event loop, so the next page
has a change as a whole. Ids are text here, as on the wire.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from routiq_gql.emulator.changes import VISIT_SECONDS, Changes
from routiq_gql.emulator.clock import EmulatedClock
from routiq_gql.emulator.expected import Expected, Secrets
from routiq_gql.emulator.filters import seconds_of
from routiq_gql.emulator.people import Person, Practitioner, appointment_note, mix, person, practitioner
from routiq_gql.emulator.resources import RESOURCES
from routiq_gql.emulator.table import Table

_FIRST_NEW_ID = 900_000_000_000_000_001  # above every id that the builders give out


@dataclass(slots=True)
class Clinic(Changes):
    """All rows of an emulated account.

    ``at`` of an insertion or change is the time of its ``created_at`` and ``updated_at`` in whole seconds; without it
    the clinic's clock decides. So rows that are older than the sync before them can be made, and many of equal age.

    Attributes:
        name: The account's name, as in ``/settings/public``.
        expected: The expected result of a sync, if the builder knows it. Changes do not update it.
        clock: The account's clock, also of the ``Date`` header. It follows the machine's until a test sets it.
        hides_deleted: Whether lists leave out rows with ``deleted_at`` by default wherever it can be searched. No
            document says so, and rows deleted by ``delete`` are archived besides.
    """

    name: str
    subdomain: str = "emulated"
    time_zone: str = "Sydney"
    country: str = "Australia"
    expected: Expected | None = None
    clock: EmulatedClock = field(default_factory=EmulatedClock)
    hides_deleted: bool = False
    tables: dict[str, Table] = field(init=False)
    type_names: dict[int, tuple[str, str | None]] = field(default_factory=dict)
    given_texts: dict[int, dict[str, str | None]] = field(default_factory=dict)
    practitioner_texts: dict[int, dict[str, str | None]] = field(default_factory=dict)
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

    @property
    def practitioners(self) -> Table:
        return self.tables["practitioners"]

    def person(self, patient_id: int) -> Person:
        """The person behind a patient's row."""
        return person(patient_id, self.given_texts.get(patient_id, {}))

    def practitioner(self, practitioner_id: int) -> Practitioner:
        """The texts of a practitioner's row."""
        return practitioner(practitioner_id, self.practitioner_texts.get(practitioner_id, {}))

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
        self.patients.insert({"id": new, **self._stamps(at)})
        return str(new)

    def insert_appointment(
        self,
        patient_id: str,
        starts_at: datetime,
        *,
        appointment_id: str | None = None,
        practitioner_id: str | None = None,
        did_not_arrive: bool = False,
        at: datetime | None = None,
    ) -> str:
        """Add an individual appointment of 45 minutes. Without ``practitioner_id`` its id selects the practitioner."""
        new = self._new_id(appointment_id)
        slot = self._slot(new, starts_at, practitioner_id)
        row = {"patient_id": int(patient_id), "did_not_arrive": int(did_not_arrive), **slot}
        self.individual_appointments.insert({"id": new, **row, **self._stamps(at)})
        return str(new)

    def insert_class(
        self,
        starts_at: datetime,
        *,
        class_id: str | None = None,
        practitioner_id: str | None = None,
        at: datetime | None = None,
    ) -> str:
        """Add a group appointment of 45 minutes, without attendees."""
        new = self._new_id(class_id)
        slot = self._slot(new, starts_at, practitioner_id)
        self.group_appointments.insert({"id": new, **slot, **self._stamps(at)})
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
        self.attendees.insert({"id": new, **row, "arrived": came, **self._stamps(at)})
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
        self.appointment_types.insert(
            {"id": new, "duration_in_minutes": minutes, "max_attendees": 1, **self._stamps(at)}
        )
        return str(new)

    def insert_practitioner(
        self,
        *,
        practitioner_id: str | None = None,
        active: bool = True,
        at: datetime | None = None,
        **texts: str | None,
    ) -> str:
        """Add a practitioner; ``texts`` may set first_name, last_name, title, designation and label."""
        new = self._new_id(practitioner_id)
        if texts:
            self.practitioner_texts[new] = dict(texts)
        self.practitioners.insert({"id": new, "active": int(active), "user_id": new + 1, **self._stamps(at)})
        return str(new)

    def _new_id(self, given: str | None) -> int:
        if given is not None:
            return int(given)
        self._next_id += 1
        return self._next_id

    def _slot(self, row_id: int, starts_at: datetime, practitioner_id: str | None) -> Mapping[str, int | None]:
        starts = seconds_of(starts_at)
        types, practitioners = self.appointment_types.ids(), self.practitioners.ids()
        usual = practitioners[mix(row_id, 9) % len(practitioners)] if practitioners else None
        return {
            "starts_at": starts,
            "ends_at": starts + VISIT_SECONDS,
            "appointment_type_id": types[0] if types else None,
            "practitioner_id": usual if practitioner_id is None else int(practitioner_id),
        }

    def _stamps(self, at: datetime | None) -> Mapping[str, int | None]:
        created = self._moment(at)
        return {"created_at": created, "updated_at": created}

    def _patient_text(self, row_id: int, column: str) -> str | None:
        text: str | None = getattr(self.person(row_id), column)
        return text
