"""The estimated end of syncs in virtual time, for a few small clinics; ``make calibrate`` plays many more."""

import gc
import shutil
import warnings
from collections.abc import Iterator

import pytest

from tests.machine import memory_folder
from tests.simulation.calibration.play import PlayedSync, play
from tests.simulation.calibration.table import calibration_of, moments_of, published_of, table_of
from tests.simulation.template import make_template

pytestmark = [
    pytest.mark.sqlite_only,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # killed processes leave their connections unclosed
]
SEEDS = (2, 8, 9, 13, 14, 15)
"""Small clinics of different paces and latencies, some of them with faults."""


@pytest.fixture(scope="module")
def played() -> Iterator[list[PlayedSync]]:
    """The syncs of these clinics."""
    folder = memory_folder("routiq-simulation-")
    try:
        template = make_template(folder)
        yield [sync for seed in SEEDS for sync in play(seed, template, folder)]
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            gc.collect()


@pytest.mark.timeout(300)  # with the syncs of all clinics
def test_the_range_holds_the_end_of_most_syncs(played: list[PlayedSync]):
    """The clinic reads when its sync ends, and in four of five cases that is true."""
    found = calibration_of(played)
    assert 0.65 <= found.coverage <= 0.92
    assert found.error <= 0.2


def test_every_sync_shows_its_end_long_before(played: list[PlayedSync]):
    """A sync of a clinic that has synced before has an estimate at once, and every other soon."""
    for sync in played:
        assert len(moments_of(sync)) >= (9 if sync.kind == "first" else 18)


def test_no_estimate_is_out_of_order_or_stays_in_the_past(played: list[PlayedSync]):
    """The likely end lies within its range, and a sync that runs never shows that it has ended already."""
    published = [one for sync in played for one in published_of(sync)]
    assert len(published) > 100
    assert all(one.is_ordered for one in published)
    assert not any(one.is_overdue for one in published)


def test_the_report_says_how_good_the_estimates_are(played: list[PlayedSync]):
    """The report of a calibration names the figures that are required."""
    lines = table_of(played)
    assert lines[0].startswith(f"{len(played)} syncs of {len(SEEDS)} clinics")
    assert any(line.startswith("all moments from 10 % on") for line in lines)
    assert any(line.startswith("after 25%") for line in lines)
