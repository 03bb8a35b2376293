"""Starts ``routiq-gql`` by forking a process that has imported it, see ``fork_server``.

``start`` is used like ``subprocess.Popen(["python", "-m", ...])``. The process runs the same ``__main__`` with its own
arguments, environment, folder and standard streams; only the imported modules are there before. ``test_early_signals``,
``test_commands``, ``test_terminal`` and the full benchmarks start Python itself. So does ``start`` on machines without
``pidfd_open``.
"""

import atexit
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import IO, Self, TypeAlias

from tests.fork_server import MAX_REQUEST_BYTES

ROOT = Path(__file__).parent.parent

OBEYED = {"PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED", "PYTHONWARNINGS"}
"""Variables for Python that need no Python of their own. A forked process always raises on warnings."""


class Forked:
    """A started process, with the methods of ``subprocess.Popen`` that tests use."""

    def __init__(self, pid: int, ended: socket.socket, streams: Mapping[int, IO[str]], arguments: Sequence[str]):
        self.pid = pid
        self.returncode: int | None = None
        self.stdin, self.stdout, self.stderr = (streams.get(number) for number in range(3))
        self._ended = ended
        self._arguments = arguments

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        for stream in (self.stdin, self.stdout, self.stderr):
            if stream is not None:
                stream.close()
        self.wait()

    def poll(self) -> int | None:
        return self._read_code(0)

    def wait(self, timeout: float | None = None) -> int:
        code = self._read_code(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(self._arguments, timeout or 0)
        return code

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _read_code(self, timeout: float | None) -> int | None:
        if self.returncode is None and select.select([self._ended], [], [], timeout)[0]:
            self.returncode = int(self._ended.recv(16))
            self._ended.close()
        return self.returncode


Started: TypeAlias = subprocess.Popen[str] | Forked


class ForkServer:
    """The process that forks. It ends with the test process."""

    def __init__(self) -> None:
        self._requests, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._lock = threading.Lock()
        environment = {name: value for name, value in os.environ.items() if not name.startswith("ROUTIQ_")}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.fork_server", str(theirs.fileno())],
            cwd=ROOT,
            env={**environment, "PYTHONWARNINGS": "error"},
            pass_fds=[theirs.fileno()],
        )
        theirs.close()
        atexit.register(self.close)

    def close(self) -> None:
        self._requests.close()
        self._process.wait()

    def start(
        self, module: str, arguments: Sequence[str], folder: Path, environment: Mapping[str, str], streams: list[int]
    ) -> tuple[int, socket.socket]:
        """Process id, and a socket on which the exit code arrives."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        request = json.dumps([module, list(arguments), str(folder), dict(environment)]).encode()
        assert len(request) < MAX_REQUEST_BYTES
        with self._lock:
            socket.send_fds(self._requests, [request], [theirs.fileno(), *streams])
        theirs.close()
        return int(ours.recv(16)), ours


@cache
def _server() -> ForkServer:
    return ForkServer()


def start(
    *arguments: str,
    module: str = "routiq_gql",
    cwd: Path,
    env: Mapping[str, str],
    stdin: int = subprocess.DEVNULL,
    stdout: int | None = subprocess.DEVNULL,
    stderr: int | None = None,
) -> Started:
    """``python -m MODULE ARGUMENTS`` with text streams: ``DEVNULL``, ``PIPE``, inherited (``None``) or a descriptor.

    Starts Python itself where the environment changes it, as with ``PYTHONPATH``.
    """
    if not hasattr(os, "pidfd_open") or _python_settings(env) != _python_settings(os.environ):
        command = [sys.executable, "-m", module, *arguments]
        return subprocess.Popen(
            command, cwd=cwd, env=env, stdin=stdin, stdout=stdout, stderr=stderr, text=True, encoding="utf-8"
        )
    given: list[int] = []
    kept: dict[int, IO[str]] = {}
    for number, wanted in enumerate((stdin, stdout, stderr)):
        if wanted == subprocess.PIPE:
            reading, writing = os.pipe()
            theirs, ours = (reading, writing) if number == 0 else (writing, reading)
            kept[number] = os.fdopen(ours, "w" if number == 0 else "r", encoding="utf-8")
        elif wanted == subprocess.DEVNULL:
            theirs = os.open(os.devnull, os.O_RDWR)
        else:
            theirs = os.dup(number if wanted is None else wanted)
        given.append(theirs)
    try:
        pid, ended = _server().start(module, arguments, cwd, env, given)
    finally:
        for theirs in given:
            os.close(theirs)
    return Forked(pid, ended, kept, arguments)


def _python_settings(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: environment[name] for name in environment if name.startswith("PYTHON") and name not in OBEYED}
