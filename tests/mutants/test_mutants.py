"""The planted bugs still fit the product, a copy with one of them is searched, and the docs list all of them."""

import re
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tests.mutants import hunt
from tests.mutants.__main__ import SEEDS
from tests.mutants.hunt import Found, NotSearched, Run
from tests.mutants.mutant import PACKAGE, ROOT, Mutant, OutdatedMutant, plant
from tests.mutants.mutants import MUTANTS
from tests.mutants.seeds import FINDING_SEEDS

ONE = Mutant("one", "", "waiting.py", "        return False\n\n\nclass", "        return True\n\n\nclass")


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_planted_bug_still_fits_the_code(mutant: Mutant):
    """A planted bug whose place was changed is planted anew, and not forgotten."""
    assert mutant.mutated() != (ROOT / PACKAGE / mutant.file).read_text()


def test_a_bug_that_no_longer_fits_is_named():
    """A developer who has changed a line reads which planted bug has to follow, and where."""
    with pytest.raises(OutdatedMutant, match=r"one: its old text occurs 0 times in routiq_gql/waiting.py"):
        replace(ONE, old="no such text").mutated()
    with pytest.raises(OutdatedMutant, match=r"one: its old text occurs \d+ times"):
        replace(ONE, old="e").mutated()
    with pytest.raises(OutdatedMutant, match=r"one: there is no routiq_gql/gone.py"):
        replace(ONE, file="gone.py").mutated()
    with pytest.raises(OutdatedMutant, match=r"one: routiq_gql/waiting.py does not compile"):
        replace(ONE, new="        return (\n\n\nclass").mutated()


def test_a_bug_is_planted_in_a_copy_only(tmp_path: Path):
    """Planting bugs changes nothing of the product that people use."""
    before = (ROOT / PACKAGE / ONE.file).read_text()
    copy = tmp_path / "copy"
    (copy / PACKAGE).mkdir(parents=True)
    for name in ("waiting.py", "clock.py"):
        shutil.copy2(ROOT / PACKAGE / name, copy / PACKAGE / name)
    plant(ONE, copy, tmp_path / "mutant")
    assert (tmp_path / "mutant" / PACKAGE / ONE.file).read_text() == ONE.mutated()
    assert (copy / PACKAGE / ONE.file).read_text() == before
    assert (ROOT / PACKAGE / ONE.file).read_text() == before
    assert (tmp_path / "mutant" / PACKAGE / "clock.py").stat().st_ino == (copy / PACKAGE / "clock.py").stat().st_ino


def test_the_named_tests_exist():
    """A planted bug is searched by tests that were not renamed."""
    for mutant in MUTANTS:
        for test in mutant.tests:
            file, _, name = test.partition("::")
            assert re.search(rf"^(?:async )?def {name}\(", (ROOT / file).read_text(), re.MULTILINE), test


def test_the_kinds_of_bugs_are_many():
    """The score says something about the whole product, as bugs are planted in all its parts."""
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS) >= 24
    assert {mutant.file.partition("/")[0] for mutant in MUTANTS} >= {"sync", "database", "cliniko", "live", "security"}
    assert sum(not mutant.tests for mutant in MUTANTS) >= 20


class Outputs:
    """Runs nothing, and returns these outputs instead."""

    def __init__(self, *outputs: str) -> None:
        self._outputs = iter(outputs)

    def run(self, _copy: Path, _module: str, _arguments: Sequence[str]) -> Run:
        return Run(1, next(self._outputs), "")


def test_a_search_that_did_not_run_is_no_result(tmp_path: Path):
    """A search that has failed to start neither finds a bug nor lets it survive."""
    outputs = Outputs("", '{"package": "/elsewhere/routiq_gql"}\n{"seed": 3, "reason": "less"}\n')
    for _ in range(2):
        with pytest.raises(NotSearched):
            hunt.simulate(outputs, tmp_path, range(10))


def test_a_seed_that_finds_a_bug_is_read(tmp_path: Path):
    """The score names the seed with which a developer can look at a bug."""
    output = f'{{"package": "{tmp_path / PACKAGE}"}}\n{{"seed": 3, "reason": "less: a row"}}\n'
    found = hunt.simulate(Outputs(output), tmp_path, range(10))
    assert replace(found, seconds=0) == Found("seed 3", "less: a row", 0, 3)


def test_known_seeds_are_of_simulated_bugs():
    """A seed that is played first belongs to a bug that the simulator searches for, among all its seeds."""
    assert FINDING_SEEDS.keys() <= {mutant.name for mutant in MUTANTS if not mutant.tests}
    assert all(1 <= seed <= SEEDS for seed in FINDING_SEEDS.values())


def test_a_test_that_finds_a_bug_is_read_with_its_parameters():
    """The score names the test that has failed, also if its parameters hold spaces."""
    lines = "FAILED a.py::test\nERROR a.py::test[x] - E: y[z]\nFAILED a.py::test[sqlite-(0, 1)] - E: y"
    lines += "\nFAILED a.py::test[a look]"
    found = [one.groups() for one in hunt.FAILED.finditer(lines)]
    assert found == [
        ("a.py::test", None),
        ("a.py::test[x]", "E: y[z]"),
        ("a.py::test[sqlite-(0, 1)]", "E: y"),
        ("a.py::test[a look]", None),
    ]


def test_the_page_lists_the_planted_bugs():
    """An engineer who reads the score reads which bugs it is about, and what finds each of them."""
    page = (ROOT / "docs" / "proof.md").read_text()
    assert f"{len(MUTANTS)} of {len(MUTANTS)} planted bugs found" in page
    assert [line for mutant in MUTANTS if (line := _line(mutant)) not in page] == []
    assert page.count("| the simulator |") == sum(not mutant.tests for mutant in MUTANTS)


def _line(mutant: Mutant) -> str:
    by = ", ".join(f"`{test.partition('::')[0].removeprefix('tests/')}`" for test in mutant.tests) or "the simulator"
    return f"| {mutant.bug} | `{mutant.file}` | {by} |"
