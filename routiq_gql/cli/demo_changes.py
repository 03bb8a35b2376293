"""Changes who is active in the demo's clinic, so that a second sync has changes to report."""

import random
from datetime import timedelta

from routiq_gql.clock import utc_now
from routiq_gql.emulator import Clinic

PATIENTS, APPOINTMENTS = "patients", "individual_appointments"
BOOKED, ARCHIVED = 5, 3
"""How many patients become active, and inactive, by one change."""


class PatientChanges:
    """Books patients who are not active, and archives patients who are."""

    def __init__(self, clinic: Clinic) -> None:
        self._clinic = clinic
        self._booked: dict[str, str] = {}  # the appointment of each patient
        self._archived: list[str] = []

    def make(self) -> None:
        """Change some patients who were not changed yet."""
        active = self._clinic.expected.active if self._clinic.expected else frozenset()
        untouched = [
            patient
            for row in self._clinic.patients.rows()
            if row["archived_at"] is None and row["deleted_at"] is None
            for patient in [str(row["id"])]
            if patient not in self._booked
        ]
        inactive = [patient for patient in untouched if patient not in active]
        for patient in random.sample(inactive, min(BOOKED, len(inactive))):
            starts_at = utc_now() + timedelta(days=len(self._booked) % 14 + 2)
            self._booked[patient] = self._clinic.insert_appointment(patient_id=patient, starts_at=starts_at)
        still_active = [patient for patient in untouched if patient in active]
        for patient in random.sample(still_active, min(ARCHIVED, len(still_active))):
            self._clinic.archive(PATIENTS, patient)
            self._archived.append(patient)

    def undo(self) -> bool:
        """Restore the patients; returns whether any had been changed."""
        had_changed = bool(self._booked or self._archived)
        for appointment in self._booked.values():
            self._clinic.remove(APPOINTMENTS, appointment)
        for patient in self._archived:
            self._clinic.unarchive(PATIENTS, patient)
        self._booked.clear()
        self._archived.clear()
        return had_changed
