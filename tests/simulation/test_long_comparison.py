"""A part of a comparison that takes far more requests than the share of a minute, with kills, and with a person."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from routiq_gql.sync.reconcile import spending
from tests.simulation.life import Life, Moment
from tests.simulation.machine import collect
from tests.simulation.scenario import draw
from tests.simulation.simulation import Simulation
from tests.simulation.sync_story import SyncStory
from tests.simulation.template import make_template
from tests.sync.histories.steps import Edit, Kind, Size, Tuning

pytestmark = [
    pytest.mark.sqlite_only,
    pytest.mark.timeout(600),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # killed processes leave their connections unclosed
]
SEED = 8
SHARE = 18
DELETED = 60
AT_ONCE_SECONDS = 10.0
"""The engine of a simulation looks for new syncs every 2 s; a wait for the share of looks takes up to a minute."""


@pytest.fixture(autouse=True)
def collected() -> Iterator[None]:
    """Collect the objects of killed processes, so that no other test is blamed for it."""
    yield
    collect()


def played(folder: Path, monkeypatch: pytest.MonkeyPatch, *troubles: tuple[float, str]) -> Simulation:
    """A clinic in which many appointments disappear without a trace, and what happens so many seconds later."""
    monkeypatch.setattr(spending, "LEAST_REQUESTS", 10_000)  # as in a clinic of 100,000 rows
    places = [7 * number for number in range(DELETED)]
    edits = tuple(Edit(Kind.DELETE, "individual_appointments", place, 0, 0, touch=False) for place in places)
    moments = (
        Moment(30.0, 0, "edit", 0, 0, 0.0, edits),
        *(Moment(after, 0, what, 0, 0, 0.2) for after, what in troubles),
    )
    scenario = replace(
        draw(SEED),
        sizes=(Size(20, 350, 3, 5, 1), Size(3, 3, 1, 1, 1)),
        tuning=Tuning(per_page=5, leaf_rows=4, rows_per_step=500, ids_per_request=200, class_requests=3),
        rounds=(),
        clocks=(0, 0),
        pace=180,
        latency=0.05,
        disk_seconds=0.0,
        look_seconds=2.0,
        life=Life(False, 15, 90.0, moments, ((0.0, 3000.0),)),
    )
    simulation = Simulation(SEED, make_template(folder), folder, scenario=scenario)
    result = simulation.run()
    assert result.error is None, result.story.text(40)
    return simulation


def longest_of(simulation: Simulation) -> SyncStory:
    """The sync of a look that has sent the most requests."""
    return max((one for one in simulation.ledger.syncs.values() if one.is_refresh), key=lambda one: one.requests)


@pytest.mark.parametrize("troubles", [(), ((150.0, "kill"), (60.0, "kill"), (70.0, "stop"), (80.0, "kill"))])
def test_a_long_part_of_a_comparison_ends_within_the_share(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, troubles: tuple[tuple[float, str], ...]
):
    """It takes several minutes, repairs every row, and resumes after each kill. The simulator checks the share."""
    longest = longest_of(played(tmp_path, monkeypatch, *troubles))
    assert (longest["status"], longest["mode"]) == ("completed", "incremental")
    assert longest.requests > 5 * SHARE
    assert longest["epoch"] >= 2 + len(troubles)


def test_a_person_does_not_wait_for_a_long_part_of_a_comparison(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A start ends it and begins at once, at the whole pace of the key."""
    simulation = played(tmp_path, monkeypatch, (200.0, "start"))
    stopped = longest_of(simulation)
    assert stopped["status"] == "cancelled"
    assert stopped.requests > SHARE
    following = simulation.ledger.syncs[stopped["key"] + 1]
    assert not following.is_refresh
    assert following["status"] == "completed"
    begun, claimed, *_ = sorted(following.times.values())
    assert claimed - begun < AT_ONCE_SECONDS
    assert following.requests > 2 * SHARE
    assert max(following.times.values()) - begun < 60
