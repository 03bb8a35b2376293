"""The ways in which a clinic's people change its rows, as methods of ``Clinic``.

Every change takes effect as a whole, and stamps ``updated_at`` with ``at`` (the clinic's clock by default). With
``touch=False`` the row keeps its ``updated_at``: so does Cliniko with some changes, and no document says with which.
"""

from datetime import datetime

from routiq_gql.emulator.clock import EmulatedClock
from routiq_gql.emulator.filters import seconds_of
from routiq_gql.emulator.people import mix
from routiq_gql.emulator.table import Table

CANCELLATION_REASONS = {
    10: "Feeling better",
    20: "Condition worse",
    30: "Sick",
    31: "COVID-19 related",
    40: "Away",
    50: "Other",
    60: "Work",
}
"""Cliniko's codes of why an individual appointment was cancelled."""

VISIT_SECONDS = 45 * 60
_OWNED_BY_PATIENT = ("individual_appointments", "attendees")


class Changes:
    """Changes of rows that exist. Ids are text, as on the wire.

    Every method raises ``KeyError`` when there is no such row, list, or column in that list.
    """

    __slots__ = ()

    clock: EmulatedClock
    tables: dict[str, Table]
    type_names: dict[int, tuple[str, str | None]]
    given_texts: dict[int, dict[str, str | None]]
    practitioner_texts: dict[int, dict[str, str | None]]

    def archive(self, resource: str, row_id: str, *, at: datetime | None = None, touch: bool = True) -> None:
        """Hide a row by ``archived_at``; a practitioner becomes inactive instead.

        Rows that refer to it stay: a patient's appointments, a type's appointments, a class's attendees.
        """
        if resource == "practitioners":
            self._set(resource, row_id, at, touch, active=0)
        else:
            self._set(resource, row_id, at, touch, archived_at=self._moment(at))

    def unarchive(self, resource: str, row_id: str, *, at: datetime | None = None, touch: bool = True) -> None:
        """Take ``archived_at`` back; the rows that refer to it (a class's attendees) stay as old as they are.

        A practitioner becomes active. A merged patient keeps ``merged_at`` and the link.
        """
        values: dict[str, int | None] = {"active": 1} if resource == "practitioners" else {"archived_at": None}
        self._set(resource, row_id, at, touch, **values)

    def cancel(
        self,
        resource: str,
        row_id: str,
        *,
        reason: int | None = None,
        at: datetime | None = None,
        touch: bool = True,
    ) -> None:
        """Cancel an individual appointment or an attendee; the class keeps the attendee in ``patient_ids``.

        ``reason`` is a key of ``CANCELLATION_REASONS`` for an appointment; the id decides when it is not given.
        """
        values: dict[str, int | None] = {"cancelled_at": self._moment(at)}
        if resource == "individual_appointments":
            values["cancellation_reason"] = reason_of(int(row_id)) if reason is None else reason
        self._set(resource, row_id, at, touch, **values)

    def uncancel(self, resource: str, row_id: str, *, at: datetime | None = None, touch: bool = True) -> None:
        """Undo a cancellation. No field shows that there was one."""
        values: dict[str, int | None] = {"cancelled_at": None}
        if resource == "individual_appointments":
            values["cancellation_reason"] = None
        self._set(resource, row_id, at, touch, **values)

    def delete(
        self,
        resource: str,
        row_id: str,
        *,
        at: datetime | None = None,
        touch: bool = True,
        trace: bool = True,
        archives: bool = True,
    ) -> None:
        """Delete a row. A deleted patient's appointments and attendances are deleted in the same way.

        Args:
            resource: The list. Types and practitioners have no ``deleted_at``, and are removed without a trace.
            row_id: The row.
            at: The time of ``deleted_at``.
            touch: Whether ``updated_at`` becomes ``at``.
            trace: Whether the rows stay with ``deleted_at``. A deleted patient's row is hidden from every filter.
                Otherwise they are gone, as Cliniko deletes patients: only ``total_entries`` shows it.
            archives: Whether ``archived_at`` is set too, which hides a row other than a patient's by default.
        """
        table = self.tables[resource]
        if resource == "patients":
            for name in _OWNED_BY_PATIENT:
                for owned in self.tables[name].find("patient_id", int(row_id)):
                    self.delete(name, str(owned), at=at, touch=touch, trace=trace, archives=archives)
        if not trace or "deleted_at" not in table.resource.columns:
            self.remove(resource, row_id)
        elif archives and resource != "patients":
            self._set(resource, row_id, at, touch, deleted_at=self._moment(at), archived_at=self._moment(at))
        else:
            self._set(resource, row_id, at, touch, deleted_at=self._moment(at))

    def remove(self, resource: str, row_id: str) -> None:
        """Take a single row out of the account without a trace, as no filter would bring it back."""
        self.tables[resource].remove(int(row_id))

    def merge(
        self,
        patient_id: str,
        into: str,
        *,
        at: datetime | None = None,
        touch: bool = True,
        touch_moved: bool = False,
    ) -> None:
        """Archive ``patient_id`` as merged, and move the appointments and attendances to ``into``.

        Args:
            patient_id: The patient who is archived, with ``merged_at`` and a link to ``into``.
            into: The patient who remains. That row stays as it is.
            at: The time of the merge.
            touch: Whether the archived patient's ``updated_at`` becomes ``at``.
            touch_moved: Whether that of each moved row does.

        Raises:
            ValueError: Both are the same patient.
        """
        if int(patient_id) == int(into):
            raise ValueError("A patient can't be merged into the same patient.")
        self.tables["patients"].get(int(into))
        moment = self._moment(at)
        self._set("patients", patient_id, at, touch, archived_at=moment, merged_at=moment, merged_with_id=int(into))
        for name in _OWNED_BY_PATIENT:
            for owned in self.tables[name].find("patient_id", int(patient_id)):
                self._set(name, str(owned), at, touch_moved, patient_id=int(into))

    def move(
        self,
        resource: str,
        row_id: str,
        starts_at: datetime | None = None,
        *,
        patient_id: str | None = None,
        practitioner_id: str | None = None,
        type_id: str | None = None,
        class_id: str | None = None,
        at: datetime | None = None,
        touch: bool = True,
    ) -> None:
        """Move an appointment, a class or an attendee to another time, patient, practitioner, type or class.

        Destinations that are not given stay. Attendees have a patient and a class only, classes no patient.
        """
        values: dict[str, int | None] = {}
        if starts_at is not None:
            starts = seconds_of(starts_at)
            values |= {"starts_at": starts, "ends_at": starts + VISIT_SECONDS}
        columns = ("patient_id", "practitioner_id", "appointment_type_id", "booking_id")
        for column, given in zip(columns, (patient_id, practitioner_id, type_id, class_id), strict=True):
            if given is not None:
                values[column] = int(given)
        self._set(resource, row_id, at, touch, **values)

    def mark(
        self, resource: str, row_id: str, *, arrived: bool | None, at: datetime | None = None, touch: bool = True
    ) -> None:
        """Note whether the patient came to an individual appointment, or as an attendee; ``None`` is unmarked."""
        values: dict[str, int | None] = {"arrived": None if arrived is None else int(arrived)}
        if resource == "individual_appointments":
            values = {"did_not_arrive": int(arrived is False)}
        self._set(resource, row_id, at, touch, **values)

    def rename(self, patient_id: str, *, at: datetime | None = None, touch: bool = True, **texts: str | None) -> None:
        """Change a patient's names, e-mail address or phone number."""
        self.tables["patients"].get(int(patient_id))
        self.given_texts.setdefault(int(patient_id), {}).update(texts)
        self._set("patients", patient_id, at, touch)

    def rename_type(self, type_id: str, name: str, *, at: datetime | None = None, touch: bool = True) -> None:
        """Change the name of an appointment type."""
        self.tables["appointment_types"].get(int(type_id))
        _, category = self.type_names.get(int(type_id), ("", None))
        self.type_names[int(type_id)] = (name, category)
        self._set("appointment_types", type_id, at, touch)

    def rename_practitioner(
        self, practitioner_id: str, *, at: datetime | None = None, touch: bool = True, **texts: str | None
    ) -> None:
        """Change a practitioner's first_name, last_name, title, designation or label."""
        self.tables["practitioners"].get(int(practitioner_id))
        self.practitioner_texts.setdefault(int(practitioner_id), {}).update(texts)
        self._set("practitioners", practitioner_id, at, touch)

    def _moment(self, at: datetime | None) -> int:
        return seconds_of(at or self.clock.now())

    def _set(self, resource: str, row_id: str, at: datetime | None, touch: bool, **values: int | None) -> None:
        if touch:
            values["updated_at"] = self._moment(at)
        self.tables[resource].change(int(row_id), **values)


def reason_of(appointment_id: int) -> int:
    """The reason with which an appointment is cancelled, unless another is given."""
    codes = tuple(CANCELLATION_REASONS)
    return codes[mix(appointment_id, 8) % len(codes)]
