"""A real server on a free port, and clients for its streams."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Self

import httpx
from sqlalchemy import Pool
from sqlalchemy.util import greenlet_spawn
from starlette.applications import Starlette
from starlette.types import ASGIApp
from websockets.asyncio.client import ClientConnection, connect

from routiq_gql.api.demo import Demo
from routiq_gql.api.services import Services
from routiq_gql.app import create_app
from routiq_gql.runtime import Runtime
from routiq_gql.security.viewer import LOCAL_OPERATOR
from routiq_gql.serving.server import listen_on_loopback, serve
from routiq_gql.settings import Settings
from tests.organization import ORGANIZATION
from tests.ports import free_port
from tests.waiting import LIMIT_SECONDS, until


class _StopServing(Exception):
    pass


class Server:
    """The product, served as the command line serves it. Can be stopped and started again on the same port.

    ``around`` wraps it in an application of the test; ``options`` are those of a ``Demo``.
    """

    def __init__(
        self, settings: Settings, *, around: Callable[[ASGIApp], ASGIApp] = lambda app: app, **options: Any
    ) -> None:
        self.settings = settings
        self.port = 0
        self.app: Starlette
        self.http: httpx.AsyncClient
        self._around = around
        self._demo = Demo(**options)
        self._abandoned_pools: list[Pool] = []
        self._stop = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def socket_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/graphql"

    @property
    def services(self) -> Services:
        return self.app.state.parts

    @property
    def runtime(self) -> Runtime:
        return self.services.runtime

    async def start(self) -> None:
        self.app = create_app(self.settings, demo=self._demo)
        listener = listen_on_loopback("127.0.0.1", self.port or free_port())
        self.port = listener.port
        self._stop.clear()
        ready = asyncio.Event()

        async def until_stopped() -> None:
            ready.set()
            await self._stop.wait()
            raise _StopServing

        self._task = asyncio.create_task(
            serve(
                self._around(self.app),
                listener,
                grace_seconds=self.settings.shutdown_grace_seconds,
                trusted_proxies=self.settings.trusted_proxies,
                alongside=until_stopped,
                request_timeout=self.settings.request_timeout,
                max_connections=self.settings.max_connections,
            )
        )
        began = asyncio.create_task(ready.wait())
        await asyncio.wait({began, self._task}, return_when=asyncio.FIRST_COMPLETED, timeout=LIMIT_SECONDS)
        if not ready.is_set():
            began.cancel()
            await self._task

    async def stop(self) -> None:
        if self._task is None:
            return
        self._stop.set()
        task, self._task = self._task, None
        try:
            async with asyncio.timeout(LIMIT_SECONDS):
                await task
        except _StopServing:
            pass

    async def __aenter__(self) -> Self:
        await self.start()
        self.http = httpx.AsyncClient(base_url=self.url, timeout=LIMIT_SECONDS, verify=False)  # no TLS here
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()
        await self.http.aclose()
        for pool in self._abandoned_pools:
            await greenlet_spawn(pool.dispose)

    async def connect_organization(self, base_url: str, api_key: str, organization_id: str = ORGANIZATION) -> None:
        await self.runtime.connections.connect(LOCAL_OPERATOR, organization_id, api_key, base_url)

    async def start_sync(self, organization_id: str = ORGANIZATION) -> str:
        answer = await self.http.post(f"/api/v1/sync/start/{organization_id}")
        assert answer.status_code == 200, answer.text
        return str(answer.json()["sync_id"])

    async def status(self, sync_id: str) -> dict[str, Any]:
        answer = await self.http.get(f"/api/v1/sync/status/{sync_id}")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def until_ended(self, sync_id: str) -> dict[str, Any]:
        """The final status, read from the stream."""
        async with self.stream(sync_id) as events:
            everything = [event async for event in events]
        return dict(everything[-1].json)

    async def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        """The JSON response to a GraphQL operation over HTTP."""
        answer = await self.http.post("/graphql", json={"query": query, "variables": variables})
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def break_database(self) -> None:
        """Replace the database's files by files that are no database."""
        database = self.runtime.database
        # A connection that is in use goes back to this pool afterwards, and nothing else would close it.
        self._abandoned_pools.append(database._engine.sync_engine.pool)
        await database.close()
        for suffix in ("-wal", "-shm", ""):
            # Not written into the old files: a process that has them in memory would crash.
            garbage = database.path.with_name("garbage")
            garbage.write_bytes(b"this is no database " * 400)
            garbage.replace(database.path.with_name(database.path.name + suffix))

    async def without_watchers(self) -> None:
        """Return once there are no watchers, which happens at once or never."""
        syncs = self.runtime.syncs
        await until(lambda: not syncs.subscriptions and not syncs.feeds)

    @asynccontextmanager
    async def stream(
        self, sync_id: str, last_event_id: str | None = None, **parameters: str
    ) -> AsyncIterator[AsyncIterator["Event"]]:
        headers = {} if last_event_id is None else {"Last-Event-ID": last_event_id}
        path = f"/api/v1/sync/stream/{sync_id}"
        async with (
            asyncio.timeout(LIMIT_SECONDS),
            self.http.stream("GET", path, headers=headers, params=parameters) as answer,
        ):
            assert answer.status_code == 200, await answer.aread()
            yield read_events(answer)


@dataclass
class Event:
    """A server-sent event."""

    name: str = ""
    id: str = ""
    data: str = ""
    comments: list[str] = field(default_factory=list)

    @property
    def json(self) -> Any:
        return json.loads(self.data)


async def read_events(answer: httpx.Response) -> AsyncIterator[Event]:
    """Events as a browser reads them: only those with data; comments join the next event."""
    event = Event()
    async for line in answer.aiter_lines():
        if not line:
            if event.data:
                yield event
                event = Event()
            continue
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        match name:
            case "":
                event.comments.append(value)
            case "event":
                event.name = value
            case "id":
                event.id = value
            case "data":
                event.data = value


class Socket:
    """A client of ``graphql-transport-ws`` that returns every frame."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    async def send(self, frame: object) -> None:
        await self.connection.send(frame if isinstance(frame, str | bytes) else json.dumps(frame))

    async def receive(self) -> dict[str, Any]:
        async with asyncio.timeout(LIMIT_SECONDS):
            return dict(json.loads(await self.connection.recv()))

    async def init(self, **message: object) -> None:
        await self.send({"type": "connection_init", **message})
        assert await self.receive() == {"type": "connection_ack"}

    async def subscribe(self, query: str, operation: str = "1", **variables: object) -> None:
        await self.send({"id": operation, "type": "subscribe", "payload": {"query": query, "variables": variables}})

    async def results(self, operation: str = "1") -> list[dict[str, Any]]:
        """The payloads of an operation until it completes; no other operation may be open."""
        payloads = []
        while (frame := await self.receive())["type"] == "next":
            assert frame["id"] == operation
            payloads.append(frame["payload"])
        assert frame == {"id": operation, "type": "complete"}
        return payloads

    async def closed(self) -> tuple[int | None, str | None]:
        """Code and reason of the server's close."""
        async with asyncio.timeout(LIMIT_SECONDS):
            await self.connection.wait_closed()
        return self.connection.close_code, self.connection.close_reason


@asynccontextmanager
async def open_socket(server: Server, *, init: bool = True, **options: Any) -> AsyncIterator[Socket]:
    async with connect(server.socket_url, subprotocols=["graphql-transport-ws"], **options) as connection:
        socket = Socket(connection)
        if init:
            await socket.init()
        yield socket
