"""The pages and apps in which tests show the custom element, each with the package as ``npm pack`` makes it."""

import shutil
import tarfile
from pathlib import Path

from filelock import FileLock

from tests.node_projects import ELEMENT, INSTALL_SECONDS, ROOT, VITE_APP, packed, prepared_app, run

APPS = ROOT / "tests" / "apps"
NAMES = ("plain", "vue", "svelte", "react")
"""A page without a build, and an app of each framework; that of React is the Vite app with another component."""


def built_page(name: str, shared: Path) -> Path:
    """The folder with the built page, made once for each ``shared`` folder of a test run."""
    page = shared / f"element-in-{name}"
    with FileLock(f"{page}.lock"):
        if not page.exists():
            made = shared / f"element-in-{name}-unfinished"
            if name == "plain":
                _put_script_beside(APPS / name, shared, made)
            else:
                shutil.copytree(_built_app(name, shared) / "dist", made)
            made.rename(page)
    return page


def _put_script_beside(source: Path, shared: Path, made: Path) -> None:
    shutil.copytree(source, made)
    with tarfile.open(packed(ELEMENT, shared)) as tarball:
        (made / "routiq-sync.js").write_bytes(tarball.extractfile("package/routiq-sync.js").read())


def _built_app(name: str, shared: Path) -> Path:
    """The app after its own `npm run build`, which checks its types, too."""
    folder = prepared_app(VITE_APP if name == "react" else APPS / name, shared, ELEMENT)
    if name == "react":
        shutil.copy(APPS / "react" / "App.tsx", folder / "src" / "App.tsx")
    base = ("--", "--base", "./") if name == "react" else ()
    run("npm", "run", "build", *base, folder=folder, seconds=INSTALL_SECONDS)
    return folder
