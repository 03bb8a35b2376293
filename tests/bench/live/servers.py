"""The benchmark's handle of a server: a child process that is measured, on the core of the servers."""

import json
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from tests.bench.children import ROOT, ChildBroke, begin
from tests.bench.live.cores import server_core
from tests.forked import Started

START_SECONDS = 120
SILENCE_SECONDS = 120
END_SECONDS = 15


@dataclass(frozen=True, slots=True)
class Usage:
    """Resources that a server has used until a moment.

    Attributes:
        at: Seconds of the machine's monotonic clock.
        cpu: Processor seconds.
        rss: Bytes of resident memory.
        statements: Statements to its database; 0 without a database.
    """

    at: float
    cpu: float
    rss: int
    statements: int

    @classmethod
    def read(cls, answer: dict[str, Any]) -> Self:
        return cls(answer["at"] / 1e9, answer["cpu"], answer["rss"], answer.get("statements", 0))

    def share_since(self, before: "Usage") -> float:
        """The share of a core since an earlier moment."""
        return (self.cpu - before.cpu) / (self.at - before.at)

    def statements_since(self, before: "Usage") -> float:
        """Statements per second since an earlier moment."""
        return (self.statements - before.statements) / (self.at - before.at)


class Server:
    """A running server; see ``start``.

    Attributes:
        hello: Its first line: ``port``, and values of its kind.
    """

    def __init__(self, name: str, process: Started, connection: socket.socket, log: Path) -> None:
        self.name = name
        self._process = process
        self._connection = connection
        self._lines = connection.makefile("rb")
        self._log = log
        self.hello = self.answer()

    @property
    def port(self) -> int:
        return int(self.hello["port"])

    def ask(self, command: str) -> None:
        """Send a command, whose answer has to be read before the next."""
        self._connection.sendall(command.encode() + b"\n")

    def answer(self) -> dict[str, Any]:
        """The answer to the oldest command without one.

        Raises:
            ChildBroke: The server ended, or says nothing.
        """
        try:
            line = self._lines.readline()
        except TimeoutError:
            raise ChildBroke(f"{self.name} has said nothing for {SILENCE_SECONDS} s.{self.last_lines()}") from None
        if not line:
            raise ChildBroke(f"{self.name} ended too early.{self.last_lines()}")
        return dict(json.loads(line))

    def tell(self, command: str) -> dict[str, Any]:
        self.ask(command)
        return self.answer()

    def usage(self, command: str = "usage") -> Usage:
        """``usage``, or ``collect`` to free garbage before."""
        return Usage.read(self.tell(command))

    def last_lines(self) -> str:
        """The end of its log, for an error."""
        return "\n" + "\n".join(self._log.read_text(errors="replace").splitlines()[-15:])

    def pause(self) -> None:
        """Stop the process, so that its work does not disturb another server's."""
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def end(self) -> None:
        self.resume()
        self._connection.close()
        self._lines.close()
        try:
            self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


@contextmanager
def start(name: str, module: str, *arguments: str) -> Iterator[Server]:
    """Run ``python -m tests.bench.live.MODULE PORT ARGUMENTS`` while the block lasts, without settings.

    Raises:
        ChildBroke: It did not become ready.
    """

    def begin_server(port: str, output: int) -> Started:
        return begin(f"live.{module}", port, *arguments, stdin=subprocess.DEVNULL, stdout=output, stderr=output)

    with _started(name, begin_server) as server:
        yield server


@contextmanager
def start_program(name: str, program: Sequence[str], arguments: Sequence[str]) -> Iterator[Server]:
    """The same for any program. Its first argument is the port to which it connects for commands."""

    def begin_program(port: str, output: int) -> Started:
        return subprocess.Popen(
            [*program, port, *arguments],
            cwd=ROOT,
            env={name: value for name, value in os.environ.items() if not name.startswith("ROUTIQ_")},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            text=True,
        )

    with _started(name, begin_program) as server:
        yield server


@contextmanager
def _started(name: str, begin_it: Callable[[str, int], Started]) -> Iterator[Server]:
    core = server_core()
    with socket.create_server(("127.0.0.1", 0)) as listening, tempfile.TemporaryDirectory() as folder:
        listening.settimeout(0.2)
        log = Path(folder) / "log"
        with log.open("wb") as output:
            process = begin_it(str(listening.getsockname()[1]), output.fileno())
        with suppress(ProcessLookupError):  # ``_accept`` finds that it has ended
            os.sched_setaffinity(process.pid, {core})
        server = None
        try:
            server = Server(name, process, _accept(name, process, listening, log), log)
            yield server
        except BaseException:
            process.kill()
            raise
        finally:
            if server is not None:
                server.end()
            process.wait()


def _accept(name: str, process: Started, listening: socket.socket, log: Path) -> socket.socket:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        try:
            connection, _ = listening.accept()
        except TimeoutError:
            if process.poll() is not None:
                break
            continue
        connection.settimeout(SILENCE_SECONDS)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection
    process.kill()
    raise ChildBroke(f"{name} did not start.\n" + "\n".join(log.read_text(errors="replace").splitlines()[-15:]))
