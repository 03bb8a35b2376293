"""A planted bug: a small change of a file of the product, and the copy of the repository in which it is planted.

The working tree is never changed. A copy holds the package and the tests; unchanged files are hard links to a first
copy, whose compiled files they share.
"""

import compileall
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = "routiq_gql"
COPIED = (PACKAGE, "tests", "pyproject.toml")
LINKED = ("docs", "examples", "schema.graphql", "Makefile", "README.md", "CHANGELOG.md", "constraints.txt", ".ci")
"""Other files that tests read; the copies have symbolic links to these."""
LEFT_OUT = shutil.ignore_patterns("__pycache__", "node_modules")


class OutdatedMutant(Exception):
    """A mutant no longer fits the code."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """A planted bug.

    Attributes:
        name: For ``make mutants ONLY=…``.
        bug: The wrong behaviour, in a sentence.
        file: The changed file, within the package.
        old: Text of the file that occurs once, and
        new: the text in its place.
        tests: The tests that must find it; empty for the simulator.
    """

    name: str
    bug: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...] = ()

    def mutated(self, root: Path = ROOT) -> str:
        """The changed text of the file.

        Raises:
            OutdatedMutant: The old text does not occur exactly once, or the new text is no Python.
        """
        path = root / PACKAGE / self.file
        if not path.is_file():
            raise OutdatedMutant(f"{self.name}: there is no {PACKAGE}/{self.file}.")
        text = path.read_text()
        count = text.count(self.old)
        if count != 1:
            raise OutdatedMutant(f"{self.name}: its old text occurs {count} times in {PACKAGE}/{self.file}, not once.")
        changed = text.replace(self.old, self.new)
        try:
            compile(changed, str(path), "exec")
        except SyntaxError as error:
            raise OutdatedMutant(f"{self.name}: {PACKAGE}/{self.file} does not compile any more: {error}") from error
        return changed


def make_copy(folder: Path) -> None:
    """Copy the package and the tests, and compile them."""
    folder.mkdir()
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=LEFT_OUT)
        else:
            shutil.copy2(source, folder / name)
    for name in LINKED:
        if (ROOT / name).exists():
            (folder / name).symlink_to(ROOT / name)
    compileall.compile_dir(folder, quiet=2)


def plant(mutant: Mutant, copy: Path, folder: Path) -> None:
    """Make another copy from ``copy``, with the mutant."""
    changed = mutant.mutated(copy)
    shutil.copytree(copy, folder, copy_function=os.link, symlinks=True)
    file = folder / PACKAGE / mutant.file
    file.unlink()
    file.write_text(changed)
    for compiled in (file.parent / "__pycache__").glob(f"{file.stem}.*"):
        compiled.unlink()
