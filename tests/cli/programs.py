"""Runs ``routiq-gql`` in a separate process, as an operator does, and reads its output."""

import os
import pty
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import IO

from tests.forked import start

PATIENCE_SECONDS = 60
"""How long a test waits for an event that must happen, on a slow machine."""


class Program:
    """A running ``routiq-gql``, which is ended when the block is left, by force if necessary."""

    def __init__(self, *arguments: str, folder: Path, settings: dict[str, str] | None = None, stdin: str | None = None):
        environment = {name: value for name, value in os.environ.items() if not name.startswith("ROUTIQ_")}
        self.process = start(
            *arguments,
            cwd=folder,
            env={**environment, "PYTHONWARNINGS": "error", **(settings or {})},
            stdin=subprocess.PIPE if stdin is not None else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        if stdin is not None:
            self.process.stdin.write(stdin)
            self.process.stdin.close()
        self._news = threading.Condition()
        self._lines: dict[str, list[str]] = {"stdout": [], "stderr": []}
        self._open = 2
        self._readers = [
            threading.Thread(target=self._read, args=(name, stream), daemon=True)
            for name, stream in (("stdout", self.process.stdout), ("stderr", self.process.stderr))
        ]
        for reader in self._readers:
            reader.start()

    def __enter__(self) -> "Program":
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.wait()
        for reader in self._readers:
            reader.join()
        for stream in (self.process.stdout, self.process.stderr):
            stream.close()

    @property
    def output(self) -> str:
        """Standard output so far."""
        return self._text("stdout")

    @property
    def complaints(self) -> str:
        """Standard error so far."""
        return self._text("stderr")

    def wait_for(self, pattern: str) -> re.Match[str]:
        """The first match in standard output, as soon as it appears; fails if the program ends before."""
        until = time.monotonic() + PATIENCE_SECONDS
        with self._news:
            while True:
                if match := re.search(pattern, "".join(self._lines["stdout"])):
                    return match
                assert self._open, f"It ended before it printed {pattern!r}:\n{self._all()}"
                assert self._news.wait(until - time.monotonic()), f"It did not print {pattern!r}:\n{self._all()}"

    def url(self) -> str:
        """The address of the program's server."""
        return self.wait_for(r"(http://127\.0\.0\.1:\d+)/graphql").group(1)

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def end(self) -> int:
        """The exit code, once the program has ended by itself."""
        code = self.process.wait(PATIENCE_SECONDS)
        for reader in self._readers:
            reader.join(PATIENCE_SECONDS)
        return code

    def _read(self, name: str, stream: IO[str]) -> None:
        for line in stream:
            with self._news:
                self._lines[name].append(line)
                self._news.notify_all()
        with self._news:
            self._open -= 1
            self._news.notify_all()

    def _text(self, name: str) -> str:
        with self._news:
            return "".join(self._lines[name])

    def _all(self) -> str:
        return "".join(self._lines["stdout"] + self._lines["stderr"])


def run_program(
    *arguments: str, folder: Path, settings: dict[str, str] | None = None, stdin: str | None = None
) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a command that ends by itself."""
    with Program(*arguments, folder=folder, settings=settings, stdin=stdin) as program:
        code = program.end()
        return code, program.output, program.complaints


def run_in_terminal(*arguments: str, folder: Path, settings: dict[str, str] | None = None) -> tuple[int, str]:
    """Exit code of a command and its output in a pseudo-terminal."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ROUTIQ_")}
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "routiq_gql", *arguments],
        cwd=folder,
        env={**environment, "TERM": "xterm-256color", "COLUMNS": "100", **(settings or {})},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        shown = b""
        while True:
            try:
                part = os.read(ours, 65536)
            except OSError:  # the end of a pseudo-terminal on Linux
                break
            if not part:
                break
            shown += part
        code = process.wait(PATIENCE_SECONDS)
    os.close(ours)
    return code, shown.decode()


def percentages(lines: Iterable[str]) -> list[int]:
    """The percentages of plain progress lines."""
    return [int(match.group(1)) for line in lines if (match := re.search(r"(\d+) %  step", line))]
