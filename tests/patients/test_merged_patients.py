"""Patients whom Cliniko has merged into others: the other one has their bookings, and is in their lists."""

import pytest

from routiq_gql.patients.keys import PatientKey
from routiq_gql.patients.lists import PatientList
from routiq_gql.patients.requests import PageRequest
from routiq_gql.runtime import Runtime
from routiq_gql.security.viewer import LOCAL_OPERATOR
from routiq_gql.sync.model import SyncMode
from tests.emulated_cliniko import Cliniko
from tests.organization import ORGANIZATION
from tests.patients.test_erasing import PERSON, insert_person, listed
from tests.syncs import run_sync

pytestmark = pytest.mark.both_databases
OTHER = PERSON + 100


@pytest.mark.parametrize("mode", [SyncMode.INCREMENTAL, SyncMode.FULL], ids=lambda mode: mode.value)
async def test_a_restored_patient_who_was_merged_away_is_in_no_list(runtime: Runtime, cliniko: Cliniko, mode: SyncMode):
    """Someone restores the archived half of a merge: the person is listed once, and the reason says why."""
    clinic = cliniko.emulator.clinic
    insert_person(cliniko)
    insert_person(cliniko, OTHER)
    await run_sync(runtime)
    clinic.merge(str(PERSON), str(OTHER))
    clinic.unarchive("patients", str(PERSON))
    last = await run_sync(runtime, mode=mode)
    assert last.receipt is not None
    assert last.receipt.agrees, "Cliniko counts the restored row, and so does the receipt"
    for which in PatientList:
        assert PERSON not in await listed(runtime, which)
    assert OTHER in await listed(runtime, PatientList.ACTIVE)
    patient = await runtime.patients.patient(LOCAL_OPERATOR, PatientKey(ORGANIZATION, PERSON))
    assert patient is not None
    assert (patient.lists, patient.activity.is_active) == ((), False)
    assert "merged into another patient" in patient.why(PatientList.ALL).sentence
    page = await runtime.patients.page(LOCAL_OPERATOR, ORGANIZATION, PageRequest(list=PatientList.ACTIVE, first=1))
    stats = (await runtime.syncs.dashboard(LOCAL_OPERATOR, ORGANIZATION)).patient_stats
    assert page.total_count == stats.active_patients == last.active_patients_identified
