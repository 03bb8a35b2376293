"""An emulated clinic behind a real socket, and a client with the headers that Cliniko requires."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime

import httpx
import pytest

from routiq_gql.emulator import EMULATED_API_KEY, Clinic, Emulator, EmulatorServer, awkward_clinic

NOW = datetime(2024, 12, 22, 14, 30, 22, tzinfo=UTC)
Serve = Callable[[Emulator], Awaitable[httpx.AsyncClient]]


@pytest.fixture
def clinic() -> Clinic:
    """The awkward clinic around a fixed time."""
    return awkward_clinic(NOW)


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Serves an emulator until the test ends; returns a client for it with a contact and a working key."""
    async with AsyncExitStack() as stack:

        async def start(emulator: Emulator) -> httpx.AsyncClient:
            server = await stack.enter_async_context(EmulatorServer(emulator))
            return await stack.enter_async_context(
                httpx.AsyncClient(
                    base_url=server.base_url,
                    auth=(EMULATED_API_KEY, ""),
                    headers={"User-Agent": "Routiq (ops@example.com)"},
                    timeout=10,
                )
            )

        yield start
