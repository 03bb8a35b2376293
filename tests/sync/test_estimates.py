"""Estimates of the end of a sync and of the cost of the next one."""

from datetime import UTC, datetime, timedelta

import pytest

from routiq_gql.cliniko import (
    APPOINTMENT_TYPES,
    ATTENDEES,
    GROUP_APPOINTMENTS,
    INDIVIDUAL_APPOINTMENTS,
    PATIENTS,
    PRACTITIONERS,
)
from routiq_gql.runtime import Runtime
from routiq_gql.security.viewer import LOCAL_OPERATOR
from routiq_gql.sync.estimates import (
    COMPARING_REQUESTS,
    PastSync,
    Requests,
    Speed,
    estimate,
    left_while_reading,
    next_sync,
)
from routiq_gql.sync.forecast import postponed
from routiq_gql.sync.model import NextSync, SyncMode, SyncState
from tests.organization import ORGANIZATION
from tests.syncs import follow, start

NOW = datetime(2026, 7, 1, 9, 30, tzinfo=UTC)
TOTALS = {
    PATIENTS.name: 5_000,
    INDIVIDUAL_APPOINTMENTS.name: 39_000,
    GROUP_APPOINTMENTS.name: 1_000,
    APPOINTMENT_TYPES.name: 20,
    PRACTITIONERS.name: 0,
}


def past_sync(mode=SyncMode.FULL, **values):
    return PastSync(**{"mode": mode, "requests": 15, "seconds": 4.0, "waited_seconds": 1.0, **values})


def seconds(found):
    return [(one - NOW).total_seconds() for one in (found.earliest, found.completion, found.latest)]


def test_a_full_sync_needs_a_request_per_hundred_rows():
    """Before the first page of a full sync the totals tell how many requests are needed."""
    left = left_while_reading(PATIENTS.name, 5_000, TOTALS, [], is_full=True)
    classes = Requests(likely=53, least=27, most=80)
    assert left == Requests(50 + 390 + 10 + 1 + 1 + COMPARING_REQUESTS, 456, 462) + classes


def test_rows_of_the_current_list_that_are_read_are_not_counted_again():
    """Each page that is read makes the estimate smaller by one request."""
    lefts = [left_while_reading(PATIENTS.name, rows, TOTALS, [], is_full=True).likely for rows in (200, 101, 100, 1, 0)]
    assert [left - lefts[-1] for left in lefts] == [2, 2, 1, 1, 0]


def test_attendees_are_estimated_from_those_read_so_far():
    """While attendees are read, the classes that remain are expected to have as many as those that are read."""
    whole = {"classes_read": 400, "attendees_read": 4_000}
    left = left_while_reading(ATTENDEES.name, 50, TOTALS, [], is_full=True, **whole)
    assert left.likely == 1 + 62 + 1 + 1 + COMPARING_REQUESTS
    assert left.least < left.likely < left.most


def test_attendees_are_estimated_from_the_last_full_sync():
    """An earlier full sync tells how many requests the attendees of a class need."""
    earlier = past_sync(requests_of={ATTENDEES.name: 30}, rows_of={GROUP_APPOINTMENTS.name: 500})
    known = left_while_reading(GROUP_APPOINTMENTS.name, 0, TOTALS, [earlier], is_full=True)
    assert known.likely == 60 + 1 + 1 + COMPARING_REQUESTS
    assert known.most - known.least < 30


def test_an_incremental_sync_needs_a_request_per_list_that_has_not_changed():
    """An incremental sync asks for the changes of each list, and for as many pages as in the last days."""
    assert left_while_reading(PATIENTS.name, 0, {}, [], is_full=False).likely == 5 + COMPARING_REQUESTS
    busy = [past_sync(SyncMode.INCREMENTAL, requests_of={ATTENDEES.name: pages}) for pages in (3, 4, 9)]
    left = left_while_reading(PATIENTS.name, 0, {}, busy, is_full=False)
    assert left.likely == 4 + 4 + COMPARING_REQUESTS
    assert left.most >= 4 + 9 + COMPARING_REQUESTS


@pytest.mark.parametrize(
    ("speed", "expected"),
    [
        (Speed(180, 100, 33.3, 23.3), 150),
        (Speed(180, 100, 60.0, 0.0), 270),
        (Speed(0, 100, 10.0, 0.0), 45),
    ],
)
def test_the_slower_of_pace_and_answers_decides(speed, expected):
    """450 requests take as long as the pace of the key allows, or as Cliniko needs to answer them."""
    earliest, likely, latest = seconds(estimate(NOW, Requests.exactly(450), speed))
    assert likely == pytest.approx(expected, rel=0.02)
    assert earliest < likely < latest
    assert latest - earliest < 0.3 * likely + 2


def test_a_wait_under_way_is_part_of_the_estimate():
    """A sync that waits for Cliniko's limit ends later by this wait."""
    speed, left = Speed(180, 100, 33.3, 23.3), Requests.exactly(30)
    waiting = estimate(NOW, left, speed, resumes_at=NOW + timedelta(seconds=42))
    assert seconds(waiting) == [one + 42 for one in seconds(estimate(NOW, left, speed))]
    assert seconds(estimate(NOW, left, speed, resumes_at=NOW - timedelta(seconds=42))) == seconds(
        estimate(NOW, left, speed)
    )


def test_waits_that_keep_coming_are_expected_to_go_on():
    """A key that another program uses as well slows the rest of the sync down, most of all in the worst case."""
    calm = estimate(NOW, Requests.exactly(300), Speed(180, 100, 33.3, 23.3))
    disturbed = estimate(NOW, Requests.exactly(300), Speed(180, 100, 133.3, 123.3))
    assert disturbed.completion > calm.completion + timedelta(seconds=100)
    assert disturbed.earliest == calm.earliest
    assert disturbed.latest > calm.latest + timedelta(seconds=200)


def test_the_next_sync_costs_what_earlier_ones_of_its_mode_have_cost():
    """The next incremental sync costs what the middle one of the last has cost, and a full sync is computed."""
    rows = {**TOTALS, PATIENTS.name: 5_250}
    full = past_sync(requests=520, seconds=180.0, waited_seconds=100.0, requests_of={ATTENDEES.name: 60}, rows_of=rows)
    short = [past_sync(SyncMode.INCREMENTAL, requests=count) for count in (15, 40, 16)]
    assert next_sync(SyncMode.INCREMENTAL, [*short, full], 180) == NextSync(SyncMode.INCREMENTAL, 16, 3.7)
    found = next_sync(SyncMode.FULL, [full, *short], 180)
    assert found.requests == pytest.approx(530, abs=20)
    assert found.seconds == pytest.approx(found.requests / 3, rel=0.02)


def test_the_next_sync_is_unknown_before_the_first_has_completed():
    """No estimate is shown while nothing tells the size of the clinic."""
    assert next_sync(SyncMode.FULL, [], 180) is None
    assert next_sync(SyncMode.FULL, [past_sync(requests=0)], 180) is None
    assert next_sync(SyncMode.INCREMENTAL, [past_sync(requests=0)], 0) == NextSync(SyncMode.INCREMENTAL, 15, 3.8)


@pytest.mark.both_databases
async def test_a_running_sync_shows_when_it_ends_and_the_dashboard_what_the_next_one_costs(runtime: Runtime):
    """A sync shows a range around its likely end; afterwards the dashboard shows the cost of an incremental sync."""
    before = await runtime.syncs.dashboard(LOCAL_OPERATOR, ORGANIZATION)
    assert before.next_sync is None
    snapshots = await follow(runtime, await start(runtime))
    estimated = [one for one in snapshots if one.estimated_completion is not None]
    assert estimated
    for one in estimated:
        assert one.estimated_earliest <= one.estimated_completion <= one.estimated_latest
    assert snapshots[-1].status is SyncState.COMPLETED
    assert snapshots[-1].estimated_latest is None
    after = await runtime.syncs.dashboard(LOCAL_OPERATOR, ORGANIZATION)
    assert after.next_sync == NextSync(SyncMode.INCREMENTAL, 15, after.next_sync.seconds)
    await follow(runtime, await start(runtime))
    again = await runtime.syncs.dashboard(LOCAL_OPERATOR, ORGANIZATION)
    assert again.next_sync.requests == (await runtime.syncs.dashboard(LOCAL_OPERATOR, ORGANIZATION)).next_sync.requests
    assert again.next_sync.mode is SyncMode.INCREMENTAL


@pytest.mark.both_databases
async def test_a_wait_moves_the_shown_estimate(runtime: Runtime):
    """While a sync waits, its estimate is later by the wait."""
    snapshots = await follow(runtime, await start(runtime))
    shown = next(one for one in snapshots if one.estimated_completion is not None)
    changes = postponed(shown, datetime.now(UTC) + timedelta(seconds=60))
    moved = changes["estimated_completion"] - shown.estimated_completion
    assert moved == pytest.approx(timedelta(seconds=60), abs=timedelta(seconds=5))
    assert changes["estimated_latest"] - shown.estimated_latest == moved
    assert postponed(snapshots[-1], datetime.now(UTC)) == {}
