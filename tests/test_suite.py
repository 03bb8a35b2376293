"""The division of tests among the targets of the Makefile, and the steps of CI."""

import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import psycopg
import pytest

from tests import kinds, order
from tests.ports import free_port
from tests.postgres import SharedServer

ROOT = Path(__file__).parent.parent
MAKEFILE = (ROOT / "Makefile").read_text()
SELECTED = dict(re.findall(r"^([a-z-]+):.*\n\t\$\(PYTEST\w*\) -m \"?([a-z ]+?)\"? (?:-|\$)", MAKEFILE, re.MULTILINE))
"""Each target, and the markers it selects."""
MARKERS = ("apps", "browser", "long", "postgres", "processes", "server", "slow", "soak")


def _selects(target: str, markers: set[str]) -> bool:
    return bool(eval(SELECTED[target], {marker: marker in markers for marker in MARKERS}))


def test_every_test_belongs_to_one_target():
    """Exactly one of `make test`, `make test-long`, `make test-apps` and `make soak` runs each test."""
    for present in product((False, True), repeat=len(MARKERS)):
        markers = {marker for marker, is_present in zip(MARKERS, present, strict=True) if is_present}
        running = [target for target in ("test", "test-long", "test-apps", "soak") if _selects(target, markers)]
        assert len(running) == 1, (markers, running)
        assert _selects("test-postgres", markers) == any(_selects(target, markers) for target in ("test", "test-long"))
        assert _selects("test-fast", markers) == (markers == set())


def test_ci_runs_the_checks_and_all_tests_but_soak():
    """A change is accepted only after checks, tests, long searches and other people's clients have passed."""
    lines = (ROOT / ".ci" / "run").read_text().splitlines()
    assert [line for line in lines if line.startswith("make ")] == [
        "make check",
        "make test",
        "make test-long",
        "make test-apps",
    ]


def test_tests_are_marked_by_what_they_use(request: pytest.FixtureRequest):
    """The folder, the fixtures and the imports of a test determine its markers."""
    for item in request.session.items:
        folder = item.path.relative_to(ROOT / "tests").parts[0]
        markers = {mark.name for mark in item.iter_markers()}
        assert ("apps" in markers) >= (folder in {"apps", "clients"}), item.nodeid
        assert ("browser" in markers) >= (folder == "browser" and "open_page" in item.fixturenames), item.nodeid
        assert ("postgres" in markers) >= ("postgres_only" in markers), item.nodeid
        repeated = "both_databases" in markers and item.nodeid.endswith("]") and "postgres" in markers
        assert ("long" in markers) >= (repeated and "postgres_only" not in markers), item.nodeid


def test_slow_tests_are_started_first():
    """No worker begins a long test while the others have nothing left to do."""
    assert order.blocks(["S1", "S2", "S3", "S4"], "abcdef", 3) == [
        ["S1", "S4", "a"],
        ["S2", "b", "c"],
        ["S3", "d", "e", "f"],
    ]
    assert order.blocks(["S1", "S2"], "", 3) == [["S1"], ["S2"], []]


def test_the_files_of_slow_and_long_tests_exist():
    """A file that is renamed stays in its list."""
    assert all((ROOT / "tests" / name).is_file() for name in (*kinds.SLOW_FILES, *kinds.LONG_FILES))


def test_long_tests_exist():
    """A test that is renamed stays in its list."""
    assert not set(kinds.LONG_TESTS) & set(kinds.LONG_CASES)
    for test in (*kinds.LONG_TESTS, *kinds.LONG_CASES):
        file, _, name = test.partition("::")
        assert re.search(rf"^ *(async )?def {name}\(", (ROOT / "tests" / file).read_text(), re.MULTILINE), test


@pytest.mark.parametrize("indices", [None, {"database_kind": 0}, {"seed": 0}, {"seed": 1}, {"seed": 0, "mode": 2}])
def test_make_test_runs_the_first_of_long_cases(indices: dict[str, int] | None):
    """`make test-long` runs the other cases, and all cases of a long test; a database is no case."""
    case = {} if indices is None else {"callspec": SimpleNamespace(indices=indices)}

    def is_long(test: str) -> bool:
        file, _, name = test.partition("::")
        return kinds.is_long(cast(pytest.Item, SimpleNamespace(originalname=name, **case)), file)

    assert is_long(kinds.LONG_TESTS[0])
    assert is_long(kinds.LONG_CASES[0]) == any((indices or {}).values())
    assert not is_long(f"{kinds.LONG_TESTS[0]}_and_others")


def test_packages_of_npm_are_installed_for_tests_of_apps_only():
    """`make test` needs no npm: only tests of `make test-apps` install packages."""
    names = ("conftest.py", "node_projects.py", "client_apps.py", "test_suite.py", "bench/live/node.py")
    shared = {ROOT / "tests" / name for name in names}
    installing = re.compile(
        r"import .*\binstalled\b|node_projects\.installed|\b(?:app_with_package|prepared_app|copied_app)\("
    )
    for file in (ROOT / "tests").rglob("*.py"):
        if file not in shared and file.relative_to(ROOT / "tests").parts[0] not in kinds.APP_FOLDERS:
            text = file.read_text()
            assert not installing.search(text) or "npm: object" in text, file


def test_a_process_that_no_marker_announces_is_refused(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch):
    """A slow test can't get into `make test-fast`: it fails, with advice."""
    guard = kinds.ProcessGuard()
    monkeypatch.setattr(guard, "item", request.node)
    with pytest.raises(pytest.fail.Exception, match="starts a process"):
        subprocess.run([sys.executable, "-c", ""])
    monkeypatch.undo()
    subprocess.run([sys.executable, "-c", ""])


def test_ports_for_restarts_are_given_to_no_other_test():
    """A server that is stopped for a moment finds its port free again, although other tests run meanwhile."""
    lowest_of_the_kernel = 32_768  # of the kernel's ephemeral range; on macOS 49,152
    assert all(1024 < free_port() < lowest_of_the_kernel for _ in range(20))


def test_all_workers_use_one_postgresql(tmp_path: Path):
    """Workers that start at the same moment share a server and its template, which are removed afterwards."""
    with ThreadPoolExecutor() as workers:
        first, second = workers.map(lambda _: SharedServer(tmp_path).databases(), range(2))
    assert first.template == second.template
    with psycopg.connect(_libpq_url(second.create(second.template))) as connection:
        assert connection.execute("SELECT count(*) FROM alembic_version").fetchone() == (1,)
    second.drop_all()
    SharedServer(tmp_path).close()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(_libpq_url(first.url_of(first.template)))


def _libpq_url(url: str) -> str:
    return url.replace("+psycopg", "")
