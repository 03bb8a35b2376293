"""The estimated end of a running sync: how it moves with pages, waits, searches, slow answers and restarts."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest

from routiq_gql.cliniko import GROUP_APPOINTMENTS, INDIVIDUAL_APPOINTMENTS, PATIENTS, PRACTITIONERS, Horizon
from routiq_gql.sync import forecast
from routiq_gql.sync.checkpoint import Analysis, Analyzing, Comparing, Reading, Starting
from routiq_gql.sync.forecast import CompletionForecast
from routiq_gql.sync.model import SyncMode
from routiq_gql.sync.place import Counts, Place
from routiq_gql.sync.plan import Plan
from routiq_gql.sync.receipt import Receipt
from tests.cli.test_progress import SNAPSHOT
from tests.sync.test_estimates import past_sync

NOW = datetime(2026, 7, 1, 9, 30, tzinfo=UTC)
TOTALS = {PATIENTS.name: 5_000, INDIVIDUAL_APPOINTMENTS.name: 20_000, GROUP_APPOINTMENTS.name: 0}
PLAN = Plan(SyncMode.FULL, NOW, NOW, None, Horizon(NOW - timedelta(days=730)), 730, is_baseline=False, account="")
CHANGES = replace(PLAN, mode=SyncMode.INCREMENTAL, since=NOW - timedelta(days=1))


@dataclass
class Running:
    """A sync at its requests, with the clocks that it reads.

    Attributes:
        seconds: The time since its start.
    """

    patch: pytest.MonkeyPatch
    requests: int = 0
    waited_seconds: float = 0.0
    seconds: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        self.patch.setattr(forecast, "utc_now", lambda: NOW + timedelta(seconds=self.seconds))
        self.patch.setattr(forecast.time, "monotonic", lambda: self.seconds)

    def request(self, seconds: float) -> None:
        self.requests += 1
        self.seconds += seconds


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch) -> Running:
    return Running(monkeypatch)


def left(changes: dict[str, datetime]) -> tuple[float, float, float]:
    """The seconds from the start to the earliest, the likely and the latest end."""
    names = ("estimated_earliest", "estimated_completion", "estimated_latest")
    earliest, likely, latest = ((changes[name] - NOW).total_seconds() for name in names)
    assert earliest <= likely <= latest
    return earliest, likely, latest


def test_the_end_is_unknown_until_the_size_of_the_clinic_is_known(running: Running):
    """The first sync of a clinic has no estimate before Cliniko has counted its rows."""
    unknown = CompletionForecast(running, (), 180)
    unknown.expect(Starting())
    unknown.expect_all(SyncMode.FULL, None)
    assert unknown.changes(None) == {}
    unknown.expect(Reading(PLAN, PATIENTS.name, TOTALS))
    assert left(unknown.changes(None))[1] == pytest.approx(262 / 3, rel=0.05)


def test_a_clinic_that_has_synced_before_has_an_estimate_at_once(running: Running):
    """Earlier syncs show how long the next takes, before its first request."""
    known = CompletionForecast(running, [past_sync(requests=265, seconds=90.0, rows_of=TOTALS)], 180)
    known.expect_all(SyncMode.FULL, None)
    assert left(known.changes(None))[1] == pytest.approx(272 / 3, rel=0.05)
    known.expect_all(SyncMode.INCREMENTAL, NOW - timedelta(hours=1))
    assert left(known.changes(None))[1] < 10


def test_an_estimate_stays_while_requests_take_as_long_as_expected(running: Running):
    """With each page as much time has passed as the estimate has expected, so the end does not move."""
    pages = CompletionForecast(running, (), 0)
    ends = []
    for read in range(0, 5_000, 100):
        running.request(0.5)
        place = Place(last_id=str(read), counts=Counts(read=read + 100))
        pages.expect(Reading(PLAN, PATIENTS.name, TOTALS, place), 4_900 - read)
        ends.append(left(pages.changes(None)))
    assert all(end[1] == pytest.approx(131, rel=0.1) for end in ends[5:])
    assert ends[-1][2] - ends[-1][0] < ends[5][2] - ends[5][0], "the range becomes narrower"


def test_a_wait_moves_the_estimate(running: Running):
    """While a sync waits for Cliniko, its estimate is later by the wait, and stays there until the wait is over."""
    waiting = CompletionForecast(running, (), 0)
    waiting.expect(Reading(PLAN, PATIENTS.name, TOTALS))
    before = left(waiting.changes(None))
    until = NOW + timedelta(seconds=40)
    for _ in range(3):
        assert left(waiting.changes(until)) == pytest.approx([one + 40 for one in before])
        running.seconds += 10
    running.seconds = 60
    assert left(waiting.changes(until)) == pytest.approx([one + 60 for one in before])


def test_each_request_of_the_comparison_shortens_what_is_left(running: Running):
    """The estimate also moves while Cliniko is compared with the mirror, where no pages are stored."""
    comparing = CompletionForecast(running, (), 0)
    for _ in range(20):
        running.request(0.5)
    comparing.expect(Comparing(PLAN, TOTALS))
    remaining = []
    for _ in range(12):
        remaining.append(left(comparing.changes(None))[1] - running.seconds)
        running.request(0.5)
    assert remaining[:7] == sorted(remaining[:7], reverse=True)
    assert min(remaining) > 0, "something is left as long as the next stage has not begun"


def test_a_search_for_vanished_rows_makes_the_estimate_later(running: Running):
    """When the counts differ, the estimate includes the requests that it takes to find the rows."""
    comparing = CompletionForecast(running, (), 0)
    comparing.expect_search(INDIVIDUAL_APPOINTMENTS.name, 20_000, 1)  # before there is an estimate
    assert comparing.changes(None) == {}
    comparing.expect(Comparing(CHANGES, TOTALS))
    before = left(comparing.changes(None))[1]
    comparing.expect_search(INDIVIDUAL_APPOINTMENTS.name, 20_000, 1)
    assert left(comparing.changes(None))[1] - before == pytest.approx(10.6 * 0.25, rel=0.2)


def test_an_overdue_estimate_is_replaced(running: Running):
    """While an answer hangs, the shown end never stays in the past."""
    hanging = CompletionForecast(running, (), 0)
    hanging.expect(Comparing(PLAN, TOTALS))
    shown = replace(SNAPSHOT, **hanging.changes(None))
    assert hanging.changes_if_overdue(shown) == {}
    running.seconds = 60
    assert left(hanging.changes_if_overdue(shown))[1] > 60
    assert hanging.changes_if_overdue(replace(shown, estimated_completion=None)) == {}


@pytest.mark.parametrize(
    ("checkpoint", "requests"),
    [
        (Reading(PLAN, PATIENTS.name, TOTALS, Place(last_id="7", counts=Counts(read=1_000))), 252),
        (Reading(CHANGES, PATIENTS.name, {}, Place(last_id="7", counts=Counts(read=1_000))), 16),
        (Reading(PLAN, PRACTITIONERS.name, TOTALS), 9),
        (Comparing(PLAN, TOTALS), 7.3),
        (Analyzing(PLAN, Receipt(NOW, 1, 0, ()), Analysis(NOW, 30, 30, 26, True, 9)), 0),
    ],
)
def test_a_sync_that_resumes_has_an_estimate_from_its_checkpoint(running: Running, checkpoint, requests: float):
    """After a restart the estimate follows the checkpoint, before the next page is read."""
    resumed = CompletionForecast(running, (), 0)
    resumed.expect(checkpoint)
    assert left(resumed.changes(None))[1] == pytest.approx(0.25 * requests + 0.1, rel=0.3, abs=0.6)
