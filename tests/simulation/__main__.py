"""Runs simulations of syncs: many seeds (``--seeds 2000``), or one seed with its story (``--seed 4711``)."""

import argparse
import os
import shutil
import sys
import time

from tests.machine import memory_folder
from tests.simulation.batches import Batch, play_all
from tests.simulation.rare import RARE_STATES
from tests.simulation.simulation import Simulation
from tests.simulation.template import make_template

ENOUGH_SEEDS = 1000
"""So many seeds must reach every rare state."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, help="run this seed only, and print its story")
    parser.add_argument("--seeds", type=int, default=300, help="how many seeds to run")
    parser.add_argument("--first", type=int, default=1, help="the first of them")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes")
    given = parser.parse_args()
    if given.seed is not None:
        return _replay(given.seed)
    began, all_ = time.perf_counter(), Batch()
    for batch in play_all(range(given.first, given.first + given.seeds), given.workers):
        all_.add(batch)
        _show_progress(all_, given.seeds)
        for failure in batch.failures:
            print(f"\nseed {failure.seed}: {failure.reason}\n{failure.story}", flush=True)
    return _report(all_, time.perf_counter() - began)


def _show_progress(all_: Batch, seeds: int) -> None:
    """Rewrite a line of a terminal; files get the report only."""
    if sys.stderr.isatty():
        end = "\n" if all_.seeds == seeds else ""
        failed = f", {len(all_.failures)} failed" if all_.failures else ""
        print(f"\r{all_.seeds} of {seeds} seeds, {all_.syncs} syncs{failed}", end=end, file=sys.stderr, flush=True)


def _replay(seed: int) -> int:
    folder = memory_folder("routiq-simulation-")
    try:
        result = Simulation(seed, make_template(folder), folder).run()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(result.story.text(None))
    print(f"Seed {seed}: {result.started} syncs, {result.completed} completed, story {result.story.digest}")
    if result.error is None:
        return 0
    print(f"{type(result.error).__name__}: {result.error}")
    return 1


def _report(all_: Batch, seconds: float) -> int:
    for name in RARE_STATES:
        print(f"{all_.reached[name]:6} × {name}")
    missing = [name for name in RARE_STATES if not all_.reached[name]]
    pace = all_.syncs / all_.seconds * 60 if all_.seconds else 0
    print(
        f"{all_.seeds} seeds, {all_.syncs} syncs, {all_.completed} completed, {len(all_.failures)} seeds failed; "
        f"{seconds:.0f} s, {pace:.0f} syncs per minute of processor time"
    )
    print(f"{len(RARE_STATES) - len(missing)} of {len(RARE_STATES)} rare states reached")
    for failure in all_.failures:
        print(f"make simulate SEED={failure.seed}   {failure.reason[:200]}")
    return int(bool(all_.failures) or (bool(missing) and all_.seeds >= ENOUGH_SEEDS))


if __name__ == "__main__":
    sys.exit(main())
