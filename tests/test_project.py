"""The project as a whole: everything is pinned, nothing refers to the machine it was made on, files stay small."""

import json
import os
import re
import subprocess
import tomllib
from importlib.metadata import distributions
from pathlib import Path

import pytest

from tests.machine import leave_out

ROOT = Path(__file__).parent.parent
CONSTRAINTS = (ROOT / "constraints.txt").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())

ADDRESS = re.compile(r"https?://|git\+|file:|--(extra-)?index-url|--find-links", re.IGNORECASE)


def _name(text: str) -> str:
    return re.sub(r"[-_.]+", "-", re.match(r"[\w.-]+", text).group()).lower()


PINNED = {_name(line): line.partition("==")[2] for line in CONSTRAINTS.splitlines() if not line.startswith("#")}


def tracked_files() -> list[Path]:
    """The files that git has or would add; all files of the folder if there is no git."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True
    )
    names = listed.stdout.splitlines()
    return [file for name in names if (file := ROOT / name).is_file() or file.is_symlink()]


def test_every_requirement_is_pinned():
    """A fresh clone installs the versions that the tests ran with, today and in a year."""
    extras = PROJECT["project"].get("optional-dependencies", {}).values()
    required = [*PROJECT["project"]["dependencies"], *(one for extra in extras for one in extra)]
    required = [one for one in required if not one.startswith("routiq-gql[")]
    assert [one for one in required if _name(one) not in PINNED] == []
    assert all(re.fullmatch(r"[\w.+!-]+", version) for version in PINNED.values())


def test_the_installed_versions_are_the_pinned_ones():
    """The tests run with exactly the pinned versions."""
    ours = {"routiq-gql", "pip", "setuptools", "wheel"}
    installed = {_name(found.name): found.version for found in distributions() if _name(found.name) not in ours}
    assert {name: version for name, version in installed.items() if PINNED.get(name) != version} == {}


def test_no_file_says_where_to_download_from():
    """Packages come from the index that the machine is configured for."""
    assert not ADDRESS.search(CONSTRAINTS)
    for lock in (file for file in tracked_files() if file.name == "package-lock.json"):
        packages = json.loads(lock.read_text())["packages"]
        external = {name: package for name, package in packages.items() if not package.get("link")}
        assert [name for name, package in external.items() if "resolved" in package] == [], lock


def test_the_top_level_holds_only_expected_files():
    """The top level holds only the expected files and folders, so the repository is easy to survey."""
    expected = {
        *("pyproject.toml", "README.md", "schema.graphql", "routiq_gql", "tests", "examples"),
        *("Makefile", "LICENSE", "constraints.txt", ".ci", ".gitignore", "CHANGELOG.md", "docs"),
    }
    assert {file.relative_to(ROOT).parts[0] for file in tracked_files()} <= expected


def test_no_file_is_a_link():
    """The repository works from a ZIP and on Windows, where links become text files."""
    assert [file for file in tracked_files() if file.is_symlink()] == []


def test_no_module_is_past_300_lines():
    """No module is longer than 300 lines."""
    long = {
        str(file.relative_to(ROOT)): lines
        for file in (ROOT / "routiq_gql").rglob("*.py")
        if (lines := len(file.read_text().splitlines())) > 300
    }
    assert long == {}


def test_no_file_names_a_home_folder():
    """The project works in any folder."""
    private = re.compile(r"/(home|Users|root|work)/[\w.-]+/")
    found = [
        f"{file.relative_to(ROOT)}: {match.group()}"
        for file in tracked_files()
        if file.suffix in {".py", ".toml", ".md", ".json", ".txt", ".mjs", ".graphql", ".html", ".tsx", ""}
        for match in private.finditer(file.read_text(errors="replace"))
    ]
    assert found == []


def test_the_makefile_and_ci_do_what_the_readme_says():
    """The documented targets exist, and CI runs the checks and the tests."""
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {"demo", "test", "check", "schema", "soak"} <= targets
    ci = ROOT / ".ci" / "run"
    assert os.access(ci, os.X_OK)
    text = ci.read_text()
    assert text.startswith("#!/usr/bin/env bash\n")
    assert "set -euo pipefail" in text
    assert text.index("make check") < text.index("make test")
    assert "CI=true" in text


def test_skipped_tests_name_a_missing_part_and_fail_in_ci(monkeypatch: pytest.MonkeyPatch):
    """A test may be skipped only if a program is missing, and never in CI."""
    for value, outcome in (("true", pytest.fail.Exception), ("", pytest.skip.Exception)):
        monkeypatch.setenv("CI", value)
        with pytest.raises(outcome, match="nginx is not installed"):
            leave_out("nginx is not installed")
    allowed = {ROOT / "tests" / name for name in ("machine.py", "test_project.py")}
    for file in (ROOT / "tests").rglob("*.py"):
        if file not in allowed:
            assert not re.search(r"pytest\.skip|mark\.(skip|skipif|xfail)\b", file.read_text()), file


def test_nothing_is_left_unfinished():
    """The product contains no TODO marks."""
    marks = re.compile(r"\b(TODO|FIXME|XXX|NotImplementedError)\b|pragma: no cover")
    found = [file for file in (ROOT / "routiq_gql").rglob("*.py") if marks.search(file.read_text())]
    assert found == []


def test_files_named_in_docstrings_exist():
    """A reader who follows a docstring or a comment to another file finds that file."""
    modules = [
        file.relative_to(ROOT).as_posix()
        for folder in ("routiq_gql", "tests")
        for file in (ROOT / folder).rglob("*.py")
    ]
    missing = [
        f"{module}: {named}"
        for module in modules
        for named in re.findall(r"``([\w/]+\.py)``", (ROOT / module).read_text())
        if not any(f"/{one}".endswith(f"/{named}") for one in modules)
    ]
    assert missing == []
