"""Serves an emulator with uvicorn inside the running event loop, on a loopback port.

Used by tests and by the ``demo`` and ``emulator`` commands. No signal handler is installed and no task outlives
the block; requests that are still waiting when it ends are dropped.
"""

import asyncio
import socket
from types import TracebackType
from typing import Self

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from routiq_gql.emulator.server import Emulator

_LOOPBACK = "127.0.0.1"


class EmulatorServer:
    """An async context manager that serves an emulator at ``base_url``.

    Args:
        emulator: The emulator. It may be served again later, and keeps its requests and faults.
        port: 0 selects a free port.

    Raises:
        OSError: On entering, when the port is taken.
    """

    def __init__(self, emulator: Emulator, *, port: int = 0) -> None:
        self.emulator = emulator
        self._port = port
        self._socket: socket.socket | None = None
        self._server: uvicorn.Server | None = None

    @property
    def port(self) -> int:
        """The port in use."""
        return self._port

    @property
    def base_url(self) -> str:
        """``http://127.0.0.1:PORT/v1``, to be used in the place of ``https://api.au1.cliniko.com/v1``."""
        return f"http://{_LOOPBACK}:{self._port}/v1"

    async def __aenter__(self) -> Self:
        # Named as TCP: asyncio switches Nagle's delay off only for sockets that say so.
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((_LOOPBACK, self._port))
            listener.setblocking(False)
        except OSError:
            listener.close()
            raise
        self._socket = listener
        self._port = listener.getsockname()[1]
        self.emulator.closing.clear()
        config = uvicorn.Config(
            self.emulator.app,
            http=_tracking_protocol(self.emulator.transports),
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            date_header=False,  # the emulator sets the header
            timeout_keep_alive=75,  # seconds; longer than any pause between two requests of a test
        )
        config.load()
        self._server = uvicorn.Server(config)
        self._server.lifespan = config.lifespan_class(config)
        await self._server.startup(sockets=[listener])
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        server, self._server = self._server, None
        if server is None or self._socket is None:
            return
        self.emulator.closing.set()
        await server.shutdown(sockets=[self._socket])
        self._socket = None


def _tracking_protocol(transports: dict[tuple[str, int], asyncio.Transport]) -> type[HttpToolsProtocol]:
    """uvicorn's HTTP protocol, which also keeps each open connection by its client's address."""

    class TrackingProtocol(HttpToolsProtocol):
        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            if self.client is not None:
                transports[self.client] = transport

        def connection_lost(self, exc: Exception | None) -> None:
            super().connection_lost(exc)
            if self.client is not None:
                transports.pop(self.client, None)

    return TrackingProtocol
