"""Bugs are searched in processes that run the package and the tests of a copy."""

import json
from pathlib import Path

import pytest

from tests.mutants import running
from tests.mutants.hunt import NotSearched
from tests.mutants.mutant import PACKAGE
from tests.mutants.running import CopyRunner

SHOWN = """
import json, os, sys
before = [name for name in ("sqlalchemy", "routiq_gql") if name in sys.modules]
import routiq_gql
print(json.dumps({"package": os.path.dirname(routiq_gql.__file__), "folder": os.getcwd(), "imported": before}))
print("error", sys.argv[1], file=sys.stderr)
sys.exit(int(sys.argv[1]))
"""


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> CopyRunner:
    return CopyRunner(tmp_path_factory.mktemp("outputs"), ["json", "sqlalchemy", "tests.no_such_module"])


def test_a_copy_runs_its_own_package(runner: CopyRunner, tmp_path: Path):
    """A bug in a copy is searched in this copy: its package and its tests run there, and not those of the developer."""
    copy = tmp_path / "copy"
    (copy / PACKAGE).mkdir(parents=True)
    (copy / PACKAGE / "__init__.py").touch()
    (copy / "tests").mkdir()
    (copy / "tests" / "shown.py").write_text(SHOWN)
    for code in (0, 3):
        done = runner.run(copy, "tests.shown", [str(code)])
        assert (done.code, done.stderr) == (code, f"error {code}\n")
        shown = json.loads(done.stdout)
        assert shown == {"package": str(copy / PACKAGE), "folder": str(copy), "imported": ["sqlalchemy"]}


def test_a_search_without_end_is_no_result(runner: CopyRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A bug that stops its search is not counted as found, and its process ends."""
    monkeypatch.setattr(running, "LIMIT_SECONDS", 0.5)
    with pytest.raises(NotSearched, match=r"has not ended within 0\.5 s"):
        runner.run(tmp_path, "http.server", ["0", "--bind", "127.0.0.1"])
