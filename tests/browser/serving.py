"""The server for tests of pages: with a gate in its Cliniko, and a proxy that can refuse transports.

The server runs in the session's event loop, so that a test can hold a sync at any step and inspect its requests.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.async_api import Page, expect
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from routiq_gql.clock import utc_now
from routiq_gql.emulator import EMULATED_API_KEY, Clinic, Emulator, EmulatorServer, awkward_clinic
from routiq_gql.settings import Settings
from tests.emulated_cliniko import Gate
from tests.organization import ORGANIZATION
from tests.server import Server

PAGE = Path(__file__).parents[2] / "examples" / "sync_dashboard.html"


@dataclass
class TransportProxy:
    """In front of the server like a proxy; allows only some transports for following a sync.

    Attributes:
        seen: The headers of every request and handshake, the first frame of every socket, and its time.
        renewals: The payloads of pings.
        open_streams: How many event streams are open now.
        most_streams: How many event streams were open at the same time.
    """

    refuse_sockets: bool = False
    refuse_streams: bool = False
    hold_streams: bool = False
    seen: list[dict[str, Any]] = field(default_factory=list)
    renewals: list[dict[str, Any]] = field(default_factory=list)
    open_streams: int = 0
    most_streams: int = 0

    @property
    def sockets(self) -> list[dict[str, Any]]:
        return [seen for seen in self.seen if seen["type"] == "websocket"]

    @property
    def streams(self) -> list[dict[str, Any]]:
        return [seen for seen in self.seen if "/sync/stream/" in seen["path"]]

    def around(self, app: ASGIApp) -> ASGIApp:
        async def pass_on(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] not in {"http", "websocket"}:
                await app(scope, receive, send)
                return
            noted: dict[str, Any] = {name.decode(): value.decode() for name, value in scope["headers"]}
            noted |= {"type": scope["type"], "path": scope["path"], "at": asyncio.get_running_loop().time()}
            self.seen.append(noted)
            if scope["type"] == "websocket" and self.refuse_sockets:
                await receive()
                await send({"type": "websocket.close", "code": 1008})
                return
            is_stream = scope["path"].startswith("/api/v1/sync/stream/")
            if is_stream and self.refuse_streams:
                await PlainTextResponse("No streams here", 502)(scope, receive, send)
                return

            async def receive_noted() -> Message:
                message = await receive()
                if message["type"] == "websocket.receive":
                    frame = json.loads(message["text"])
                    noted.setdefault("frame", frame)
                    if frame["type"] == "ping" and "payload" in frame:
                        self.renewals.append(frame["payload"])
                return message

            async def send_held(message: Message) -> None:
                if not (is_stream and self.hold_streams and message["type"] == "http.response.body"):
                    await send(message)

            self.open_streams += is_stream
            self.most_streams = max(self.most_streams, self.open_streams)
            try:
                await app(scope, receive_noted, send_held)
            finally:
                self.open_streams -= is_stream

        return pass_on


@dataclass(frozen=True)
class Served:
    """A running server, its Cliniko, and the proxy in front of it."""

    server: Server
    emulator: Emulator
    gate: Gate
    proxy: TransportProxy
    cliniko_url: str

    @property
    def url(self) -> str:
        return self.server.url

    async def sync(self) -> dict[str, Any]:
        """The newest sync, running or not, from GraphQL."""
        fields = "syncId status version log(after: 0) { seq level message }"
        query = f"query($id: ID!) {{ history(organizationId: $id, limit: 1) {{ recentSyncs {{ {fields} }} }} }}"
        answer = await self.server.ask(query, id=ORGANIZATION)
        return dict(answer["data"]["history"]["recentSyncs"][0])


@asynccontextmanager
async def serving(
    settings: Settings,
    *,
    clinic: Clinic | None = None,
    is_connected: bool = True,
    allowed_origins: tuple[str, ...] = (),
    **options: Any,
) -> AsyncIterator[Served]:
    """A server over an emulated Cliniko; ``options`` are those of ``create_app``."""
    emulator = Emulator(clinic or awkward_clinic(utc_now()))
    gate = emulator.app = Gate(emulator.app)
    proxy = TransportProxy()
    async with EmulatorServer(emulator) as cliniko:
        settings = settings.model_copy(
            update={"cliniko_base_url": cliniko.base_url, "allowed_origins": allowed_origins}
        )
        async with Server(settings, around=proxy.around, **{"default_organization": ORGANIZATION, **options}) as server:
            if is_connected:
                await server.connect_organization(cliniko.base_url, EMULATED_API_KEY)
            yield Served(server, emulator, gate, proxy, cliniko.base_url)
            gate.open()


async def expect_status(page: Page, word: str) -> None:
    """Return once the badge shows ``word``; until the page has loaded, the badge is hidden."""
    await expect(page.locator("#badge").filter(visible=True)).to_have_text(word)


async def shown_log(page: Page) -> list[int]:
    """The numbers of the log lines on the page, oldest first."""
    numbers = await page.locator("#log li").evaluate_all("items => items.map((item) => Number(item.dataset.seq))")
    return list(reversed(numbers))


async def expect_whole_log(page: Page, served: Served) -> None:
    """Return once the page shows every line of the newest sync's log, once and in order."""
    lines = [line["seq"] for line in (await served.sync())["log"]]
    await expect(page.locator("#log li")).to_have_count(len(lines))
    assert await shown_log(page) == lines == list(range(1, len(lines) + 1))


async def until_at_gate(served: Served, resource: str, page: Page, status: str) -> None:
    """Start a sync on the page; returns when it is held at ``resource`` and the page shows ``status``."""
    served.gate.hold(resource)
    await page.get_by_role("button", name="Start sync").click()
    await served.gate.reached()
    await expect_status(page, status)
