"""Runs the programs of ``examples/clients``, and three that use GraphQL over HTTP, and reads their output."""

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from routiq_gql.cli.demo import DEMO_ORGANIZATION
from tests.cli.programs import PATIENCE_SECONDS
from tests.node_projects import CLIENTS

HERE = Path(__file__).parent

EXAMPLES = {
    "apollo.mjs": "89 of 641 patients are active.",
    "urql.mjs": "89 of 641 patients are active.",
    "graphql-ws.mjs": "The sync has ended.",
    "event-source.mjs": "The sync has ended.",
    "gql_client.py": "89 of 641 patients are active.",
    "curl.sh": '"active_patients":89',
}
"""Each program, and the end or a part of its last line."""
OVER_HTTP = dict.fromkeys(("graphql-sse", "urql", "apollo"), "The sync has ended: COMPLETED.")
"""The same for the programs of ``follow_over_http.mjs``."""
LAST_LINES = EXAMPLES | OVER_HTTP
GENERATED = {"follow_sync.py": "89 of 641 patients are active, as of "}
"""The same for the program with ariadne-codegen's client, which must be generated first."""


class Client:
    """A running example."""

    def __init__(self, name: str, process: asyncio.subprocess.Process) -> None:
        self.name = name
        self._process = process
        self.output = ""

    async def until(self, pattern: str) -> None:
        """Return once its output matches ``pattern``."""
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
async def running(
    name: str,
    url: str,
    *,
    command: Iterable[str] = (),
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> AsyncIterator[Client]:
    """The example of this name, or another ``command``, following the demo's organization at ``url``."""
    process = await asyncio.create_subprocess_exec(
        *(command or _command(name)),
        url,
        DEMO_ORGANIZATION,
        cwd=folder,
        env={**os.environ, **(environment or {})},
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


async def expect_ends(clients: Iterable[Client]) -> None:
    """Return once each client has seen the sync completed and has ended without an error."""
    for client in clients:
        assert await client.end() == 0, f"{client.name}:\n{client.output}"
        assert "Sync completed successfully!" in client.output, client.name
        assert (LAST_LINES | GENERATED)[client.name] in client.output.splitlines()[-1], client.name
