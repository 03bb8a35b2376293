"""A real issuer on loopback, which can be slow, silent or wrong, and a server that accepts its tokens."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from routiq_gql.emulator import Issuer
from routiq_gql.serving.server import Listener, listen_on_loopback, serve
from routiq_gql.settings import Settings
from tests.ports import free_port
from tests.server import Server
from tests.waiting import LIMIT_SECONDS

OURS = "org_ours"
THEIRS = "org_theirs"


class IssuerServer:
    """Serves an issuer while entered; ``stop`` and ``start`` interrupt it, on the same port.

    Attributes:
        answer: Sent in place of the public keys, once set.
        held: Delays the public keys until it is set.
    """

    def __init__(self) -> None:
        self.answer: Response | None = None
        self.held: asyncio.Event | None = None
        self._task: asyncio.Task[None] | None = None
        self._stop = asyncio.Event()
        self._listener: Listener | None = listen_on_loopback("127.0.0.1", free_port())
        self._port = self._listener.port
        self.issuer = Issuer(self._listener.url)
        jwks, *others = self.issuer.routes()

        async def public_keys(request: Request) -> Response:
            if self.held is not None:
                await self.held.wait()
            published: Response = await jwks.endpoint(request)
            return self.answer or published

        self._app = Starlette(routes=[Route(jwks.path, public_keys), *others])

    async def start(self) -> None:
        listener = self._listener or listen_on_loopback("127.0.0.1", self._port)
        self._listener = None
        self._stop.clear()
        ready = asyncio.Event()

        async def until_stopped() -> None:
            ready.set()
            await self._stop.wait()
            raise InterruptedError

        self._task = asyncio.create_task(serve(self._app, listener, grace_seconds=0, alongside=until_stopped))
        async with asyncio.timeout(LIMIT_SECONDS):
            await ready.wait()

    async def stop(self) -> None:
        if self._task is not None:
            self._stop.set()
            with suppress(InterruptedError):
                async with asyncio.timeout(LIMIT_SECONDS):
                    await self._task
            self._task = None


@asynccontextmanager
async def issuing() -> AsyncIterator[IssuerServer]:
    server = IssuerServer()
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


def jwt_settings(settings: Settings, issuer: Issuer, **more: Any) -> Settings:
    """Settings of a server that accepts the issuer's tokens."""
    values = {"auth": "jwt", "jwt_issuer": issuer.url, "allowed_hosts": ("127.0.0.1",), **more}
    return settings.model_copy(update=values)


def bearer(token: str) -> dict[str, str]:
    """The header, and the payload of ``connection_init`` or ``ping``, with a token."""
    return {"Authorization": f"Bearer {token}"}


def use_token(server: Server, token: str) -> None:
    """Make the server's default client send the token with every request."""
    server.http.headers.update(bearer(token))
