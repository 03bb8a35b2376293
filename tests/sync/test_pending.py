"""What a sync has to read again is stored until it was read, so that no interruption leaves it out."""

import json
import sqlite3
from contextlib import closing
from datetime import timedelta

import pytest

from routiq_gql.clock import utc_now
from routiq_gql.emulator import RecordedRequest
from routiq_gql.runtime import Runtime
from routiq_gql.sync.model import SyncMode, SyncState
from tests.emulated_cliniko import Cliniko
from tests.syncs import run_sync

pytestmark = pytest.mark.sqlite_only

FIELDS = {"patient_id": "patients", "booking_id": "classes"}


async def test_an_interruption_at_any_request_repeats_what_has_to_be_read_again(runtime: Runtime, cliniko: Cliniko):
    """At each request for the bookings of merged patients, or for a new class, the checkpoint still names them."""
    await run_sync(runtime)
    clinic = cliniko.emulator.clinic
    patients = [str(one) for one in clinic.patients.ids()]
    clinic.merge(patients[0], patients[1])
    made = clinic.insert_class(utc_now() + timedelta(days=2))
    clinic.insert_attendee(made, patients[2], at=utc_now() - timedelta(days=50))
    asked: dict[str, list[tuple[set[int], set[int]]]] = {"patients": [], "classes": []}

    def note(request: RecordedRequest) -> None:
        for condition in request.values("q[]"):
            field, _, ids = condition.partition(":=")
            if field in FIELDS:
                with closing(sqlite3.connect(str(runtime.database.path))) as stored:
                    query = "SELECT checkpoint FROM syncs ORDER BY key DESC LIMIT 1"
                    pending = json.loads(stored.execute(query).fetchone()[0])["pending"]
                wanted = {int(one) for one in ids.split(",")}
                asked[FIELDS[field]].append((wanted, set(pending[FIELDS[field]])))

    cliniko.emulator.after_request = note
    last = await run_sync(runtime, mode=SyncMode.INCREMENTAL)
    assert (last.status, last.mode) == (SyncState.COMPLETED, SyncMode.INCREMENTAL), last.failure
    merged = {int(one) for one in patients[:2]}
    assert [one for one in asked["patients"] if merged <= one[0]], "the bookings of merged patients were read again"
    assert [wanted - pending for wanted, pending in asked["patients"] if not wanted <= pending] == []
    of_the_class = [pending for wanted, pending in asked["classes"] if int(made) in wanted]
    assert of_the_class
    assert int(made) in of_the_class[0]
