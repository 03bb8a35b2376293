"""Reading rows again makes their part of the mirror equal to Cliniko, and changes nothing outside of it."""

import random
from datetime import UTC, datetime, timedelta

import pytest

from routiq_gql.cliniko import INDIVIDUAL_APPOINTMENTS, PATIENTS, Record, Resource
from routiq_gql.database.counting import ids_within
from routiq_gql.database.mirror import BY_RESOURCE
from routiq_gql.emulator import Clinic
from routiq_gql.sync.reconcile.rereading import Rereader
from tests.sync.reconcile.conftest import APPOINTMENT, PATIENT
from tests.sync.reconcile.small_sync import SmallSync, _Run

LISTS = (PATIENTS, INDIVIDUAL_APPOINTMENTS)
ROWS = 260
"""Of a list, in Cliniko and in the mirror: a range with all of them takes several pages."""
FIRST = {PATIENTS.name: PATIENT, INDIVIDUAL_APPOINTMENTS.name: APPOINTMENT}


@pytest.fixture
def clinic() -> Clinic:
    clinic = Clinic("Harbour Street Physio")
    for number in range(ROWS):
        insert(clinic, number)
    return clinic


def insert(clinic: Clinic, number: int) -> None:
    """A patient with an appointment, both unchanged for long."""
    now = datetime.now(UTC)
    long_ago, patient_id = now - timedelta(days=400), str(PATIENT + number)
    clinic.insert_patient(patient_id=patient_id, at=long_ago)
    starts_at = now + timedelta(days=number % 60 - 30)
    clinic.insert_appointment(patient_id, starts_at, appointment_id=str(APPOINTMENT + number), at=long_ago)


class Reread:
    """A draft of a clinic that has changed without a trace, and the rows that are read again in it."""

    def __init__(self, sync: SmallSync, run: _Run) -> None:
        self._sync, self._run = sync, run
        self.rereader = Rereader(sync.client, run.terms(full=True), run)

    async def ids(self, resource: Resource[Record]) -> set[int]:
        """The ids that the draft shows."""
        async with self._sync.database.reading() as connection:
            return set(await ids_within(connection, self._run._draft, BY_RESOURCE[resource.name], None, 10**6))


@pytest.fixture
async def reread(sync: SmallSync, clinic: Clinic) -> Reread:
    """Some rows have left Cliniko and others have come, all over the lists."""
    await sync.run()
    chance = random.Random(1)
    for number in chance.sample(range(ROWS), 70):
        clinic.remove("individual_appointments", str(APPOINTMENT + number))
        clinic.remove("patients", str(PATIENT + number))
    for number in range(ROWS, ROWS + 70):
        insert(clinic, number)
    draft = await sync._begin()
    return Reread(sync, _Run(sync, draft, datetime.now(UTC)))


def listed(clinic: Clinic, resource: Resource[Record]) -> set[int]:
    return {row["id"] for row in clinic.tables[resource.name].rows() if row["deleted_at"] is None}


@pytest.mark.parametrize("resource", LISTS, ids=lambda one: one.name)
async def test_a_range_is_as_in_cliniko_and_the_rest_as_before(
    reread: Reread, clinic: Clinic, resource: Resource[Record]
):
    """However many pages a range takes, its missing rows are closed, its new ones are stored, and no others."""
    first = FIRST[resource.name]
    for above, up_to in ((40, 50), (100, 260), (None, 130), (250, None), (None, None)):
        bounds = [one if one is None else first + one for one in (above, up_to)]
        before = await reread.ids(resource)
        changed = await reread.rereader.read_range(resource, *bounds)

        def is_inside(row_id: int, low: int | None = bounds[0], high: int | None = bounds[1]) -> bool:
            return (low is None or row_id > low) and (high is None or row_id <= high)

        inside = {one for one in listed(clinic, resource) if is_inside(one)}
        expected = inside | {one for one in before if not is_inside(one)}
        assert await reread.ids(resource) == expected
        assert changed == before ^ expected


@pytest.mark.parametrize("resource", LISTS, ids=lambda one: one.name)
async def test_rows_by_id_are_as_in_cliniko_and_the_others_as_before(
    reread: Reread, clinic: Clinic, resource: Resource[Record]
):
    """Rows that are asked for by their ids, in several requests, are stored or closed; no other row changes."""
    before, now = await reread.ids(resource), listed(clinic, resource)
    asked = set(random.Random(2).sample(sorted(before | now), 230))
    changed, records = await reread.rereader.read_ids(resource, sorted(asked))
    assert {int(one.id) for one in records} == asked & now
    assert await reread.ids(resource) == (before - asked) | (asked & now)
    assert changed == asked & (before ^ now)
