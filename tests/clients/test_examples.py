"""Other developers' clients follow a sync of a running demo, even if the server is killed meanwhile.

They are the programs of ``examples/clients``, and three that use GraphQL over HTTP, by event streams and multipart.
"""

import asyncio
import signal
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.cli.programs import PATIENCE_SECONDS, Program
from tests.clients.running import EXAMPLES, LAST_LINES, expect_ends, running
from tests.node_projects import CLIENTS, INSTALL_SECONDS
from tests.ports import free_port

pytestmark = pytest.mark.timeout(INSTALL_SECONDS + 2 * PATIENCE_SECONDS)


async def _cut_attempts(port: int, number: int) -> None:
    """Accept and close this many connections, as a proxy without its server does."""
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


@pytest.mark.usefixtures("programs")
async def test_each_client_follows_a_sync_to_its_end(tmp_path: Path):
    """The first client starts a sync, the others join it; each shows its progress and ends."""
    with Program("demo", "--still", "--port", "0", "--seconds", "0", folder=tmp_path) as demo:
        await asyncio.to_thread(demo.wait_for, "Ctrl-C ends it")
        async with AsyncExitStack() as stack:
            url = demo.url()
            clients = [await stack.enter_async_context(running(name, url)) for name in LAST_LINES]
            await expect_ends(clients)


@pytest.mark.usefixtures("programs")
async def test_each_client_outlives_a_server_that_is_killed(tmp_path: Path):
    """As the comments on reconnecting claim, each client resumes following the sync once the server is back."""
    port = free_port()
    async with AsyncExitStack() as stack:
        with Program("demo", "--still", "--port", str(port), "--seconds", "60", folder=tmp_path) as demo:
            url = await asyncio.to_thread(demo.url)
            clients = [await stack.enter_async_context(running(name, url)) for name in LAST_LINES]
            for client in clients:
                await client.until(r"Validating credentials|of 641 patients")
            demo.send(signal.SIGKILL)
            await asyncio.to_thread(demo.end)
        await _cut_attempts(port, 2 * len(clients))
        with Program("demo", "--still", "--port", str(port), "--seconds", "0", folder=tmp_path):
            await expect_ends(clients)


def test_each_program_has_its_test():
    """A new example must be listed above."""
    programs = {file.name for file in CLIENTS.iterdir() if file.suffix in {".mjs", ".py", ".sh"}}
    assert programs - {"compare-schemas.mjs"} == set(EXAMPLES)
