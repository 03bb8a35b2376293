"""Node.js, and the npm projects of this repository, installed from their lock files.

A project is installed once for each state of its lock file; later sessions reuse it. Without Node.js, tests that need
it are skipped, except in CI.
"""

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

from filelock import FileLock

from tests.machine import leave_out

ROOT = Path(__file__).parent.parent
CLIENT = ROOT / "examples" / "client"
"""The sources of the page and of the custom element, and the core that the React package shares with them."""
REACT = ROOT / "examples" / "react"
ELEMENT = ROOT / "examples" / "element"
"""The package of the custom element, which has no packages of its own."""
CLIENTS = ROOT / "examples" / "clients"
VITE_APP = ROOT / "tests" / "apps" / "vite"
"""An app as Vite's react-ts template makes it, without the React component."""
NEXT_APP = ROOT / "tests" / "apps" / "next"
"""An app with Next.js's App Router, without the React component."""

OUTSIDE = dict(os.environ)
"""The environment outside of the tests, for programs that need the internet's certificate authorities."""

INSTALL_SECONDS = 300
"""How long npm may take on a slow machine without a cache."""


def program(name: str, what_for: str) -> str:
    """The path of a program."""
    found = shutil.which(name)
    if found is None:
        leave_out(f"{name} is not installed; it is needed {what_for}")
    return str(found)


def installed(folder: Path) -> Path:
    """``folder`` with the packages of its ``package-lock.json`` in ``node_modules``."""
    program("node", "to run JavaScript")
    npm = program("npm", "to install JavaScript packages")
    wanted = hashlib.sha256((folder / "package-lock.json").read_bytes()).hexdigest()
    mark = folder / "node_modules" / ".installed-from"
    with FileLock(folder / "node_modules.lock"):
        if not mark.exists() or mark.read_text() != wanted:
            done = subprocess.run(
                [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
                cwd=folder,
                capture_output=True,
                text=True,
                timeout=INSTALL_SECONDS,
            )
            if done.returncode:
                leave_out(f"npm ci failed in {folder.name}, which needs npm's registry or its cache:\n{done.stderr}")
            mark.write_text(wanted)
    return folder


def run(*command: str, folder: Path, seconds: float = 120, **variables: str) -> str:
    """The output of a command, which must succeed; ``variables`` are added to its environment."""
    environment = {**os.environ, **variables}
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=seconds, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def tool(folder: Path, name: str) -> str:
    """The path of a program in an installed project."""
    return str(folder / "node_modules" / ".bin" / name)


def packed(project: Path, shared: Path) -> Path:
    """The tarball of an npm project, made by ``npm pack`` once for each ``shared`` folder of a test run."""
    tarballs = shared / f"{project.name}-tarball"
    with FileLock(f"{tarballs}.lock"):
        if not tarballs.exists():
            made = shared / f"{project.name}-tarball-unfinished"
            made.mkdir()
            folder = installed(project) if (project / "package-lock.json").exists() else project
            run("npm", "pack", "--pack-destination", str(made), folder=folder, seconds=INSTALL_SECONDS)
            made.rename(tarballs)
    return next(tarballs.glob("*.tgz"))


def prepared_app(app: Path, shared: Path, package: Path = REACT) -> Path:
    """A copy of ``app`` in which the tarball of ``package`` is installed, made once for each ``shared`` folder."""
    source, tarball, ready = installed(app), packed(package, shared), shared / f"{app.name}-{package.name}"
    with FileLock(f"{ready}.lock"):
        if not ready.exists():
            made = shared / f"{app.name}-{package.name}-unfinished"
            shutil.copytree(source, made, ignore=shutil.ignore_patterns("node_modules*", ".next"))
            shutil.copytree(source / "node_modules", made / "node_modules", symlinks=True, copy_function=_link_or_copy)
            run("npm", "install", "--no-save", "--prefer-offline", "--ignore-scripts", str(tarball), folder=made)
            made.rename(ready)
    return ready


def _link_or_copy(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system
        shutil.copy2(source, target)


def app_with_package(folder: Path, shared: Path) -> Path:
    """A copy of the Vite app in ``folder``, with the React component installed as the README says."""
    source = prepared_app(VITE_APP, shared)
    shutil.copytree(source, folder, ignore=shutil.ignore_patterns("node_modules"))
    (folder / "node_modules").symlink_to(source / "node_modules")
    return folder
