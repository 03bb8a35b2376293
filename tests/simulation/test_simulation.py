"""Simulated syncs under random trouble: all is well, a seed replays, and planted bugs are found."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from routiq_gql.database import syncs
from routiq_gql.sync import run
from routiq_gql.sync.checkpoint import Reading
from routiq_gql.sync.pipeline import Pipeline
from routiq_gql.sync.place import Place
from routiq_gql.sync.run import SyncRun
from tests.simulation.batches import Batch, play
from tests.simulation.machine import collect
from tests.simulation.rare import RARE_STATES
from tests.simulation.simulation import Simulation
from tests.simulation.template import make_template

pytestmark = [
    pytest.mark.sqlite_only,
    pytest.mark.timeout(600),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # killed processes leave their connections unclosed
]
FIRST_SEED = 1_000
PARTS, SEEDS_PER_PART, LONG_SEEDS = 8, 25, 300
FIRST_LOST = 1_050
"""From here it takes few seeds until a process that has lost its sync writes to it."""
FIRST_RESUMED = 3_108
"""From here it takes few seeds until a sync goes on in the middle of a list without any other trouble."""


@pytest.fixture(autouse=True)
def collected() -> Iterator[None]:
    """Collect the objects of killed processes, so that no other test is blamed for it."""
    yield
    collect()


def first_found(seeds: range) -> str | None:
    """The report of the first seed that finds a violation."""
    failures = play(seeds, until_failure=True).failures
    return failures[0].reason if failures else None


@pytest.mark.parametrize("part", range(PARTS))
def test_simulated_syncs_keep_their_promises(part: int):
    """Whatever happens during syncs, they are never silently less, never doubled and never stuck."""
    first = FIRST_SEED + SEEDS_PER_PART * part
    batch = play(range(first, first + SEEDS_PER_PART))
    assert not batch.failures, _told(batch)
    assert batch.completed > SEEDS_PER_PART


@pytest.mark.soak
@pytest.mark.timeout(1_800)
def test_hundreds_of_simulations_keep_the_promises_and_reach_rare_states():
    """The same for hundreds of courses of events; hardly any of the rare moments is left out."""
    batch = play(range(FIRST_SEED, FIRST_SEED + LONG_SEEDS))
    assert not batch.failures, _told(batch)
    assert len(set(RARE_STATES) - batch.reached.keys()) <= 3  # ``make simulate SEEDS=1000`` requires all


def _told(batch: Batch) -> str:
    return "\n\n".join(f"SEED={one.seed}: {one.reason}\n{one.story}" for one in batch.failures)


def test_a_seed_makes_the_same_story_in_every_process(tmp_path: Path):
    """A failure that was found once can be looked at again, as often as needed."""
    stories = set()
    for hash_seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        command = [sys.executable, "-m", "tests.simulation", "--seed", "1072"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=300)
        stories.add(done.stdout)
    assert len(stories) == 1
    assert "story" in stories.pop()


def test_different_seeds_make_different_stories(tmp_path: Path):
    """Each seed shows another course of events."""
    template = make_template(tmp_path)
    assert len({Simulation(seed, template, tmp_path).run().story.digest for seed in (1, 2, 3)}) == 3


def test_there_are_enough_rare_states():
    """The list of rare states is long enough to show that the simulator does not see quiet days only."""
    assert len(set(RARE_STATES)) == len(RARE_STATES) >= 40


def test_a_write_without_its_fence_is_found(monkeypatch: pytest.MonkeyPatch):
    """A process that has lost a sync and writes to it all the same does not remain unnoticed."""
    change = run.change_running

    async def unfenced(connection: Any, key: int, epoch: int, *arguments: Any, **options: Any) -> Any:
        row = (await syncs.syncs_where(connection, syncs.SYNC.c.key == key))[0]
        return await change(connection, key, row.epoch if row.completed_at is None else epoch, *arguments, **options)

    monkeypatch.setattr(run, "change_running", unfenced)
    found = first_found(range(FIRST_LOST, FIRST_LOST + 100))
    assert found is not None
    assert found.startswith(("fence", "back", "less", "twice")), found


@pytest.mark.timeout(300)
def test_a_list_that_is_read_from_its_start_again_is_found(monkeypatch: pytest.MonkeyPatch):
    """A resumed sync that spends the clinic's requests a second time does not remain unnoticed."""
    read_lists = Pipeline._read_lists

    async def from_the_start(pipeline: Pipeline, its_run: SyncRun, opened: Any, following: Any, *rest: Any) -> Any:
        if isinstance(following, Reading):
            following = replace(following, place=Place())
        return await read_lists(pipeline, its_run, opened, following, *rest)

    monkeypatch.setattr(Pipeline, "_read_lists", from_the_start)
    found = first_found(range(FIRST_RESUMED, FIRST_RESUMED + 200))
    assert found is not None
    assert "again" in found, found


def test_a_publication_before_its_commit_is_found(monkeypatch: pytest.MonkeyPatch):
    """A screen that shows rows before they are stored does not remain unnoticed."""
    change = run.change_running

    async def early(connection: Any, *arguments: Any, **options: Any) -> Any:
        row = await change(connection, *arguments, **options)
        for one in _RUNS:
            if row is not None and one.key == row.key:
                one.show(row)
        return row

    monkeypatch.setattr(run, "change_running", early)
    begin = SyncRun.__init__

    def noted(one: SyncRun, *arguments: Any, **options: Any) -> None:
        begin(one, *arguments, **options)
        _RUNS[:] = [one]

    monkeypatch.setattr(SyncRun, "__init__", noted)
    found = first_found(range(FIRST_SEED, FIRST_SEED + 20))
    assert found is not None
    assert found.startswith("publish"), found


_RUNS: list[SyncRun] = []
