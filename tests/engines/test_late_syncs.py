"""The sync of a look may begin long after the look, as while the database is away: no change in between is lost."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from routiq_gql.clock import utc_now
from routiq_gql.emulator import Clinic
from routiq_gql.runtime import Runtime
from routiq_gql.sync import preparing
from routiq_gql.sync.model import SyncMode, SyncSnapshot, SyncState
from tests.emulated_cliniko import Cliniko
from tests.engines.refreshing import looks_of
from tests.syncs import run_sync

LATE = timedelta(minutes=30)
PATIENT, SOON = "9", timedelta(days=3)
EDITS: dict[str, Callable[[Clinic, str], object]] = {
    "patients": lambda clinic, _class: clinic.insert_patient(first_name="Mia"),
    "individual_appointments": lambda clinic, _class: clinic.insert_appointment(PATIENT, utc_now() + SOON),
    "group_appointments": lambda clinic, _class: clinic.insert_class(utc_now() + SOON),
    "attendees": lambda clinic, class_id: clinic.insert_attendee(class_id, PATIENT),
}
"""A change of each list, in a clinic with a class."""


def lists_read(last: SyncSnapshot | None) -> list[str]:
    """The lists of which a sync has read rows."""
    assert last is not None
    assert (last.status, last.mode) == (SyncState.COMPLETED, SyncMode.INCREMENTAL), last.failure
    assert last.receipt is not None
    return [one.list for one in last.receipt.lists if one.read]


async def test_no_change_between_a_look_and_its_late_sync_is_lost(
    runtime: Runtime, cliniko: Cliniko, monkeypatch: pytest.MonkeyPatch
):
    """A look finds a change in one list, and half an hour later its sync begins: the next look finds the others."""
    looks, clinic, made = looks_of(runtime), cliniko.emulator.clinic, list[str]()
    class_id = clinic.insert_class(utc_now() + SOON, at=utc_now() - timedelta(hours=1))
    await run_sync(runtime)
    first, *others = EDITS

    def begin_late() -> datetime:
        if not made:
            made.extend(others)
            for name in others:
                EDITS[name](clinic, class_id)
        return utc_now() + LATE

    EDITS[first](clinic, class_id)
    monkeypatch.setattr(preparing, "utc_now", begin_late)
    assert lists_read(await looks.look()) == [first]
    assert made == others
    assert {*others} <= {*lists_read(await looks.look())}
