"""Other people's clients follow a sync of a running demo: all at once, also while the server is killed under them.

Those of ``examples/clients``, and three that use GraphQL over HTTP, by event streams and multipart.
"""

import asyncio
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from routiq_gql.cli.demo import DEMO_ORGANIZATION
from tests.cli.programs import PATIENCE_SECONDS, Program
from tests.node_projects import CLIENTS, INSTALL_SECONDS, installed, program

HERE = Path(__file__).parent
pytestmark = pytest.mark.timeout(INSTALL_SECONDS + 2 * PATIENCE_SECONDS)

EXAMPLES = {
    "apollo.mjs": "89 of 641 patients are active.",
    "urql.mjs": "89 of 641 patients are active.",
    "graphql-ws.mjs": "The sync has ended.",
    "event-source.mjs": "The sync has ended.",
    "gql_client.py": "89 of 641 patients are active.",
    "curl.sh": '"active_patients":89',
}
"""Each program, and how the last line that it prints ends or what it holds."""
OVER_HTTP = dict.fromkeys(("graphql-sse", "urql", "apollo"), "The sync has ended: COMPLETED.")
"""The same of those that ``follow_over_http.mjs`` knows."""
LAST_LINES = EXAMPLES | OVER_HTTP


class Client:
    """A running example."""

    def __init__(self, name: str, process: asyncio.subprocess.Process) -> None:
        self.name = name
        self._process = process
        self.output = ""

    async def until(self, pattern: str) -> None:
        """Return once it has printed what ``pattern`` matches."""
        assert self._process.stdout
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not re.search(pattern, self.output):
                line = (await self._process.stdout.readline()).decode()
                assert line, f"{self.name} ended before it printed {pattern!r}:\n{self.output}"
                self.output += line

    async def end(self) -> int | None:
        """The exit code, once it has ended by itself."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            rest, _ = await self._process.communicate()
        self.output += rest.decode()
        return self._process.returncode


def _command(name: str) -> list[str]:
    if name in OVER_HTTP:
        return ["node", str(HERE / "follow_over_http.mjs"), name]
    runner = {".mjs": ["node"], ".py": [sys.executable, "-u"], ".sh": ["sh"]}[Path(name).suffix]
    return [*runner, str(CLIENTS / name)]


@asynccontextmanager
async def _run(name: str, url: str) -> AsyncIterator[Client]:
    process = await asyncio.create_subprocess_exec(
        *_command(name),
        url,
        DEMO_ORGANIZATION,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        limit=2**20,
    )
    try:
        yield Client(name, process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@pytest.fixture
def _programs() -> None:
    installed(CLIENTS)
    installed(HERE)
    program("curl", "by examples/clients/curl.sh")


async def _expect_ends(clients: list[Client]) -> None:
    for client in clients:
        assert await client.end() == 0, f"{client.name}:\n{client.output}"
        assert "Sync completed successfully!" in client.output, client.name
        assert LAST_LINES[client.name] in client.output.splitlines()[-1], client.name


async def _cut_attempts(port: int, number: int) -> None:
    """Accept and cut so many connections, as a proxy does whose server is away."""
    enough = asyncio.Event()
    left = number

    def cut(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal left
        left -= 1
        writer.close()
        if left <= 0:
            enough.set()

    async with asyncio.timeout(PATIENCE_SECONDS), await asyncio.start_server(cut, "127.0.0.1", port):
        await enough.wait()


@pytest.mark.usefixtures("_programs")
async def test_each_client_follows_a_sync_to_its_end(tmp_path: Path):
    """The first one starts a sync, the others join it; each shows its progress and ends."""
    with Program("demo", "--port", "0", "--seconds", "0", folder=tmp_path) as demo:
        await asyncio.to_thread(demo.wait_for, "Ctrl-C ends it")
        async with AsyncExitStack() as stack:
            url = demo.url()
            clients = [await stack.enter_async_context(_run(name, url)) for name in LAST_LINES]
            await _expect_ends(clients)


@pytest.mark.usefixtures("_programs")
async def test_each_client_outlives_a_server_that_is_killed(tmp_path: Path):
    """What the comments on reconnecting say is true: each goes on with the sync once the server is back."""
    async with AsyncExitStack() as stack:
        with Program("demo", "--port", "0", "--seconds", "60", folder=tmp_path) as demo:
            url = await asyncio.to_thread(demo.url)
            clients = [await stack.enter_async_context(_run(name, url)) for name in LAST_LINES]
            for client in clients:
                await client.until(r"Validating credentials|of 641 patients")
            demo.send(signal.SIGKILL)
            await asyncio.to_thread(demo.end)
        port = int(url.rpartition(":")[2])
        await _cut_attempts(port, 2 * len(clients))
        with Program("demo", "--port", str(port), "--seconds", "0", folder=tmp_path):
            await _expect_ends(clients)


def test_each_program_has_its_test():
    """A new example is listed above."""
    programs = {file.name for file in CLIENTS.iterdir() if file.suffix in {".mjs", ".py", ".sh"}}
    assert programs - {"compare-schemas.mjs"} == set(EXAMPLES)
