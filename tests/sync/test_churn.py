"""A clinic changes while a sync reads it: all patients that were there throughout are found."""

import random
from datetime import datetime, timedelta
from typing import Any

import pytest

from routiq_gql.clock import utc_now
from routiq_gql.database.mirror import MirrorList
from routiq_gql.emulator import (
    EMULATED_API_KEY,
    Clinic,
    Emulator,
    EmulatorServer,
    Fault,
    FaultKind,
    RecordedRequest,
    generated_clinic,
)
from routiq_gql.emulator.table import Row
from routiq_gql.runtime import Runtime, open_runtime
from routiq_gql.security.viewer import LOCAL_OPERATOR
from routiq_gql.settings import Settings
from routiq_gql.sync.model import SyncState
from tests.organization import ORGANIZATION
from tests.syncs import all_active_ids, run_sync, shown_columns, shown_rows

WINDOW = timedelta(days=30)
ACTIONS = ["archive", "unarchive", "delete", "remove", "insert", "merge", "cancel", "uncancel"]


class Census:
    """The active patients of a clinic at one moment or, added up, at any moment."""

    def __init__(self, clinic: Clinic, now: datetime) -> None:
        start, end = (now - WINDOW).timestamp(), (now + WINDOW).timestamp()

        def is_shown(row: Row) -> bool:
            return not (row.get("cancelled_at") or row["archived_at"] or row["deleted_at"])

        def is_in_window(row: Row) -> bool:
            return is_shown(row) and start <= row["starts_at"] <= end

        self.listed = {row["id"] for row in clinic.patients.rows() if is_shown(row)}
        self.classes = {row["id"] for row in clinic.group_appointments.rows() if is_in_window(row)}
        self.visitors = {row["patient_id"] for row in clinic.individual_appointments.rows() if is_in_window(row)}
        self.attending = {(row["patient_id"], row["booking_id"]) for row in clinic.attendees.rows() if is_shown(row)}

    def add(self, other: "Census") -> None:
        self.listed |= other.listed
        self.classes |= other.classes
        self.visitors |= other.visitors
        self.attending |= other.attending

    def active(self) -> set[str]:
        attended = {patient for patient, booking in self.attending if booking in self.classes}
        return {str(one) for one in self.listed & (self.visitors | attended)}


class Witness:
    """Changes the clinic at random between requests; records the rows that ever existed and the unchanged rows."""

    def __init__(self, clinic: Clinic, now: datetime, seed: int, changes_per_request: int) -> None:
        self._clinic = clinic
        self._now = now
        self._random = random.Random(seed)
        self._changes = changes_per_request
        self.ever = Census(clinic, now)
        self.listed = {str(one) for one in self.ever.listed}
        self.untouched_actives = self.ever.active()

    def __call__(self, request: RecordedRequest) -> None:
        if request.values("per_page") == ["1"]:
            return
        for _ in range(self._random.randint(0, self._changes)):
            self._change()
            self.ever.add(Census(self._clinic, self._now))

    def _change(self) -> None:
        clinic, chance = self._clinic, self._random
        resource = chance.choice(list(clinic.tables))
        action = chance.choice(ACTIONS)
        ids = [str(one) for one in clinic.tables[resource].ids()]
        if action == "insert":
            patient = chance.choice([str(one) for one in clinic.patients.ids()])
            at = self._now + timedelta(days=chance.choice([-20, -5, 5, 20]))
            match resource:
                case "patients":
                    clinic.insert_patient()
                case "individual_appointments":
                    self._touch("patients", patient)
                    clinic.insert_appointment(patient, at)
                case "group_appointments":
                    clinic.insert_class(at)
                case "attendees":
                    self._touch("patients", patient)
                    clinic.insert_attendee(str(chance.choice(clinic.group_appointments.ids())), patient)
                case _:
                    clinic.insert_type("New")
            return
        one = chance.choice(ids)
        if action == "merge":
            if resource == "patients" and (other := chance.choice(ids)) != one:
                self._touch(resource, one)
                self._touch(resource, other)
                clinic.merge(one, other)
            return
        if action.endswith("cancel") and resource not in {"individual_appointments", "attendees"}:
            return
        self._touch(resource, one)
        getattr(clinic, action)(resource, one)

    def _touch(self, resource: str, one: str) -> None:
        """The patients of this row may or may not be found active from now on."""
        clinic = self._clinic
        row = clinic.tables[resource].get(int(one))
        concerned: set[Any] = set()
        match resource:
            case "patients":
                concerned = {int(one)}
            case "individual_appointments" | "attendees":
                concerned = {row["patient_id"]}
            case "group_appointments":
                concerned = {each["patient_id"] for each in clinic.attendees.rows() if each["booking_id"] == int(one)}
        self.untouched_actives -= {str(each) for each in concerned}
        if resource == "patients":
            self.listed.discard(one)


async def churn(runtime: Runtime, emulator: Emulator, seed: int, *faults: Fault) -> SyncState:
    """Sync a changing clinic once, check all guarantees, and return the outcome."""
    now = utc_now()
    chance = random.Random(seed)
    clinic = emulator.clinic = generated_clinic(chance.choice([30, 150, 320]), now, seed=seed % 1000)
    # Passes over a list agree only if it is unchanged during two of them.
    witness = Witness(clinic, now, seed, changes_per_request=1 if faults and chance.random() < 0.8 else 3)
    quiet_after = chance.randint(2, 6) if faults else None
    pages = 0

    def between_requests(request: RecordedRequest) -> None:
        nonlocal pages
        pages += 1
        if quiet_after is None or pages <= quiet_after:
            witness(request)

    emulator.faults.clear()
    emulator.faults.add(*faults)
    emulator.after_request = between_requests
    last = await run_sync(runtime)
    emulator.after_request = None
    if last.status is not SyncState.COMPLETED:
        assert last.failure is not None
        assert last.failure.code == "CLINIKO_UNEXPECTED_ANSWER", last.failure
        return last.status
    active = await all_active_ids(runtime.database)
    assert witness.untouched_actives <= active, f"seed {seed}: {witness.untouched_actives - active} are missing"
    assert active <= witness.ever.active(), f"seed {seed}: {active - witness.ever.active()} never were active"
    rows = await shown_rows(runtime.database)
    patients = [
        dict(zip(shown_columns(MirrorList.PATIENTS), row, strict=True)) for row in rows[MirrorList.PATIENTS.name]
    ]
    mirrored = {str(one["id"]) for one in patients}
    assert len(mirrored) == len(patients)
    assert sum(one["archived_at"] is None for one in patients) == last.patients_found
    assert witness.listed <= mirrored
    return last.status


async def search(settings: Settings, seeds: list[int], *faults: Fault) -> list[SyncState]:
    print(f"seeds {seeds}")
    emulator = Emulator(generated_clinic(1, utc_now()))
    async with EmulatorServer(emulator) as server, open_runtime(settings) as runtime:
        await runtime.connections.connect(LOCAL_OPERATOR, ORGANIZATION, EMULATED_API_KEY, server.base_url)
        ended = []
        for seed in seeds:
            emulator.faults.clear()
            ended.append(await churn(runtime, emulator, seed, *faults))
        return ended


FALLBACKS = {
    "by key": (),
    "no sort": (Fault(FaultKind.REFUSE_SORT, times=None),),
    "no filter": (Fault(FaultKind.REFUSE_ID_FILTER, times=None),),
}


@pytest.mark.parametrize("how", FALLBACKS)
async def test_every_unchanged_patient_is_found(settings: Settings, how: str):
    """While rows are added, removed and restored between pages, no unchanged patient is lost and none invented."""
    ended = await search(settings, list(range(12)), *FALLBACKS[how])
    completed = ended.count(SyncState.COMPLETED)
    assert completed == len(ended) if how == "by key" else completed > len(ended) / 2


@pytest.mark.soak
@pytest.mark.parametrize("how", FALLBACKS)
async def test_the_same_with_many_clinics(settings: Settings, how: str):
    """Many clinics, with other random numbers each time."""
    ended = await search(settings, [random.randrange(10**9) for _ in range(70)], *FALLBACKS[how])
    completed = ended.count(SyncState.COMPLETED)
    assert completed == len(ended) if how == "by key" else completed > len(ended) / 2
