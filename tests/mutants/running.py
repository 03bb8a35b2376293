"""Runs Python modules with the package of a copy, in processes forked from a process that has imported all the rest.

Importing other people's packages takes most of the processor time of a short test, and a hunt runs hundreds of them.
"""

import atexit
import json
import multiprocessing
import os
import runpy
import subprocess
import sys
import threading
from collections.abc import Sequence
from itertools import count
from pathlib import Path

from tests.mutants.hunt import NotSearched, Run
from tests.mutants.mutant import PACKAGE

LIMIT_SECONDS = 3_600
OWN = (PACKAGE, "tests", "conftest", "__main__", "__mp_main__")
"""Packages that each process imports from its copy."""
EXAMPLE = "tests/sync/test_starts.py"
"""Collecting it imports nearly everything that tests and the simulator need."""
LIST_IMPORTED = f"""
import contextlib, io, json, pytest, sys
with contextlib.redirect_stdout(io.StringIO()) as output:
    code = pytest.main(["--collect-only", "-q", "-p", "no:cacheprovider", "{EXAMPLE}"])
sys.exit(output.getvalue()) if code else print(json.dumps(list(sys.modules)))
"""


def imported_by_tests(copy: Path) -> list[str]:
    """The modules of other people that tests import."""
    done = subprocess.run([sys.executable, "-c", LIST_IMPORTED], cwd=copy, capture_output=True, text=True, check=True)
    return [name for name in json.loads(done.stdout) if name.partition(".")[0] not in OWN]


class CopyRunner:
    """Runs modules in copies, also several at the same time from several threads."""

    def __init__(self, folder: Path, imported: Sequence[str]) -> None:
        """Processes write into files of ``folder``, and share the modules ``imported``."""
        self._folder = folder
        self._numbers = count()
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(list(imported))
        self._lock = threading.Lock()

    def run(self, copy: Path, module: str, arguments: Sequence[str]) -> Run:
        """Run ``python -m MODULE ARGUMENTS`` in the folder of a copy, with the package of this copy.

        Raises:
            NotSearched: It has not ended within an hour.
        """
        with self._lock:
            outputs = [self._folder / f"{next(self._numbers)}.{name}" for name in ("out", "err")]
            process = self._context.Process(target=_be, args=(copy, module, list(arguments), *outputs))
            process.start()
        process.join(LIMIT_SECONDS)
        if process.exitcode is None:
            process.kill()
            raise NotSearched(f"{module} has not ended within {LIMIT_SECONDS} s.")
        return Run(process.exitcode, *(one.read_text(errors="backslashreplace") for one in outputs))


def _be(copy: Path, module: str, arguments: list[str], stdout: Path, stderr: Path) -> None:
    """Become a process that was started in this folder."""
    for name in list(sys.modules):
        if name.partition(".")[0] in ("tests", PACKAGE):
            del sys.modules[name]
    for path, number in ((stdout, 1), (stderr, 2)):
        opened = os.open(path, os.O_WRONLY | os.O_CREAT)
        os.dup2(opened, number)
        os.close(opened)
    os.chdir(copy)
    os.environ.update(PYTHONPATH=str(copy), ROUTIQ_MUTANT_COPY=str(copy))
    own = Path(__file__).parents[2]
    sys.path[:] = [str(copy), *(one for one in sys.path if one and Path(one) not in (own, copy))]
    sys.argv[1:] = arguments
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    finally:
        atexit._run_exitfuncs()
