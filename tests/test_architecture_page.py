"""The page about the architecture is true: its layers are those of the import contract, and its names exist."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "architecture.md").read_text()

NAMED_IN = re.compile(r"`([\w.]+)` in\s+`(routiq_gql/[\w/]+\.py)`")
"""A name together with the file that defines it, such as `` `SyncRun` in `routiq_gql/sync/run.py` ``."""


def _layers() -> list[set[str]]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    contract = next(one for one in project["tool"]["importlinter"]["contracts"] if one.get("exhaustive"))
    return [set(re.split(r"\s*[:|]\s*", layer)) for layer in contract["layers"]]


def test_the_table_of_parts_is_the_import_contract():
    """The page lists every package in the order in which they may import each other, and no other package."""
    section = PAGE.partition("\n## The parts, and who may import whom\n")[2].partition("\n## ")[0]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    shown = [re.findall(r"`(\w+)`", row) for row in rows]
    assert [set(row) for row in shown] == _layers()
    for name in (name for row in shown for name in row):
        assert any((ROOT / "routiq_gql" / f"{name}{ending}").exists() for ending in (".py", "/__init__.py")), name


def test_each_name_is_in_the_file_that_the_page_says():
    """A reader who opens a file that the page names finds the class or function there."""
    named = NAMED_IN.findall(PAGE)
    assert len(named) >= 5
    missing = []
    for name, path in named:
        text = (ROOT / path).read_text()
        for part in name.split("."):
            if not re.search(rf"^\s*(?:(?:async )?def|class) {part}\b|^\s*{part}\b(?:: [^=]+)? = ", text, re.MULTILINE):
                missing.append(f"{name} in {path}")
    assert missing == []
