"""Runs simulations: ``python -m tests.simulation --seeds 300`` or ``--seed 4711`` with its story."""

import argparse
import shutil
import sys
import time
import traceback

from tests.simulation.simulation import Simulation
from tests.simulation.template import make_template, memory_folder


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, help="run this seed only, and print its story")
    parser.add_argument("--seeds", type=int, default=300, help="how many seeds to run")
    parser.add_argument("--first", type=int, default=1, help="the first of them")
    parser.add_argument("--verbose", action="store_true", help="a line for each seed")
    given = parser.parse_args()
    folder = memory_folder()
    try:
        template = make_template(folder)
        if given.seed is not None:
            result = Simulation(given.seed, template, folder).run()
            print(result.story.text(None))
            print(result.story.digest, result.started, result.completed, result.steps, round(result.seconds))
            if result.error is not None:
                traceback.print_exception(result.error)
            return int(result.error is not None)
        began = time.process_time()
        failed = syncs = 0
        for seed in range(given.first, given.first + given.seeds):
            result = Simulation(seed, template, folder).run()
            syncs += result.started
            if given.verbose:
                print(seed, result.story.digest, result.started, result.steps, round(result.seconds), round(time.process_time() - began, 2), flush=True)
            if result.error is not None:
                failed += 1
                print(f"seed {seed}: {type(result.error).__name__} {str(result.error)[:300]}", flush=True)
        took = time.process_time() - began
        print(f"{given.seeds} seeds, {syncs} syncs, {failed} failed, {took:.1f} s, {syncs / took * 60:.0f} syncs a minute")
        return int(failed > 0)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
