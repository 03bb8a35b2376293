"""The page in every form of the package: a downloaded ZIP, an editable installation, a wheel, a wheel of the sdist."""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.test_project import ROOT, tracked_files

PAGE = "examples/sync_dashboard.html"
FOREIGN = ("tests/", "docs/")

SHOW_PAGE = """
from pathlib import Path
from starlette.testclient import TestClient
from routiq_gql import app, settings
with TestClient(app.create_app(settings.load_settings()), base_url="http://127.0.0.1") as client:
    Path("page.html").write_text(client.get("/").raise_for_status().text, encoding="utf-8")
    Path("module.txt").write_text(app.__file__, encoding="utf-8")
"""


def _run(*command: str | Path, **options: str | Path) -> None:
    """Run a command to its end. ``PYTHONPATH`` brings what the product depends on, and not the product itself."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("ROUTIQ_", "PYTHON"))}
    environment["PYTHONPATH"] = options.pop("path", sysconfig.get_path("purelib"))
    done = subprocess.run(list(map(str, command)), env=environment, capture_output=True, text=True, **options)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def builder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the program that builds the package."""
    folder = tmp_path_factory.mktemp("builder")
    _run(sys.executable, "-m", "pip", "install", "--quiet", "--target", folder, "hatchling", "editables")
    return folder


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """The repository as a ZIP of it is unpacked: plain files, and no git."""
    for file in tracked_files():
        name = file.relative_to(ROOT).as_posix()
        if not name.startswith(FOREIGN):
            (tmp_path / "zip" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, tmp_path / "zip" / name)
    return tmp_path / "zip"


@pytest.mark.parametrize("form", ["zip", "editable", "wheel", "sdist"])
def test_every_form_of_the_package_shows_the_page(form: str, source: Path, builder: Path, tmp_path: Path):
    """The address of the server shows the dashboard, however the product was installed."""
    venv = tmp_path / "venv"
    _run(sys.executable, "-m", "venv", "--without-pip", venv)
    pip = (sys.executable, "-m", "pip", "--python", venv / "bin" / "python")
    hatchling = (sys.executable, "-m", "hatchling", "build", "-d", tmp_path / "dist", "-t")
    folder = tmp_path
    if form == "zip":
        folder = source
    elif form == "editable":
        _run(*pip, "install", "--no-deps", "--no-build-isolation", "-e", source, path=builder)
    else:
        if form == "sdist":
            _run(*hatchling, "sdist", cwd=source, path=builder)
            shutil.unpack_archive(next((tmp_path / "dist").glob("*.tar.gz")), tmp_path / "unpacked", filter="data")
            source = next((tmp_path / "unpacked").iterdir())
        _run(*hatchling, "wheel", cwd=source, path=builder)
        _run(*pip, "install", "--no-deps", next((tmp_path / "dist").glob("*.whl")))
    _run(venv / "bin" / "python", "-c", SHOW_PAGE, cwd=folder)
    page = (folder / "page.html").read_text(encoding="utf-8")
    assert Path((folder / "module.txt").read_text()).is_relative_to(venv if form in {"wheel", "sdist"} else source)
    as_shown = page.replace('"routiq-server" content="this"', '"routiq-server" content=""')
    as_shown = as_shown.replace('"routiq-windows" content="30 30"', '"routiq-windows" content=""')
    assert as_shown == (ROOT / PAGE).read_text(encoding="utf-8")
