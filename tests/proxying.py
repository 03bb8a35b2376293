"""A small HTTP proxy on loopback: accepts CONNECT, terminates the TLS inside, and forwards to a server of the test."""

import asyncio
import ssl
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self


class ConnectProxy:
    """Serves while entered.

    Args:
        upstream_port: Target of all requests, whatever their host.
        certificate: Presented to clients instead of the host's; its key is beside it.
        answer: The status line of the response to CONNECT; only with 200 are requests forwarded.

    Attributes:
        heads: The heads of the requests to the proxy itself.
    """

    def __init__(self, upstream_port: int, certificate: Path, answer: str = "200 OK") -> None:
        self._upstream_port = upstream_port
        self._tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._tls.load_cert_chain(certificate, certificate.with_suffix(".key"))
        self._answer = answer
        self.heads: list[str] = []
        self.port = 0
        self._tasks: set[asyncio.Task[Any]] = set()

    @property
    def name(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.sleep(0)  # lets the transports close

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        writers = [writer]
        try:
            self.heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
            writer.write(f"HTTP/1.1 {self._answer}\r\n\r\n".encode())
            await writer.drain()
            if self._answer.startswith("200"):
                await writer.start_tls(self._tls)
                inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", self._upstream_port)
                writers.append(inner_writer)
                await asyncio.gather(_pass_on(reader, inner_writer), _pass_on(inner_reader, writer))
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError, ssl.SSLError):
            pass
        finally:
            self._tasks.discard(task)
            for one in writers:
                one.transport.abort()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError, ssl.SSLError):
        while piece := await reader.read(65536):
            writer.write(piece)
            await writer.drain()
    writer.close()
