"""Estimates of the requests that a sync still needs, and of the cost of the next one."""

import pytest

from routiq_gql.cliniko import (
    APPOINTMENT_TYPES,
    ATTENDEES,
    GROUP_APPOINTMENTS,
    INDIVIDUAL_APPOINTMENTS,
    PATIENTS,
    PRACTITIONERS,
)
from routiq_gql.clock import utc_now
from routiq_gql.emulator import EMULATED_API_KEY, generated_clinic
from routiq_gql.runtime import Runtime
from routiq_gql.security.viewer import LOCAL_OPERATOR
from routiq_gql.sync.checkpoint import Pending
from routiq_gql.sync.estimates import (
    Known,
    PastSync,
    left_before,
    left_from_start,
    left_to_follow,
    left_while_comparing,
    left_while_reading,
    next_sync,
    of_search,
)
from routiq_gql.sync.model import NextSync, SyncMode, SyncState
from tests.emulated_cliniko import Cliniko
from tests.organization import ORGANIZATION
from tests.syncs import follow, run_sync, start

TOTALS = {
    PATIENTS.name: 5_000,
    INDIVIDUAL_APPOINTMENTS.name: 39_000,
    GROUP_APPOINTMENTS.name: 1_000,
    APPOINTMENT_TYPES.name: 20,
    PRACTITIONERS.name: 0,
}
COMPARING = 8.8
"""Four totals, three lists of changes, some attendees, and now and then a list once more."""
FULL = Known(is_full=True, totals=TOTALS)


def past_sync(mode=SyncMode.FULL, **values):
    return PastSync(**{"mode": mode, "requests": 15, "seconds": 4.0, "waited_seconds": 1.0, **values})


def test_a_full_sync_needs_a_request_per_hundred_rows():
    """Before the first page of a full sync the totals show how many requests are needed."""
    left = left_before(PATIENTS.name, FULL)
    assert left.mean == pytest.approx(50 + 390 + 10 + 52.5 + 1 + 2 + COMPARING)
    assert left.variance**0.5 == pytest.approx(42, abs=2), "nobody has counted the attendees"
    assert left_from_start(FULL).mean == left.mean + 9


def test_rows_of_the_current_list_that_are_read_are_not_counted_again():
    """Each page that is read makes the estimate smaller by one request."""
    lefts = [left_while_reading(PATIENTS.name, rows, FULL).mean for rows in (200, 101, 100, 1, 0)]
    assert [round(left - lefts[-1], 6) for left in lefts] == [2, 2, 1, 1, 0]


def test_attendees_are_estimated_from_those_read_so_far():
    """While attendees are read, the classes that remain are expected to have as many as those that are read."""
    left = left_while_reading(ATTENDEES.name, 50, FULL, classes_read=400, attendees_read=5_950)
    assert left.mean == pytest.approx(1 + 41 + 1 + 2 + COMPARING)
    last = left_while_reading(ATTENDEES.name, 50, FULL, classes_read=800, attendees_read=9_950)
    assert last.mean == pytest.approx(1 + 1 + 2 + COMPARING), "no batch follows the last"


def test_attendees_are_estimated_from_the_last_full_sync():
    """An earlier full sync shows how many requests the attendees of a class need."""
    earlier = past_sync(requests_of={ATTENDEES.name: 31.5}, rows_of={GROUP_APPOINTMENTS.name: 500})
    known = left_while_reading(GROUP_APPOINTMENTS.name, 0, Known(is_full=True, totals=TOTALS, past=[earlier]))
    unknown = left_while_reading(GROUP_APPOINTMENTS.name, 0, FULL)
    assert known.mean == pytest.approx(61.5 + 1 + 2 + COMPARING)
    assert known.variance < unknown.variance / 10


def test_an_incremental_sync_needs_a_request_per_list_that_has_not_changed():
    """An incremental sync of a calm clinic takes about as many requests as there are lists and totals."""
    calm = [past_sync(SyncMode.INCREMENTAL, days=1, changed_of={PATIENTS.name: 0}, requests_of={ATTENDEES.name: 3})]
    left = left_from_start(Known(is_full=False, days=1, past=calm))
    assert left.mean == pytest.approx(14, abs=1)


def test_changes_are_expected_by_the_time_since_the_last_sync():
    """A sync after a weekend reads more changes than one after an hour, and an unusual day counts for a day only."""
    rows = ({INDIVIDUAL_APPOINTMENTS.name: rows} for rows in (400, 9_000, 410))
    past = [past_sync(SyncMode.INCREMENTAL, days=1, changed_of=one) for one in rows]
    lefts = [left_from_start(Known(is_full=False, days=days, past=past)) for days in (1 / 24, 1, 3)]
    assert lefts[1].mean - lefts[0].mean == pytest.approx(4, abs=1)
    assert lefts[2].mean - lefts[1].mean == pytest.approx(8, abs=1)
    assert lefts[2].variance > lefts[0].variance


def test_a_list_that_has_changed_is_compared_again():
    """A total from before the changes says nothing about them, so the list is counted once more."""
    calm = left_while_comparing(Known(is_full=False), ())
    changed = left_while_comparing(Known(is_full=False), (PATIENTS.name, INDIVIDUAL_APPOINTMENTS.name))
    assert changed.mean - calm.mean == pytest.approx(3 + 2)


def test_merged_patients_and_new_classes_are_read_again():
    """The rows of merged patients and new classes take further requests."""
    assert left_to_follow(Pending()).mean == 0
    assert left_to_follow(Pending(patients=(1, 2), classes=tuple(range(201)))).mean == 2 + 2


@pytest.mark.parametrize(
    ("rows", "differing", "requests"),
    [(50_000, 1, 12), (50_000, 5, 41), (50_000, 20, 119), (50_000, 50, 229), (200_000, 20, 158), (200_000, 50, 324)],
)
def test_a_search_takes_as_many_requests_as_were_measured(rows: int, differing: int, requests: int):
    """The estimate of a sync includes the requests of a search for vanished appointments."""
    assert of_search(INDIVIDUAL_APPOINTMENTS.name, rows, differing).mean == pytest.approx(requests, rel=0.06)


def test_a_search_of_a_small_list_reads_it():
    """A list of a few pages is read again instead of being searched."""
    assert of_search(INDIVIDUAL_APPOINTMENTS.name, 150, 400).mean == pytest.approx(1.5 + 2)


def test_the_next_sync_costs_as_much_as_earlier_ones_of_its_mode():
    """The next incremental sync costs the median of the last ones, and the cost of a full sync is computed."""
    rows = {**TOTALS, PATIENTS.name: 5_250}
    full = past_sync(requests=520, seconds=180.0, waited_seconds=100.0, requests_of={ATTENDEES.name: 60}, rows_of=rows)
    short = [past_sync(SyncMode.INCREMENTAL, requests=count) for count in (15, 40, 16)]
    found = next_sync(SyncMode.INCREMENTAL, [*short, full], 180)
    assert found == NextSync(SyncMode.INCREMENTAL, 16, found.seconds)
    assert found.seconds == pytest.approx(3.7, abs=0.3)
    found = next_sync(SyncMode.FULL, [full, *short], 180)
    assert found.requests == pytest.approx(530, abs=20)
    assert found.seconds == pytest.approx(found.requests / 3, rel=0.02)


def test_the_next_sync_is_unknown_while_the_size_of_the_clinic_is():
    """No estimate is shown before the first sync if no check of the key has counted the clinic's rows."""
    assert next_sync(SyncMode.FULL, [], 180) is None
    assert next_sync(SyncMode.FULL, [], 180, {}) is None
    assert next_sync(SyncMode.FULL, [past_sync(requests=0)], 180) is None
    found = next_sync(SyncMode.INCREMENTAL, [past_sync(requests=0)], 0)
    assert found == NextSync(SyncMode.INCREMENTAL, 15, found.seconds)
    assert found.seconds == pytest.approx(3.8, abs=0.1)


@pytest.mark.both_databases
async def test_a_running_sync_shows_when_it_ends_and_the_dashboard_what_the_next_one_costs(runtime: Runtime):
    """A sync shows a range around its likely end; afterwards the dashboard shows the cost of an incremental sync."""
    snapshots = await follow(runtime, await start(runtime))
    estimated = [one for one in snapshots if one.estimated_completion is not None]
    assert estimated
    for one in estimated:
        assert one.estimated_earliest <= one.estimated_completion <= one.estimated_latest
    assert snapshots[-1].status is SyncState.COMPLETED
    assert snapshots[-1].estimated_latest is None
    after = await runtime.syncs.dashboard(LOCAL_OPERATOR, ORGANIZATION)
    assert after.next_sync == NextSync(SyncMode.INCREMENTAL, 15, after.next_sync.seconds)
    again = await follow(runtime, await start(runtime))
    assert sum(one.estimated_completion is None for one in again) <= 3, "it is estimated from its first step on"
    last = await runtime.syncs.dashboard(LOCAL_OPERATOR, ORGANIZATION)
    assert last.next_sync.mode is SyncMode.INCREMENTAL


@pytest.mark.both_databases
async def test_a_clinic_that_was_just_connected_sees_what_its_first_sync_costs(runtime: Runtime, cliniko: Cliniko):
    """The check of the key has counted each list, so the first sync is estimated without a further request."""
    cliniko.emulator.clinic = generated_clinic(patients=2_000, now=utc_now())
    await runtime.connections.test(LOCAL_OPERATOR, ORGANIZATION)
    asked = len(cliniko.emulator.requests)
    estimate = (await runtime.syncs.dashboard(LOCAL_OPERATOR, ORGANIZATION)).next_sync
    assert len(cliniko.emulator.requests) == asked
    assert estimate is not None
    assert estimate.mode is SyncMode.FULL
    completed = await run_sync(runtime)
    assert completed.receipt is not None
    assert estimate.requests == pytest.approx(completed.receipt.requests, rel=0.25)


@pytest.mark.both_databases
async def test_a_key_that_was_not_checked_shows_no_cost_of_the_first_sync(runtime: Runtime, cliniko: Cliniko):
    """An operator may connect without a check; then the size of the clinic is unknown until the first sync."""
    await runtime.connections.connect(LOCAL_OPERATOR, "org_new", EMULATED_API_KEY, cliniko.base_url, check=False)
    assert (await runtime.syncs.dashboard(LOCAL_OPERATOR, "org_new")).next_sync is None
    await runtime.connections.test(LOCAL_OPERATOR, "org_new")
    assert (await runtime.syncs.dashboard(LOCAL_OPERATOR, "org_new")).next_sync is not None
