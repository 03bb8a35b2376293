"""The emulated Clinikos in process, behind httpx: a network that hands requests to the emulators' ASGI applications.

Latency and the faults of the connection take virtual time. The faults of the responses are the emulator's own.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx

from routiq_gql.emulator import Emulator

FIRST_PORT = 7001
HOST = "127.0.0.1"


class Network:
    """The network between the simulated processes and the emulators.

    Attributes:
        emulators: By port.
        latency: Draws the virtual seconds of one way.
        is_cut: Whether no connection can be made at the moment.
        on_response: Called with the port and the status of each response of an emulator.
        on_send: Called with the port of each request before it is sent.
        on_flight: Called with 1 when a request begins, and with -1 when it has ended.
        is_dead: Whether the calling process has been killed.
    """

    def __init__(self, emulators: list[Emulator]) -> None:
        self.emulators = {FIRST_PORT + number: one for number, one in enumerate(emulators)}
        self.latency: Callable[[], float] = lambda: 0.0
        self.is_cut = False
        self.is_dead: Callable[[], bool] = lambda: False
        self.on_send: Callable[[int], None] = lambda _port: None
        self.on_flight: Callable[[int], None] = lambda _change: None
        self.on_response: Callable[[int, int], None] = lambda _port, _status: None
        self._clients = 0

    async def exchange(self, request: httpx.Request) -> httpx.Response:
        """The emulator's response, or httpx's error of a connection that failed."""
        self.on_send(request.url.port or 0)
        self.on_flight(1)
        try:
            return await self._exchange(request)
        finally:
            self.on_flight(-1)

    async def _exchange(self, request: httpx.Request) -> httpx.Response:
        limits = request.extensions["timeout"]
        await asyncio.sleep(self.latency())
        if self.is_cut or self.is_dead():
            raise httpx.ConnectError("cut", request=request)
        port = request.url.port or 0
        self._clients += 1
        exchange = _Exchange(self.emulators[port], request, ("127.0.0.1", self._clients))
        try:
            async with asyncio.timeout(limits["read"]):
                await exchange.run()
        except TimeoutError:
            raise httpx.ReadTimeout("no response", request=request) from None
        await asyncio.sleep(self.latency())
        if self.is_dead():
            raise httpx.ReadError("dead", request=request)
        if exchange.status is None:
            raise httpx.RemoteProtocolError("no response", request=request)
        self.on_response(port, exchange.status)
        if not exchange.is_complete:
            return httpx.Response(exchange.status, headers=exchange.headers, stream=_CutStream(exchange.body, request))
        return httpx.Response(exchange.status, headers=exchange.headers, stream=_Stream(exchange.body))


class _Exchange:
    """A request to an emulator, in the form of ASGI."""

    def __init__(self, emulator: Emulator, request: httpx.Request, client: tuple[str, int]) -> None:
        self._emulator = emulator
        self._client = client
        self._scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": request.method,
            "scheme": "http",
            "path": request.url.path,
            "raw_path": request.url.raw_path,
            "query_string": request.url.query,
            "root_path": "",
            "headers": [(name.lower(), value) for name, value in request.headers.raw],
            "server": (HOST, request.url.port),
            "client": client,
        }
        self._has_left = asyncio.Event()
        self._is_sent = False
        self.status: int | None = None
        self.headers: list[tuple[bytes, bytes]] = []
        self.body = b""
        self.is_complete = False

    async def run(self) -> None:
        self._emulator.transports[self._client] = self  # type: ignore[assignment]
        try:
            await self._emulator.app(self._scope, self._receive, self._send)
        finally:
            self._emulator.transports.pop(self._client, None)

    def close(self) -> None:
        """The emulator closes the connection."""
        self._has_left.set()

    async def _receive(self) -> dict[str, Any]:
        if not self._is_sent:
            self._is_sent = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self._has_left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], list(message["headers"])
        else:
            self.body += message.get("body", b"")
            self.is_complete = not message.get("more_body", False)


class _Stream(httpx.AsyncByteStream):
    def __init__(self, body: bytes) -> None:
        self._body = body

    async def __aiter__(self):  # type: ignore[no-untyped-def]
        yield self._body


class _CutStream(_Stream):
    """A body whose connection closes in its middle."""

    def __init__(self, body: bytes, request: httpx.Request) -> None:
        super().__init__(body)
        self._request = request

    async def __aiter__(self):  # type: ignore[no-untyped-def]
        yield self._body
        raise httpx.RemoteProtocolError("cut", request=self._request)
