"""Runs many seeds: in this process, or shared among all processors."""

import gc
import shutil
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import cache

from tests.machine import memory_folder
from tests.simulation.machine import collect
from tests.simulation.simulation import Result, Simulation
from tests.simulation.template import Template, make_template

SEEDS_PER_BATCH = 8
"""Small, as progress is shown by batches."""
SEEDS_PER_COLLECTION = 8
"""A collection takes a quarter as long as a sync."""


@dataclass
class Failure:
    """A seed that failed, with the end of its story."""

    seed: int
    reason: str
    story: str


@dataclass
class Batch:
    """What some seeds have shown.

    Attributes:
        seconds: Processor time.
        reached: How many seeds have reached each rare state.
    """

    seeds: int = 0
    syncs: int = 0
    completed: int = 0
    steps: int = 0
    seconds: float = 0.0
    failures: list[Failure] = field(default_factory=list)
    reached: Counter[str] = field(default_factory=Counter)

    def add(self, other: "Batch") -> None:
        """Count the seeds of ``other`` too."""
        self.seeds += other.seeds
        self.syncs += other.syncs
        self.completed += other.completed
        self.steps += other.steps
        self.seconds += other.seconds
        self.failures += other.failures
        self.reached += other.reached

    def note(self, result: Result) -> None:
        """Count a seed."""
        self.seeds += 1
        self.syncs += result.started
        self.completed += result.completed
        self.steps += result.steps
        self.reached.update(result.reached)
        if result.error is not None:
            self.failures.append(Failure(result.seed, str(result.error), result.story.text()))


def play(seeds: Sequence[int], *, until_failure: bool = False) -> Batch:
    """Run these seeds in this process, or only those up to the first that fails."""
    began, batch, folder = time.process_time(), Batch(), memory_folder("routiq-simulation-")
    try:
        template = _template()
        gc.collect()
        gc.freeze()  # so that later collections look at the objects of simulations only
        gc.disable()
        for number, seed in enumerate(seeds, 1):
            batch.note(Simulation(seed, template, folder).run())
            if until_failure and batch.failures:
                break
            if number % SEEDS_PER_COLLECTION == 0:
                collect()
    finally:
        collect()
        gc.enable()
        gc.unfreeze()
        shutil.rmtree(folder, ignore_errors=True)
    batch.seconds = time.process_time() - began
    return batch


@cache
def _template() -> Template:
    """The same for all batches of a process: running the migrations takes as long as a sync."""
    folder = memory_folder("routiq-simulation-")
    try:
        return make_template(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def play_all(seeds: range, workers: int) -> Iterator[Batch]:
    """Run the seeds in so many processes, and give each batch as soon as it has ended."""
    parts = [seeds[at : at + SEEDS_PER_BATCH] for at in range(0, len(seeds), SEEDS_PER_BATCH)]
    if workers == 1:
        yield from map(play, parts)
        return
    with ProcessPoolExecutor(workers) as pool:
        yield from pool.map(play, parts)
