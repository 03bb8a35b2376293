"""Node.js and its packages, once per session, and a running demo for the clients to talk to."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.programs import PATIENCE_SECONDS, Program

HERE = Path(__file__).parent
IN_CI = os.environ.get("CI", "") not in {"", "0", "false"}


def _program(name: str, what_for: str) -> str:
    found = shutil.which(name)
    if found is None:
        reason = f"{name} is not installed; it is needed {what_for}"
        if IN_CI:
            pytest.fail(reason)
        pytest.skip(reason)
    return found


@pytest.fixture(scope="session")
def curl() -> str:
    """The path of curl."""
    return _program("curl", "to read the event stream as the README does")


@pytest.fixture(scope="session")
def node() -> str:
    """The path of Node.js, with the packages of package-lock.json installed beside the scripts."""
    node = _program("node", "to run other people's clients")
    npm = _program("npm", "to install other people's clients")
    lock, installed = HERE / "package-lock.json", HERE / "node_modules" / ".package-lock.json"
    if not installed.exists() or installed.stat().st_mtime < lock.stat().st_mtime:
        done = subprocess.run([npm, "ci", "--no-audit", "--no-fund"], cwd=HERE, capture_output=True, text=True)
        if done.returncode:
            if IN_CI:
                pytest.fail(f"npm ci failed:\n{done.stderr}")
            pytest.skip("npm ci failed; graphql-ws can be installed only where the npm registry is reached")
    return node


RunScript = Callable[..., Any]


@pytest.fixture
def run_script(node: str) -> RunScript:
    """Runs one of the scripts here and returns what it prints as JSON."""

    def run(script: str, *arguments: str) -> Any:
        done = subprocess.run(
            [node, str(HERE / script), *arguments], capture_output=True, text=True, timeout=PATIENCE_SECONDS
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    return run


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[str]:
    """The URL of a demo whose first sync has just begun and takes some seconds, whatever Node.js needs to start."""
    with Program("demo", "--port", "0", "--seconds", "8", folder=tmp_path) as program:
        url = program.url()
        program.wait_for("step 1/8")
        yield url
