"""Kills while looks keep a clinic live: the successor knows what was sent, keeps to the share, and hardly waits."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.simulation.life import Life, Moment
from tests.simulation.machine import collect
from tests.simulation.scenario import draw
from tests.simulation.simulation import Simulation
from tests.simulation.template import make_template
from tests.sync.histories.steps import Edit, Kind

pytestmark = [
    pytest.mark.sqlite_only,
    pytest.mark.timeout(600),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # killed processes leave their connections unclosed
]
SEED = 8
INTERVAL = 15
TIMES = 6
LONGEST_WAIT = 45.0
"""A look may come 31 s late during a comparison. A successor that counted a whole share as sent took 72 to 86 s."""


@pytest.fixture(autouse=True)
def collected() -> Iterator[None]:
    """Collect the objects of killed processes, so that no other test is blamed for it."""
    yield
    collect()


@pytest.mark.parametrize(("trouble", "steps"), [("kill", 15), ("kill", 60), ("stop", 15)])
def test_changes_are_shown_soon_after_a_process_was_killed(tmp_path: Path, trouble: str, steps: int):
    """Each time that a look has found a new patient, its process dies: the next process shows the patient at once."""
    edit = Edit(Kind.INSERT, "patients", 0, 0, 0, touch=True)
    moments = (Moment(40.0, 0, "edit", 0, 0, 0.0, (edit,)), Moment(0.0, 0, trouble, 1, steps, 0.2, at_sync=True))
    scenario = replace(
        draw(SEED),
        rounds=(),
        clocks=(0, 0),
        pace=180,
        latency=0.05,
        disk_seconds=0.0,
        look_seconds=2.0,
        life=Life(False, INTERVAL, 200.0, moments * TIMES, ((0.0, 2000.0),)),
    )
    simulation = Simulation(SEED, make_template(tmp_path), tmp_path, scenario=scenario)
    result = simulation.run()
    assert result.error is None, result.story.text(40)
    assert simulation.living is not None
    assert len(simulation.living.looks.waits) == TIMES
    assert max(simulation.living.looks.waits) < LONGEST_WAIT
