"""The React component without a browser: its types, its tests, and its package installed in other apps."""

import json
import re
import tarfile
from pathlib import Path

import pytest

from tests.node_projects import CLIENT, INSTALL_SECONDS, REACT, ROOT, app_with_package, installed, packed, run, tool
from tests.test_project import PROJECT

pytestmark = pytest.mark.timeout(2 * INSTALL_SECONDS)


def test_its_types_and_style_are_sound():
    """TypeScript in its strictest mode finds no error, and ESLint none with the rules of the shared sources."""
    folder = installed(REACT)
    run(tool(folder, "tsc"), "--noEmit", folder=folder)
    run(
        tool(installed(CLIENT), "eslint"),
        "-c",
        "client/eslint.config.js",
        "react/src",
        folder=folder.parent,
        seconds=INSTALL_SECONDS,
    )


def test_the_tests_of_the_component_pass():
    """The component and its hook work with a server over real sockets; see examples/react/test/."""
    folder = installed(REACT)
    printed = run(tool(folder, "vitest"), "run", "--reporter=verbose", folder=folder, seconds=INSTALL_SECONDS)
    assert "StrictMode mounts twice and opens one socket" in printed


def test_the_package_builds_in_a_new_app(tmp_path: Path, shared_folder: Path):
    """A person installs the package in a new app, and the app's own build accepts it."""
    app = app_with_package(tmp_path / "app", shared_folder)
    run("npm", "run", "build", folder=app)
    styles = "".join(file.read_text() for file in (app / "dist" / "assets").glob("*.css"))
    assert ".routiq" in styles
    assert "light-dark(" in styles, "replaced by prefers-color-scheme, which is not what the app is like"


@pytest.mark.parametrize("config", ["tsconfig.strict.json", "tsconfig.react-18.json", "tsconfig.nodenext.json"])
def test_the_declarations_suit_stricter_and_older_apps(tmp_path: Path, shared_folder: Path, config: str):
    """They compile with every check of TypeScript, with the types of React 18, and with Node.js's rules for modules."""
    app = app_with_package(tmp_path / "app", shared_folder)
    run(tool(app, "tsc"), "-p", config, folder=app)


def test_the_package_needs_nothing_but_react(shared_folder: Path):
    """Everything else is inside: the package has no dependency, and no file of it imports another package."""
    with tarfile.open(packed(REACT, shared_folder)) as tarball:
        files = {name: tarball.extractfile(name).read().decode() for name in tarball.getnames()}
    package = json.loads(files["package/package.json"])
    assert ("dependencies" in package, set(package["peerDependencies"])) == (False, {"react"})
    assert package["version"] == PROJECT["project"]["version"]
    assert files["package/dist/index.js"].startswith('"use client";\n')
    assert "package/README.md" in files
    for entry in package["exports"].values():
        for file in entry.values() if isinstance(entry, dict) else [entry]:
            assert file.replace("./", "package/", 1) in files
    for name, text in files.items():
        if name.endswith((".js", ".d.ts")):
            imported = re.findall(r"""^(?:import|export)\b[^;]*?\bfrom ['"]([^'"]+)['"];$""", text, re.MULTILINE)
            assert {one for one in imported if not one.startswith(".")} <= {"react", "react/jsx-runtime"}, name


def test_readme_and_docs_say_how_to_install_the_package():
    """The commands in the documents are the commands that these tests run."""
    for page in ("README.md", "docs/clients.md", "examples/react/README.md"):
        text = (ROOT / page).read_text()
        assert "npm ci && npm pack" in text, page
        assert "import 'routiq-gql-react/style.css';" in text, page


def test_every_colour_is_documented():
    """The table for authors of clients lists each custom property that the component's styles read, and no other."""
    used = set(re.findall(r"var\((--routiq-[a-z-]+)", (REACT / "src" / "SyncDashboard.css").read_text()))
    assert used == set(re.findall(r"`(--routiq-[a-z-]+)`", (ROOT / "docs" / "clients.md").read_text()))
