"""A command stopped in its first moments ends, even as the first process of a container."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

AT_IMPORT = """
import os, signal, sys

if sys.argv[0] == "-m":  # the program, and not one of its children
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # as the kernel does for the first process of a container

    def hook(event, arguments):
        if event == "import" and arguments[0] == "{module}":
            os.kill(os.getpid(), signal.SIGTERM)

    sys.addaudithook(hook)
"""


@pytest.mark.parametrize("module", ["routiq_gql.cli", "typer", "routiq_gql.serving.server"])
def test_a_signal_while_the_program_is_loaded_is_not_lost(tmp_path: Path, module: str):
    """A container stopped right after its start stops at once, rather than being killed half a minute later."""
    (tmp_path / "sitecustomize.py").write_text(AT_IMPORT.format(module=module))
    ended = subprocess.run(
        [sys.executable, "-m", "routiq_gql", "serve", "--port", "0"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path), "PATH": ""},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.returncode == -signal.SIGTERM, ended.stderr
    assert ended.stdout == ""
    assert "Traceback" not in ended.stderr
