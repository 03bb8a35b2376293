"""Searches for planted bugs with the simulator or with tests, each in a process whose package is the copy."""

import json
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tests.mutants.mutant import PACKAGE, Mutant

FIRST_SEED = 1
FAILED = re.compile(r"^(?:FAILED|ERROR) (\S+?(?:\[.*?\])?)(?: - (.*))?$", re.MULTILINE)
"""A failed test, whose parameters may hold spaces, and the reason if it fits the line."""
ALREADY_IMPORTED = ("-W", "ignore::pytest.PytestAssertRewriteWarning")
"""Plugins of pytest were imported before the fork; their own assertions are not explained then."""
POSTGRES = "tests/engines/postgres/"
"""Only these tests need PostgreSQL; the others run on SQLite."""


class NotSearched(Exception):
    """The search itself has failed, so it shows nothing."""


@dataclass(frozen=True, slots=True)
class Run:
    """A process that has ended, with its exit code and its output."""

    code: int
    stdout: str
    stderr: str


class Runner(Protocol):
    """Runs ``python -m MODULE ARGUMENTS`` in the folder of a copy, with the package of this copy."""

    def run(self, copy: Path, module: str, arguments: Sequence[str]) -> Run: ...


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


def simulate(runner: Runner, copy: Path, seeds: Sequence[int]) -> Found:
    """Play seeds with the package of this copy until one fails.

    Raises:
        NotSearched: The simulator could not begin, or has not ended within its time.
    """
    began = time.monotonic()
    done = runner.run(copy, "tests.mutants.search", [str(seed) for seed in seeds])
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    if len(lines) != 2 or lines[0]["package"] != str(copy / PACKAGE):
        raise NotSearched(f"The simulator has not run: {done.stdout[-500:]}{done.stderr[-1500:]}")
    result, seconds = lines[1], time.monotonic() - began
    if result["seed"] is None:
        return Found(None, "", seconds)
    return Found(f"seed {result['seed']}", result["reason"], seconds, result["seed"])


def test(runner: Runner, copy: Path, tests: Sequence[str]) -> Found:
    """Run tests with the package of this copy until one fails.

    Raises:
        NotSearched: The tests were not found, could not be run, or have not ended within their time.
    """
    began = time.monotonic()
    options = ["-x", "-q", "-p", "no:cacheprovider", "-p", "tests.mutants.imported"]
    if not any(one.startswith(POSTGRES) for one in tests):
        options += ["-m", "not postgres"]
    done = runner.run(copy, "pytest", [*options, *ALREADY_IMPORTED, *tests])
    seconds = time.monotonic() - began
    if done.code == 0:
        return Found(None, "", seconds)
    failed = FAILED.search(done.stdout)
    if done.code != 1 or failed is None:
        raise NotSearched(f"The tests have not run: {done.stdout[-2500:]}{done.stderr[-500:]}")
    return Found(failed[1], failed[2] or "", seconds)


def search(runner: Runner, mutant: Mutant, copy: Path, seeds: int, first: int | None) -> Found:
    """Search for a mutant in its copy. The simulator plays the seed ``first`` before all others."""
    if mutant.tests:
        return test(runner, copy, mutant.tests)
    others = range(FIRST_SEED, FIRST_SEED + seeds)
    return simulate(runner, copy, others if first is None else [first, *others])
