"""Child processes of the benchmark, which report their results as lines of JSON.

Each figure comes from a fresh process, to exclude the memory and garbage of other parts. A child ends when its standard
input ends or its output is closed, so that none is left behind even by a killed benchmark.
"""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
LINE_BYTES = 16 * 1024 * 1024
"""Far more than the longest line: the times of some thousand pages."""
SILENCE_SECONDS = 120
"""A child without output for this long is stuck."""


class ChildBroke(Exception):
    """A child ended or became silent before it reported its result."""


class Child:
    """A child process, see ``start``."""

    def __init__(self, name: str, process: asyncio.subprocess.Process) -> None:
        self._name = name
        self._process = process

    async def receive(self) -> dict[str, Any]:
        """The next line.

        Raises:
            ChildBroke: There will be none.
        """
        assert self._process.stdout is not None
        try:
            async with asyncio.timeout(SILENCE_SECONDS):
                line = await self._process.stdout.readline()
        except TimeoutError:
            raise ChildBroke(f"{self._name} has said nothing for {SILENCE_SECONDS} s.") from None
        if not line:
            raise ChildBroke(f"{self._name} ended too early.")
        return dict(json.loads(line))

    def send(self, line: str) -> None:
        """Write a line to its standard input."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n".encode())


@asynccontextmanager
async def start(module: str, *arguments: str) -> AsyncIterator[Child]:
    """Run ``python -m tests.bench.MODULE`` while the block lasts, without settings from the environment."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", f"tests.bench.{module}", *arguments),
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if not name.startswith("ROUTIQ_")},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=LINE_BYTES,
    )
    try:
        yield Child(module, process)
    except BaseException:
        with suppress(ProcessLookupError):
            process.kill()  # it may be busy for long
        raise
    finally:
        assert process.stdin is not None
        process.stdin.close()
        try:
            async with asyncio.timeout(10):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


def tell(**values: Any) -> None:
    """Send a line to the parent; called in a child."""
    print(json.dumps(values), flush=True)


async def read_commands() -> AsyncIterator[str]:
    """The parent's lines, until it closes the pipe; called in a child."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        yield line.decode().strip()
