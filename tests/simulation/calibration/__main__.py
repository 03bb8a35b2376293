"""Plays the syncs of many clinics in virtual time, and prints how well their estimated ends were.

Exits with 1 when the figures are not as they should be.
"""

import argparse
import os
import shutil
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor

from tests.machine import memory_folder
from tests.simulation.calibration.play import PlayedSync, play
from tests.simulation.calibration.table import calibration_of, table_of
from tests.simulation.template import make_template

FIRST_SEED, SEEDS = 3001, 55
"""Clinics with some four syncs each. The constants of the estimates were chosen with other seeds."""
SEEDS_PER_PART = 5


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.calibration", description=__doc__)
    parser.add_argument("--seeds", type=int, default=SEEDS, help="how many clinics")
    parser.add_argument("--first", type=int, default=FIRST_SEED, help="the first of them")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes")
    given = parser.parse_args()
    began = time.perf_counter()
    seeds = range(given.first, given.first + given.seeds)
    parts = [seeds[at : at + SEEDS_PER_PART] for at in range(0, len(seeds), SEEDS_PER_PART)]
    played: list[PlayedSync] = []
    seconds = 0.0
    with ProcessPoolExecutor(given.workers) as pool:
        for some, spent in pool.map(play_some, parts):
            played += some
            seconds += spent
    print("\n".join(table_of(played)))
    print(f"\n{time.perf_counter() - began:.0f} s, {seconds:.0f} s of processor time")
    misses = calibration_of(played).misses
    for miss in misses:
        print(miss)
    return int(bool(misses))


def play_some(seeds: Sequence[int]) -> tuple[list[PlayedSync], float]:
    """The syncs of these clinics, and the processor time."""
    began, folder = time.process_time(), memory_folder("routiq-simulation-")
    try:
        template = make_template(folder)
        played = [sync for seed in seeds for sync in play(seed, template, folder)]
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return played, time.process_time() - began


if __name__ == "__main__":
    sys.exit(main())
