"""Child processes of the benchmark, which report their results as lines of JSON.

Each figure comes from a fresh process, to exclude the memory and garbage of other parts. Only a short look forks its
children. A child ends when its standard input ends or its output is closed, so that none is left behind even by a
killed benchmark.
"""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from tests import forked
from tests.forked import Started

ROOT = Path(__file__).parents[2]
LINE_BYTES = 16 * 1024 * 1024
"""Far more than the longest line: the times of some thousand pages."""
SILENCE_SECONDS = 120
"""A child without output for this long is stuck."""


class ChildBroke(Exception):
    """A child ended or became silent before it reported its result."""


_FORKING: list[bool] = []


def fork_children() -> None:
    """Fork all children from a process that has imported the product, for a short look.

    Starting Python took half of its processor time.
    """
    _FORKING.append(True)


def begin(module: str, *arguments: str, stdin: int, stdout: int, stderr: int | None = None) -> Started:
    """Run ``python -m tests.bench.MODULE`` with these streams, without settings from the environment."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ROUTIQ_")}
    module = f"tests.bench.{module}"
    if _FORKING:
        return forked.start(
            *arguments, module=module, cwd=ROOT, env=environment, stdin=stdin, stdout=stdout, stderr=stderr
        )
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, stdin=stdin, stdout=stdout, stderr=stderr, text=True, encoding="utf-8"
    )


class Child:
    """A child process, see ``start``."""

    def __init__(self, name: str, process: Started, lines: asyncio.StreamReader) -> None:
        self._name = name
        self._process = process
        self._lines = lines

    async def receive(self) -> dict[str, Any]:
        """The next line.

        Raises:
            ChildBroke: There will be none.
        """
        try:
            async with asyncio.timeout(SILENCE_SECONDS):
                line = await self._lines.readline()
        except TimeoutError:
            raise ChildBroke(f"{self._name} has said nothing for {SILENCE_SECONDS} s.") from None
        if not line:
            raise ChildBroke(f"{self._name} ended too early.")
        return dict(json.loads(line))

    def send(self, line: str) -> None:
        """Write a line to its standard input."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()


@asynccontextmanager
async def start(module: str, *arguments: str) -> AsyncIterator[Child]:
    """Run ``python -m tests.bench.MODULE`` while the block lasts, see ``begin``."""
    process = begin(module, *arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    lines = asyncio.StreamReader(LINE_BYTES)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(lines), process.stdout
    )
    try:
        yield Child(module, process, lines)
    except BaseException:
        process.kill()  # it may be busy for long
        raise
    finally:
        with suppress(BrokenPipeError):
            process.stdin.close()
        try:
            await asyncio.to_thread(process.wait, 10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        transport.close()


def tell(**values: Any) -> None:
    """Send a line to the parent; called in a child."""
    print(json.dumps(values), flush=True)


async def read_commands() -> AsyncIterator[str]:
    """The parent's lines, until it closes the pipe; called in a child."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        yield line.decode().strip()
