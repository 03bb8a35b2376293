"""Node.js and its packages, once per session, and a running demo for the clients to talk to."""

import hashlib
import json
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from tests.cli.programs import PATIENCE_SECONDS, Program
from tests.node_projects import CLIENTS, INSTALL_SECONDS, OUTSIDE, ROOT, installed, leave_out, program, run

HERE = Path(__file__).parent
SCHEMA = ROOT / "schema.graphql"
PINS = HERE / "ariadne-constraints.txt"


@pytest.fixture(scope="session")
def curl() -> str:
    """The path of curl."""
    return program("curl", "to read the event stream as the README does")


@pytest.fixture(scope="session")
def node() -> str:
    """The path of Node.js, with the packages of package-lock.json installed beside the scripts."""
    installed(HERE)
    return program("node", "to run other people's clients")


@pytest.fixture
def programs(curl: str, node: str) -> None:
    """Whatever the programs of ``examples/clients`` need, and those that follow over HTTP."""
    del curl, node
    installed(CLIENTS)


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
    with Program("demo", "--port", "0", "--seconds", "8", folder=tmp_path) as running:
        url = running.url()
        running.wait_for("step 1/8")
        yield url


def copied(name: str, tmp_path: Path) -> Path:
    """A copy of an example that writes beside itself, with the schema where it looks for it."""
    shutil.copy(SCHEMA, tmp_path)
    return Path(shutil.copytree(CLIENTS / name, tmp_path / "examples" / "clients" / name))


@pytest.fixture
def ariadne(request: pytest.FixtureRequest) -> Path:
    """The programs of an environment with ariadne-codegen, made once for each state of its pins."""
    state = hashlib.sha256(PINS.read_bytes() + sys.version.encode()).hexdigest()[:16]
    folder = request.config.cache.mkdir(f"ariadne-codegen-{state}")
    with FileLock(folder / "making.lock"):
        if not (folder / "made").exists():
            venv.create(folder / "venv", clear=True)
            python = str(folder / "venv" / "bin" / "python")
            pip = [sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check", "--quiet"]
            done = subprocess.run(
                [*pip, "install", "ariadne-codegen[subscriptions]", "-c", str(PINS)],
                env=OUTSIDE,
                capture_output=True,
                text=True,
                timeout=INSTALL_SECONDS,
            )
            if done.returncode:
                leave_out(f"ariadne-codegen can't be installed here:\n{done.stderr}")
            (folder / "made").touch()
    return folder / "venv" / "bin"


@pytest.fixture
def generated(ariadne: Path, tmp_path: Path) -> Path:
    """The example with the client that ariadne-codegen has written for it."""
    folder = copied("ariadne", tmp_path)
    run(str(ariadne / "ariadne-codegen"), "--config", "ariadne-codegen.toml", folder=folder)
    (tmp_path / "demo").mkdir()
    return folder
