"""A full sync reads attendees for some classes at a time; wherever it is interrupted, none of them is missing."""

import asyncio
from datetime import timedelta
from functools import partial
from itertools import product

import pytest

from routiq_gql.cliniko import read_list
from routiq_gql.clock import utc_now
from routiq_gql.emulator import EMULATED_API_KEY, Fault, FaultKind, generated_clinic
from routiq_gql.runtime import open_runtime
from routiq_gql.security.viewer import LOCAL_OPERATOR
from routiq_gql.settings import Settings
from routiq_gql.sync import source
from routiq_gql.sync.checkpoint import Checkpoint, Reading
from routiq_gql.sync.model import SyncState
from routiq_gql.sync.place import Place
from routiq_gql.sync.run import SyncRun
from tests.emulated_cliniko import emulated_cliniko
from tests.organization import ORGANIZATION
from tests.syncs import run_sync, shown_rows

CLASSES, PLACES = 4, 3
"""Classes, and attendees of each. The first attendees are of the last class."""
LONG_AGO = timedelta(days=200)
"""The comparison with Cliniko reads the attendees of classes within the windows only."""


@pytest.mark.sqlite_only
async def test_a_batch_that_is_interrupted_lacks_no_attendee(settings: Settings, monkeypatch: pytest.MonkeyPatch):
    """Cliniko refuses four classes once, and two are asked for. The sync is interrupted behind each page of them."""
    advance, places = SyncRun._advance, list[Place]()

    def and_stop(run: SyncRun, checkpoint: Checkpoint) -> None:
        advance(run, checkpoint)
        if isinstance(checkpoint, Reading) and checkpoint.place.batch_to and checkpoint.place not in places:
            places.append(checkpoint.place)
            task = asyncio.current_task()
            assert task is not None
            task.cancel()

    monkeypatch.setattr(SyncRun, "_advance", and_stop)
    monkeypatch.setattr(source, "read_list", partial(read_list, per_page=2))
    monkeypatch.setattr(source, "CLASSES_PER_REQUEST", CLASSES)
    clinic, now = generated_clinic(2, utc_now()), utc_now()
    classes = [clinic.insert_class(now - LONG_AGO, class_id=str(number)) for number in range(1, CLASSES + 1)]
    patient = clinic.insert_patient()
    made = {clinic.insert_attendee(one, patient) for one, _ in product(classes[::-1], range(PLACES))}
    async with emulated_cliniko(clinic) as cliniko, open_runtime(settings) as runtime:
        # Once by key, and once in passes.
        cliniko.emulator.faults.add(Fault(FaultKind.REFUSE_MANY_VALUES, "attendees", times=2, rows=2, status=414))
        await runtime.connections.connect(LOCAL_OPERATOR, ORGANIZATION, EMULATED_API_KEY, cliniko.base_url)
        last = await run_sync(runtime)
        assert last.status is SyncState.COMPLETED, last.failure
        shown = {str(row[0]) for row in (await shown_rows(runtime.database))["ATTENDEES"]}
        assert made <= shown
    assert [place for place in places if not place.has_ended]
    assert len({place.batch_to for place in places}) > 1, "two batches"
