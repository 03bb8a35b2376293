"""Node.js and its packages, once per session, and a running demo for the clients to talk to."""

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.programs import PATIENCE_SECONDS, Program
from tests.node_projects import installed, program

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def curl() -> str:
    """The path of curl."""
    return program("curl", "to read the event stream as the README does")


@pytest.fixture(scope="session")
def node() -> str:
    """The path of Node.js, with the packages of package-lock.json installed beside the scripts."""
    installed(HERE)
    return program("node", "to run other people's clients")


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
