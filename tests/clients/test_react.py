"""The React component without a browser: its types, its tests, and its folder copied into another app."""

import re
from pathlib import Path

import pytest

from tests.node_projects import INSTALL_SECONDS, REACT, ROOT, app_with_component, installed, run, tool

pytestmark = pytest.mark.timeout(2 * INSTALL_SECONDS)


def test_its_types_are_sound():
    """TypeScript in its strictest mode finds no error."""
    folder = installed(REACT)
    run(tool(folder, "tsc"), "--noEmit", folder=folder)


def test_the_tests_of_the_component_pass():
    """The component and its hook work with a server over real sockets; see examples/react/test/."""
    folder = installed(REACT)
    printed = run(tool(folder, "vitest"), "run", "--reporter=verbose", folder=folder, seconds=INSTALL_SECONDS)
    assert "StrictMode mounts twice and opens one socket" in printed


def test_the_copied_folder_builds_in_a_new_app(tmp_path: Path):
    """A person copies the folder that README and docs name into a new app, and the app's own build accepts it."""
    for page in ("README.md", "docs/clients.md"):
        assert "Copy the folder `examples/react/src`" in (ROOT / page).read_text()
    app = app_with_component(tmp_path / "app")
    run("npm", "run", "build", folder=app)
    styles = "".join(file.read_text() for file in (app / "dist" / "assets").glob("*.css"))
    assert ".routiq" in styles
    assert "light-dark(" in styles, "replaced by prefers-color-scheme, which is not what the app is like"


@pytest.mark.parametrize("config", ["tsconfig.strict.json", "tsconfig.react-18.json"])
def test_the_copied_folder_suits_stricter_and_older_apps(tmp_path: Path, config: str):
    """It compiles with every check of TypeScript, without Vite's types, and with those of React 18."""
    app = app_with_component(tmp_path / "app")
    run(tool(app, "tsc"), "-p", config, folder=app)


def test_the_copied_folder_needs_only_what_the_readme_installs():
    """No file in the folder imports another package, or a file outside the folder."""
    for file in (REACT / "src").rglob("*.ts*"):
        for name in re.findall(r"(?:\bfrom|^import) '([^']+)';$", file.read_text(), re.MULTILINE):
            if name.startswith("."):
                assert (file.parent / name).resolve().is_relative_to(REACT / "src"), f"{file.name} imports {name}"
            else:
                assert name in {"react", "graphql-ws"}, f"{file.name} imports {name}"


def test_every_colour_is_documented():
    """The table for authors of clients lists each custom property that the component's styles read, and no other."""
    used = set(re.findall(r"var\((--routiq-[a-z-]+)", (REACT / "src" / "SyncDashboard.css").read_text()))
    assert used == set(re.findall(r"`(--routiq-[a-z-]+)`", (ROOT / "docs" / "clients.md").read_text()))
