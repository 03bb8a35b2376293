"""An emulated Cliniko behind HTTP, with a gate at which a test holds a sync.

Nothing here waits for a fixed time: every wait has a limit.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from starlette.types import ASGIApp, Receive, Scope, Send

from routiq_gql.clock import utc_now
from routiq_gql.emulator import EMULATED_API_KEY, Access, Clinic, Emulator, EmulatorServer, awkward_clinic
from tests.waiting import LIMIT_SECONDS


class Gate:
    """Holds the requests to the emulated Cliniko for a resource until it is opened."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._held = ""
        self._spares_looks = False
        self._opened = asyncio.Event()
        self._reached = asyncio.Event()

    def hold(self, resource: str, *, spares_looks: bool = False) -> None:
        """Let no full page of ``resource`` through from now on; looks for the newest changes get through if spared."""
        self._held = resource
        self._spares_looks = spares_looks
        self._opened.clear()
        self._reached.clear()

    def keep(self) -> None:
        """Let everything through but the requests that are held now."""
        self._held = ""

    def open(self) -> None:
        """Let everything through."""
        self._held = ""
        self._opened.set()

    async def reached(self) -> None:
        """Return once a request is held."""
        async with asyncio.timeout(LIMIT_SECONDS):
            await self._reached.wait()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_page = b"per_page=1&" not in scope["query_string"] + b"&"  # the check of access asks for one row
        is_spared = self._spares_looks and b"sort=updated_at%3Adesc" in scope["query_string"]
        if self._held and scope["path"] == f"/v1/{self._held}" and is_page and not is_spared:
            self._reached.set()
            await self._opened.wait()
        await self._app(scope, receive, send)


@dataclass(frozen=True)
class Cliniko:
    """The emulated Cliniko and the gate before it."""

    emulator: Emulator
    gate: Gate
    base_url: str


@asynccontextmanager
async def emulated_cliniko(clinic: Clinic | None = None, access: Access | None = None) -> AsyncIterator[Cliniko]:
    """Serves the awkward clinic or another clinic, to a key with these rights. The gate opens at the end."""
    emulator = Emulator(clinic or awkward_clinic(utc_now()), api_keys={EMULATED_API_KEY: access or Access()})
    gate = emulator.app = Gate(emulator.app)
    async with EmulatorServer(emulator) as server:
        yield Cliniko(emulator, gate, server.base_url)
        gate.open()
