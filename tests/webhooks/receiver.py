"""A real HTTP server on loopback that receives webhooks, and can answer in every wrong way."""

import asyncio
import json
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

OK = b"HTTP/1.1 204 No Content\r\n\r\n"


@dataclass
class Received:
    """A request as it arrived. ``number`` counts all of them from 1."""

    number: int
    target: str
    headers: dict[str, str]
    body: bytes
    answered: bytes | None = field(default=None, repr=False)

    @property
    def event_id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def content(self) -> Any:
        return json.loads(self.body)

    @property
    def is_accepted(self) -> bool:
        return self.answered is not None and self.answered.startswith(b"HTTP/1.1 2")


Behaviour = Callable[[Received], Awaitable[bytes | None]]
"""Returns the bytes of the answer; after ``None`` the connection is closed without one."""


def answer(status: int, body: bytes = b"", **headers: str) -> bytes:
    """A complete response. Underscores in header names become dashes."""
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def accept(_request: Received) -> bytes | None:
    return OK


async def hang(_request: Received) -> bytes | None:
    await asyncio.Event().wait()
    return None


class Receiver:
    """Serves while entered. ``stop`` and ``start`` restart it at the same port."""

    def __init__(self, behave: Behaviour = accept, tls: ssl.SSLContext | None = None) -> None:
        self.behave = behave
        self.received: list[Received] = []
        self.connections = 0
        self.port = 0
        self._tls = tls
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[Any]] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    @property
    def accepted(self) -> list[Received]:
        return [one for one in self.received if one.is_accepted]

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Close the port and every connection."""
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        try:
            while await self._serve_one(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        pairs = [line.partition(":") for line in lines if line]
        headers = {name.lower(): value.strip() for name, _, value in pairs}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        request = Received(len(self.received) + 1, first.split(" ")[1], headers, body)
        self.received.append(request)
        content = await self.behave(request)
        if content is None:
            return False
        request.answered = content
        writer.write(content)
        await writer.drain()
        return True
