"""Plays seeds of the simulator until one fails, and prints its number and the violated promise as JSON.

``hunt`` runs it in the folder of a copy, as a process of its own.
"""

import argparse
import gc
import json
import shutil
import signal
import sys
from pathlib import Path

import routiq_gql
from tests.machine import memory_folder
from tests.simulation.simulation import Simulation
from tests.simulation.template import make_template

LONGEST_SECONDS = 120
"""A seed that takes longer is stuck in a loop that no virtual time ends."""


class Stuck(BaseException):
    """The seed takes too long."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("seeds", type=int, nargs="+")
    given = parser.parse_args()
    print(json.dumps({"package": str(Path(routiq_gql.__file__).parent)}), flush=True)
    signal.signal(signal.SIGALRM, _give_up)
    folder = memory_folder("routiq-simulation-")
    try:
        template = make_template(folder)
        gc.collect()
        gc.freeze()
        for seed in given.seeds:
            signal.alarm(LONGEST_SECONDS)
            try:
                error = Simulation(seed, template, folder).run().error
            except Stuck as stuck:
                error = stuck
            signal.alarm(0)
            if error is not None:
                print(json.dumps({"seed": seed, "reason": f"{type(error).__name__}: {error}"}))
                return 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(json.dumps({"seed": None}))
    return 0


def _give_up(_signal: int, _frame: object) -> None:
    raise Stuck(f"The seed has not ended after {LONGEST_SECONDS} s.")


if __name__ == "__main__":
    sys.exit(main())
