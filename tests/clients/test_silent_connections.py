"""Connections that become silent without being closed, as when a laptop sleeps or a router drops them.

Each JavaScript client detects it and resumes on a new connection.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from tests.cli.programs import PATIENCE_SECONDS, Program
from tests.clients.running import expect_ends, running
from tests.node_projects import INSTALL_SECONDS

pytestmark = pytest.mark.timeout(INSTALL_SECONDS + 3 * PATIENCE_SECONDS)

CLIENTS = ("apollo.mjs", "urql.mjs", "graphql-ws.mjs", "event-source.mjs")


class Tunnel:
    """Forwards bytes to a server, until the open connections are frozen."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._flows: list[asyncio.Event] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0

    def freeze(self) -> None:
        """Forward nothing more on the open connections, without closing them."""
        for flows in self._flows:
            flows.clear()

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        async with await asyncio.start_server(self._accept, "127.0.0.1", 0) as server:
            self.port = server.sockets[0].getsockname()[1]
            yield
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        flows = asyncio.Event()
        flows.set()
        self._flows.append(flows)
        server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self._target)
        for source, target in ((reader, server_writer), (server_reader, writer)):
            self._tasks.add(asyncio.create_task(_pass_on(source, target, flows)))


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, flows: asyncio.Event) -> None:
    try:
        while data := await reader.read(65_536):
            await flows.wait()
            writer.write(data)
            await writer.drain()
    except OSError:
        pass  # one side has closed, and the other is closed for it
    finally:
        writer.close()


@pytest.mark.usefixtures("programs")
async def test_each_client_notices_a_silent_connection(tmp_path: Path):
    """When an open connection becomes silent, each client opens another and sees the sync's end."""
    async with AsyncExitStack() as stack:
        demo = stack.enter_context(Program("demo", "--still", "--port", "0", "--seconds", "20", folder=tmp_path))
        url = await asyncio.to_thread(demo.url)
        tunnel = Tunnel(int(url.rpartition(":")[2]))
        await stack.enter_async_context(tunnel.open())
        through = f"http://127.0.0.1:{tunnel.port}"
        # The server's heartbeat comes every 15 s; this client has a shorter limit, to keep the test short.
        environment = {"SILENCE_MS": "4000"}
        clients = [await stack.enter_async_context(running(name, through, environment=environment)) for name in CLIENTS]
        for client in clients:
            await client.until(r"of 641 patients|Found 641")
        tunnel.freeze()
        await expect_ends(clients)
        assert "The connection is silent" in clients[-1].output
