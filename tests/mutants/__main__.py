"""``make mutants``: plants each bug in a copy of the product, and prints the seed or the test that finds it.

First the same tests must pass without a bug. A seed that finds a bug must pass without it, too. Exits with 1 if a bug
survives. With ``--file`` it plants the ``MUTANTS`` of another Python file.
"""

import argparse
import os
import runpy
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

from tests.mutants import hunt
from tests.mutants.hunt import Found, NotSearched
from tests.mutants.mutant import Mutant, OutdatedMutant, make_copy, plant
from tests.mutants.mutants import MUTANTS
from tests.mutants.running import CopyRunner, imported_by_tests
from tests.mutants.seeds import FINDING_SEEDS

SEEDS = 2_000


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("only", nargs="*", help="plant only the bugs with these names")
    parser.add_argument("--seeds", type=int, default=SEEDS, help="how many seeds search for a bug")
    parser.add_argument("--from-the-first", action="store_true", help="begin with seed 1 instead of the known seed")
    parser.add_argument("--file", help="a Python file with MUTANTS in place of ours")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="searches at the same time")
    given = parser.parse_args()
    known = runpy.run_path(given.file)["MUTANTS"] if given.file else MUTANTS
    wanted = [one for one in known if not given.only or one.name in given.only]
    if unknown := set(given.only) - {one.name for one in known}:
        parser.error(f"there is no bug with the name {', '.join(sorted(unknown))}")
    finding = {} if given.file or given.from_the_first else FINDING_SEEDS
    os.environ["PYTHONHASHSEED"] = "0"  # for the processes that search
    with tempfile.TemporaryDirectory(prefix="routiq-mutants-") as folder:
        try:
            return Hunt(Path(folder), given.seeds, given.workers, finding).run(wanted)
        except (OutdatedMutant, NotSearched) as error:
            print(error)
            return 2


class Hunt:
    """A search for several bugs in copies below a folder. Simulated ones begin with their seed in ``finding``."""

    def __init__(self, folder: Path, seeds: int, workers: int, finding: Mapping[str, int]) -> None:
        self._folder = folder
        self._seeds = seeds
        self._workers = workers
        self._finding = finding
        self._unchanged = folder / "unchanged"
        self._runner: CopyRunner
        self._simulate_unchanged = cache(self._simulate_once)
        self._one_at_a_time = threading.Lock()

    def run(self, mutants: Sequence[Mutant]) -> int:
        """Search for all of them, and print the score."""
        began = time.monotonic()
        for one in mutants:
            one.mutated()
        make_copy(self._unchanged)
        (self._folder / "outputs").mkdir()
        self._runner = CopyRunner(self._folder / "outputs", imported_by_tests(self._unchanged))
        with ThreadPoolExecutor(self._workers) as pool:
            if problems := self._check_unchanged(mutants, pool):
                print("\n".join(f"Without a planted bug: {one}" for one in problems))
                return 2
            print(f"Without a bug all tests pass. {len(mutants)} bugs are planted, one at a time.", flush=True)
            found = list(pool.map(self._search, mutants))
        score = sum(one.by is not None for one in found)
        print(f"{score} of {len(mutants)} planted bugs found in {time.monotonic() - began:.0f} s")
        return int(score < len(mutants) or not mutants)

    def _check_unchanged(self, mutants: Sequence[Mutant], pool: ThreadPoolExecutor) -> list[str]:
        tests = sorted({test for one in mutants for test in one.tests})
        parts = [tests[number :: self._workers] for number in range(self._workers)]
        results = pool.map(lambda part: hunt.test(self._runner, self._unchanged, part), filter(None, parts))
        return [f"{one.by} fails: {one.reason}" for one in results if one.by is not None]

    def _search(self, mutant: Mutant) -> Found:
        copy = self._folder / mutant.name
        try:
            plant(mutant, self._unchanged, copy)
            found = hunt.search(self._runner, mutant, copy, self._seeds, self._finding.get(mutant.name))
            if found.seed is not None:
                with self._one_at_a_time:
                    before = self._simulate_unchanged(found.seed)
                if before.by is not None:
                    raise NotSearched(f"Without a planted bug: {before.by} fails: {before.reason}")
        except NotSearched as problem:
            print(f"{mutant.name}: NOT SEARCHED\n    {problem}", flush=True)
            return Found(None, str(problem), 0.0)
        shown = f"found by {found.by} after {found.seconds:.0f} s" if found.by else f"SURVIVES {found.seconds:.0f} s"
        print(f"{mutant.name}: {shown}\n    {mutant.bug}\n    {found.reason[:160]}", flush=True)
        return found

    def _simulate_once(self, seed: int) -> Found:
        return hunt.simulate(self._runner, self._unchanged, [seed])


if __name__ == "__main__":
    sys.exit(main())
