"""A proxy that cuts connections in the middle of frames, as trains and tunnels do."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random


class CuttingProxy:
    """Forwards to a server. The first ``cuts`` connections break after a random number of bytes from the server.

    Attributes:
        left: How many connections will break still.
    """

    def __init__(self, target: int, cuts: int, seed: int, most_bytes: int = 6_000) -> None:
        self._target = target
        self._random = Random(seed)
        self._most_bytes = most_bytes
        self._tasks: set[asyncio.Task[None]] = set()
        self.left = cuts
        self.port = 0

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        async with await asyncio.start_server(self._accept, "127.0.0.1", 0) as server:
            self.port = server.sockets[0].getsockname()[1]
            yield
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self._target)
        self._tasks.add(asyncio.create_task(_forward(reader, server_writer)))
        self._tasks.add(asyncio.create_task(self._forward_until_cut(server_reader, writer, server_writer)))

    async def _forward_until_cut(
        self, source: asyncio.StreamReader, target: asyncio.StreamWriter, server: asyncio.StreamWriter
    ) -> None:
        is_cut = self.left > 0
        bytes_left = self._random.randint(1, self._most_bytes)
        try:
            while data := await source.read(65_536):
                target.write(data[:bytes_left] if is_cut else data)
                await target.drain()
                bytes_left -= len(data)
                if is_cut and bytes_left <= 0:
                    self.left -= 1
                    break
        except OSError:
            pass  # the client has gone
        finally:
            target.close()
            server.close()


async def _forward(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    try:
        while data := await source.read(65_536):
            target.write(data)
            await target.drain()
    except OSError:
        pass  # one side has closed, and the other is closed for it
    finally:
        target.close()
