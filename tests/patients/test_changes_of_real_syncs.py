"""Changes of real syncs of an emulated clinic: in the log, with the sync, as a list, and live."""

import asyncio
from datetime import timedelta

import pytest

from routiq_gql.clock import utc_now
from routiq_gql.patients.change_model import ChangeKind
from routiq_gql.patients.changes import PatientChanges
from routiq_gql.runtime import Runtime
from routiq_gql.security.viewer import LOCAL_OPERATOR
from routiq_gql.sync.change_counts import ChangeCounts
from routiq_gql.sync.model import SyncMode
from tests.emulated_cliniko import Cliniko
from tests.organization import ORGANIZATION
from tests.sync.logs import messages
from tests.syncs import run_sync
from tests.waiting import LIMIT_SECONDS

pytestmark = pytest.mark.both_databases


async def test_each_sync_says_what_it_has_changed(runtime: Runtime, cliniko: Cliniko):
    """A clinic is synced, then a patient comes, one is renamed and one deleted: everywhere the same, once."""
    changes: PatientChanges = runtime.patient_changes
    first = await run_sync(runtime)
    assert first.changes is None
    watched = changes.watch_changes(LOCAL_OPERATOR, ORGANIZATION)
    coming = asyncio.ensure_future(anext(watched))
    while not len(changes):
        await asyncio.sleep(0)
    quiet = await run_sync(runtime, mode=SyncMode.FULL)
    assert quiet.changes == ChangeCounts(0, 0, 0, 0, 0, 0)
    assert "No patient changed" in await messages(runtime, quiet.sync_id)
    clinic = cliniko.emulator.clinic
    new = clinic.insert_patient(first_name="Nia", last_name="Li")
    clinic.insert_appointment(new, utc_now() + timedelta(days=2))
    for mode in (SyncMode.INCREMENTAL, SyncMode.FULL):
        clinic.rename("9", first_name=f"Zoë {mode.value}")
        last = await run_sync(runtime, mode=mode)
        page = await changes.sync_changes(LOCAL_OPERATOR, last.sync_id)
        assert last.changes is not None
        assert last.changes.patients == len(page.changes)
        assert await messages(runtime, last.sync_id)
        assert last.changes.sentence in await messages(runtime, last.sync_id)
        if mode is SyncMode.INCREMENTAL:
            by_id = {str(one.key.cliniko_id): one for one in page.changes}
            assert set(by_id) == {new, "9"}
            assert by_id[new].kinds == (ChangeKind.ADDED, ChangeKind.BECAME_ACTIVE, ChangeKind.LISTS_CHANGED)
            assert by_id[new].sentence.startswith("New in Cliniko. Became active: Booked: ")
            assert last.changes == ChangeCounts(2, 1, 1, 0, 1, 0)
            async with asyncio.timeout(LIMIT_SECONDS):
                live = [await coming, await anext(watched)]
            assert live == page.changes
    assert last.changes == ChangeCounts(1, 0, 1, 0, 0, 0)
    await watched.aclose()
