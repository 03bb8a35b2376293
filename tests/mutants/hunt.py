"""Searches for planted bugs with the simulator or with tests, each in a process whose package is the copy."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.mutants.mutant import PACKAGE, Mutant

FIRST_SEED = 1
CHECKED_SEEDS = 20
"""So many seeds must pass without a planted bug before the search. A later seed is checked when it finds a bug."""
LIMIT_SECONDS = 3_600
FAILED = re.compile(r"^(?:FAILED|ERROR) (\S+?(?:\[.*?\])?)(?: - (.*))?$", re.MULTILINE)
"""A failed test, whose parameters may hold spaces, and the reason if it fits the line."""
POSTGRES = "tests/engines/postgres/"
"""Only these tests need PostgreSQL; the others run on SQLite."""


class NotSearched(Exception):
    """The search itself has failed, so it shows nothing."""


@dataclass(frozen=True, slots=True)
class Found:
    """A search.

    Attributes:
        by: The seed or the test that found the bug; ``None`` if it survived.
        reason: The violated promise, or the failure of the test.
        seconds: Wall-clock time.
        seed: The seed, if the simulator found it.
    """

    by: str | None
    reason: str
    seconds: float
    seed: int | None = None


def simulate(copy: Path, seeds: int, first: int = FIRST_SEED) -> Found:
    """Play seeds with the package of this copy until one fails.

    Raises:
        NotSearched: The simulator could not begin.
    """
    began = time.monotonic()
    done = _run(copy, ["-m", "tests.mutants.search", str(first), str(seeds)])
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    if len(lines) != 2 or lines[0]["package"] != str(copy / PACKAGE):
        raise NotSearched(f"The simulator has not run: {done.stdout[-500:]}{done.stderr[-1500:]}")
    result, seconds = lines[1], time.monotonic() - began
    if result["seed"] is None:
        return Found(None, "", seconds)
    return Found(f"seed {result['seed']}", result["reason"], seconds, result["seed"])


def test(copy: Path, tests: Sequence[str]) -> Found:
    """Run tests with the package of this copy until one fails.

    Raises:
        NotSearched: The tests were not found, or could not be run.
    """
    began = time.monotonic()
    command = ["-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-p", "tests.mutants.imported"]
    if not any(one.startswith(POSTGRES) for one in tests):
        command += ["-m", "not postgres"]
    command += tests
    done = _run(copy, command)
    seconds = time.monotonic() - began
    if done.returncode == 0:
        return Found(None, "", seconds)
    failed = FAILED.search(done.stdout)
    if done.returncode != 1 or failed is None:
        raise NotSearched(f"The tests have not run: {done.stdout[-2500:]}{done.stderr[-500:]}")
    return Found(failed[1], failed[2] or "", seconds)


def search(mutant: Mutant, copy: Path, seeds: int) -> Found:
    """Search for a mutant in its copy."""
    return test(copy, mutant.tests) if mutant.tests else simulate(copy, seeds)


def _run(copy: Path, arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(copy), "PYTHONHASHSEED": "0", "ROUTIQ_MUTANT_COPY": str(copy)}
    return subprocess.run(
        [sys.executable, *arguments], cwd=copy, env=environment, capture_output=True, text=True, timeout=LIMIT_SECONDS
    )
