"""The nginx files of the examples work: on an unusual port, with TLS, tokens, websockets and streams."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect

from routiq_gql.emulator import EMULATED_API_KEY
from routiq_gql.security.token_file import TokenFile
from routiq_gql.settings import Settings
from tests.deploy.conftest import NAME, Nginx, StartNginx
from tests.emulated_cliniko import Cliniko
from tests.organization import ORGANIZATION
from tests.server import Server, read_events
from tests.waiting import LIMIT_SECONDS

PREFIXES = {"routiq.conf": "", "routiq-under-a-path.conf": "/routiq"}
"""Each example, and the path under which it serves."""


class Site:
    """The product behind nginx, for a client on another machine."""

    def __init__(self, server: Server, proxy: Nginx, prefix: str, token: str) -> None:
        self.server = server
        self.prefix = prefix
        self.authority = f"{NAME}:{proxy.port}"
        self.origin = f"https://{self.authority}"
        self.token = token
        self._port = proxy.port
        self._tls = ssl.create_default_context(cafile=str(proxy.certificate))
        self._headers = {"Host": self.authority, "Authorization": f"Bearer {token}", "Origin": self.origin}
        self.http = httpx.AsyncClient(
            base_url=f"https://127.0.0.1:{proxy.port}{prefix}",
            verify=self._tls,
            headers=self._headers,
            timeout=LIMIT_SECONDS,
        )

    async def send(self, method: str, path: str, **options: object) -> httpx.Response:
        """A request by the site's name, as a page of the site sends it."""
        return await self.http.request(method, path, extensions={"sni_hostname": NAME}, **options)  # type: ignore[arg-type]

    @asynccontextmanager
    async def socket(self) -> AsyncIterator[ClientConnection]:
        """An authenticated websocket."""
        async with connect(
            f"wss://{self.authority}{self.prefix}/graphql",
            host="127.0.0.1",
            port=self._port,
            ssl=self._tls,
            origin=self.origin,  # type: ignore[arg-type]
            subprotocols=["graphql-transport-ws"],  # type: ignore[list-item]
            proxy=None,
        ) as opened:
            payload = {"Authorization": f"Bearer {self.token}"}
            await opened.send(json.dumps({"type": "connection_init", "payload": payload}))
            assert json.loads(await opened.recv())["type"] == "connection_ack"
            yield opened


@asynccontextmanager
async def behind(
    nginx: StartNginx, example: str, settings: Settings, cliniko: Cliniko, folder: Path
) -> AsyncIterator[Site]:
    """A server with tokens behind nginx with this example."""
    tokens = TokenFile(folder / "tokens")
    _, token = tokens.add(ORGANIZATION, ["admin"])
    settings = settings.model_copy(
        update={"auth": "token", "tokens_file": str(folder / "tokens"), "allowed_hosts": (NAME,)}
    )
    async with Server(settings) as server:
        await server.connect_organization(cliniko.base_url, EMULATED_API_KEY)
        # nginx starts in a thread, as it waits for a response of the server, which runs in this thread.
        site = Site(server, await asyncio.to_thread(nginx, example, server.port), PREFIXES[example], token)
        async with site.http:
            yield site


@pytest.mark.parametrize("example", PREFIXES)
async def test_a_sync_is_started_and_followed_through_nginx(
    nginx: StartNginx, example: str, settings: Settings, cliniko: Cliniko, tmp_path: Path
):
    """Behind nginx on an unusual port, the site's pages start a sync, and socket and stream show each step at once."""
    cliniko.gate.hold("patients")
    async with behind(nginx, example, settings, cliniko, tmp_path) as site, asyncio.timeout(LIMIT_SECONDS):
        started = await site.send("POST", f"/api/v1/sync/start/{ORGANIZATION}")
        assert started.status_code == 200, started.text
        sync_id = started.json()["sync_id"]
        async with site.socket() as socket:
            query = "subscription($id: ID!) { syncProgress(syncId: $id) { status } }"
            payload = {"query": query, "variables": {"id": sync_id}}
            await socket.send(json.dumps({"id": "1", "type": "subscribe", "payload": payload}))
            assert "syncProgress" in json.loads(await socket.recv())["payload"]["data"]
            extensions = {"sni_hostname": NAME}
            async with site.http.stream("GET", f"/api/v1/sync/stream/{sync_id}", extensions=extensions) as answer:
                events = read_events(answer)
                await cliniko.gate.reached()
                # The sync is paused, so this event was not held back until the end.
                assert (await anext(events)).data
                cliniko.gate.open()
                everything = [event async for event in events]
            assert everything[-1].json["status"] == "completed"
            statuses = []
            async for message in socket:
                frame = json.loads(message)
                if frame["type"] == "complete":
                    break
                statuses.append(frame["payload"]["data"]["syncProgress"]["status"])
            assert statuses[-1] == "COMPLETED"


@pytest.mark.parametrize("example", PREFIXES)
async def test_pages_elsewhere_are_refused_through_nginx(
    nginx: StartNginx, example: str, settings: Settings, cliniko: Cliniko, tmp_path: Path
):
    """A page on the same name with another port is another site, and requests must use the server's name."""
    async with behind(nginx, example, settings, cliniko, tmp_path) as site:
        elsewhere = await site.send(
            "POST", f"/api/v1/sync/start/{ORGANIZATION}", headers={"Origin": f"https://{NAME}:1"}
        )
        assert elsewhere.status_code == 403
        assert elsewhere.json()["code"] == "ORIGIN_NOT_ALLOWED"
        renamed = await site.send(
            "GET", "/", headers={"Host": f"other.example.com:{site.authority.rpartition(':')[2]}"}
        )
        assert renamed.status_code == 421
