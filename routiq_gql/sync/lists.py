"""The lists of Cliniko that a sync reads, in the order of reading, with the progress that each of them shows.

``reading`` reads every entry in the same way. A new list needs an entry here, in ``RESOURCES`` and in ``MirrorList``.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from routiq_gql.cliniko import (
    APPOINTMENT_TYPES,
    ATTENDEES,
    GROUP_APPOINTMENTS,
    INDIVIDUAL_APPOINTMENTS,
    PATIENTS,
    PRACTITIONERS,
    Record,
    Resource,
)
from routiq_gql.database.mirror import BY_RESOURCE, MirrorList
from routiq_gql.sync.model import Progress, SyncStep
from routiq_gql.sync.place import Place

Totals = Mapping[str, int]
"""Rows of each list by its name: the listed rows of the lists that are read, Cliniko's totals of the others."""

READING_SHARE = 0.5
"""The part of step 6 that reads lists; the other part compares the mirror with Cliniko."""


@dataclass(frozen=True, slots=True)
class SyncedList:
    """A list that a sync reads.

    Attributes:
        resource: The list in Cliniko.
        step: The step that reads it.
        shown: The progress after a page, from the place behind the page, the rows that remain, and the totals.
        result: The progress and the log's message once the list is read; no message within a step.
    """

    resource: Resource[Record]
    step: SyncStep
    shown: Callable[[Place, int, Totals], Progress]
    result: Callable[[Totals], tuple[Progress, str | None]]

    @property
    def name(self) -> str:
        """The name under which the checkpoint and the totals refer to the list."""
        return self.resource.name

    @property
    def target(self) -> MirrorList:
        """Where its rows are stored."""
        return BY_RESOURCE[self.name]

    def shown_of_changes(self, place: Place, remaining: int) -> Progress:
        """The progress after a page of changed rows."""
        of_step = [one for one in LISTS.values() if one.step is self.step]
        share = (of_step.index(self) + place.read / max(place.read + remaining, 1)) / len(of_step)
        if not place.read:
            return Progress(fraction=share)
        text = f"{self.step.opening_text} {place.read} of {place.read + remaining} changes"
        return Progress(fraction=share, text=text)


def lists_after(name: str) -> list[SyncedList]:
    """The lists that follow the list of this name."""
    names = list(LISTS)
    return [LISTS[one] for one in names[names.index(name) + 1 :]]


def _patients(place: Place, remaining: int, totals: Totals) -> Progress:
    listed = place.counts.listed
    expected = max(listed, min(listed + remaining, totals.get(PATIENTS.name, listed + remaining)))
    return Progress(
        fraction=place.read / max(place.read + remaining, 1),
        text=f"{listed} of {expected} patients",
        patients_found=listed,
    )


def _patients_result(totals: Totals) -> tuple[Progress, str | None]:
    patients = totals[PATIENTS.name]
    message = f"Found {patients} patients"
    return Progress(fraction=1, text=message, patients_found=patients), message


# In the fraction of this step each group appointment counts twice: for itself, and for its attendees.


def _individual_appointments(place: Place, remaining: int, totals: Totals) -> Progress:
    expected = totals.get(GROUP_APPOINTMENTS.name, 0)
    listed = place.counts.listed
    return Progress(
        fraction=place.read / max(place.read + remaining + 2 * expected, 1),
        text=f"{SyncStep.FETCHING_APPOINTMENTS.opening_text} {listed} of {listed + remaining + expected}",
        appointments_found=listed,
    )


def _individual_appointments_result(totals: Totals) -> tuple[Progress, str | None]:
    return Progress(appointments_found=totals[INDIVIDUAL_APPOINTMENTS.name]), None


def _group_appointments(place: Place, remaining: int, totals: Totals) -> Progress:
    individual = totals[INDIVIDUAL_APPOINTMENTS.name]
    found = individual + place.counts.listed
    return Progress(
        fraction=(individual + place.read) / max(individual + 2 * (place.read + remaining), 1),
        text=f"{SyncStep.FETCHING_APPOINTMENTS.opening_text} {found} of {found + remaining}",
        appointments_found=found,
    )


def _group_appointments_result(totals: Totals) -> tuple[Progress, str | None]:
    return Progress(appointments_found=_appointments(totals)), None


def _attendees(place: Place, _remaining: int, totals: Totals) -> Progress:
    appointments = _appointments(totals)
    remaining = max(totals.get(GROUP_APPOINTMENTS.name, 0) - place.classes, 0)
    return Progress(
        fraction=(appointments + place.classes) / max(appointments + place.classes + remaining, 1),
        text=f"Fetching attendees… {place.classes} of {place.classes + remaining} classes",
    )


def _attendees_result(totals: Totals) -> tuple[Progress, str | None]:
    message = f"Found {_appointments(totals)} appointments"
    return Progress(fraction=1, text=message), message


def _appointment_types(place: Place, remaining: int, _totals: Totals) -> Progress:
    return Progress(fraction=READING_SHARE * place.read / max(place.read + remaining, 1))


def _appointment_types_result(totals: Totals) -> tuple[Progress, str | None]:
    return Progress(), f"Loaded {totals[APPOINTMENT_TYPES.name]} appointment types"


def _practitioners(_place: Place, _remaining: int, _totals: Totals) -> Progress:
    return Progress(fraction=READING_SHARE)


def _practitioners_result(totals: Totals) -> tuple[Progress, str | None]:
    if not totals[PRACTITIONERS.name]:
        return Progress(fraction=READING_SHARE), None
    return Progress(fraction=READING_SHARE), f"Loaded {totals[PRACTITIONERS.name]} practitioners"


def _appointments(totals: Totals) -> int:
    return totals[INDIVIDUAL_APPOINTMENTS.name] + totals[GROUP_APPOINTMENTS.name]


LISTS: dict[str, SyncedList] = {
    one.name: one
    for one in (
        SyncedList(PATIENTS, SyncStep.FETCHING_PATIENTS, _patients, _patients_result),
        SyncedList(
            INDIVIDUAL_APPOINTMENTS,
            SyncStep.FETCHING_APPOINTMENTS,
            _individual_appointments,
            _individual_appointments_result,
        ),
        SyncedList(
            GROUP_APPOINTMENTS,
            SyncStep.FETCHING_APPOINTMENTS,
            _group_appointments,
            _group_appointments_result,
        ),
        SyncedList(ATTENDEES, SyncStep.FETCHING_APPOINTMENTS, _attendees, _attendees_result),
        SyncedList(
            APPOINTMENT_TYPES,
            SyncStep.LOADING_TYPES,
            _appointment_types,
            _appointment_types_result,
        ),
        SyncedList(PRACTITIONERS, SyncStep.LOADING_TYPES, _practitioners, _practitioners_result),
    )
}
"""Every list that a sync reads, by its name and in the order of reading."""
