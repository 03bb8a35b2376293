"""A bare ASGI application on the product's server: ``python -m tests.bench.live.bare_server PORT [FRAME [BODY]]``.

It has the product's protocol classes and nothing of its application. Its websocket answers each message with prepared
text and sends prepared text to all; a Starlette route responds with a prepared JSON object. FRAME and BODY are the
texts of another server, so that sizes are equal.
"""

import asyncio
import json
import re
import sys
import time

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route, WebSocketRoute
from starlette.types import Receive, Scope, Send

from routiq_gql.serving.open_files import raise_limit
from routiq_gql.serving.server import listen_on_loopback, serve
from tests.bench.live.control import Answer, Command, obey
from tests.bench.live.states import FIRST_VERSION

ACK = '{"type":"connection_ack"}'
_VERSION = re.compile(r'("version": ?)\d+')


class Bare:
    """The application."""

    def __init__(self, frame: str, body: str) -> None:
        self._frame = frame
        self._object = json.loads(body)
        self._senders: set[Send] = set()
        self._version = FIRST_VERSION
        self.app = Starlette(routes=[Route("/status", self.status), WebSocketRoute("/graphql", _Socket(self))])

    async def status(self, _request: Request) -> JSONResponse:
        return JSONResponse(self._object)

    async def follow(self, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept", "subprotocol": "graphql-transport-ws"})
        await receive()
        await send({"type": "websocket.send", "text": ACK})
        await receive()
        await send({"type": "websocket.send", "text": self._text()})
        self._senders.add(send)
        while (await receive())["type"] != "websocket.disconnect":
            pass
        self._senders.discard(send)

    async def publish(self) -> Answer:
        """Send the next text to all."""
        self._version += 1
        message = {"type": "websocket.send", "text": self._text()}
        at = time.monotonic_ns()
        for send in list(self._senders):
            await send(message)
        return {"version": self._version, "at": at}

    def _text(self) -> str:
        return _VERSION.sub(rf"\g<1>{self._version}", self._frame)


class _Socket:
    """Makes Starlette pass the plain ASGI callables."""

    def __init__(self, bare: Bare) -> None:
        self._bare = bare

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        await self._bare.follow(receive, send)


async def serve_bare(port: int, frame: str, body: str) -> None:
    raise_limit()
    bare = Bare(frame, body)
    listener = listen_on_loopback("127.0.0.1", 0)
    commands: dict[str, Command] = {"publish": bare.publish, "prepare": lambda _rounds: {}}

    async def obey_benchmark() -> None:
        await obey(port, commands, port=listener.port, version=FIRST_VERSION)

    await serve(bare.app, listener, grace_seconds=1, alongside=obey_benchmark)


if __name__ == "__main__":
    given = sys.argv[1:]
    asyncio.run(serve_bare(int(given[0]), given[1] if given[1:] else "{}", given[2] if given[2:] else "{}"))
