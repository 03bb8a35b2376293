"""A server, the emulated Cliniko behind it, and a check that a test leaves nothing behind."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from routiq_gql.clock import utc_now
from routiq_gql.emulator import EMULATED_API_KEY, Emulator, EmulatorServer, awkward_clinic
from routiq_gql.serving import server as server_module
from routiq_gql.serving.connection_table import ServerState
from routiq_gql.settings import Settings
from tests.api.serving import Gate, Server, until


@dataclass(frozen=True)
class Cliniko:
    """The emulated Cliniko and the gate in front of it."""

    emulator: Emulator
    gate: Gate
    base_url: str


@pytest.fixture
async def cliniko() -> AsyncIterator[Cliniko]:
    """A small clinic; a test that needs another assigns ``emulator.clinic``."""
    emulator = Emulator(awkward_clinic(utc_now()))
    gate = emulator.app = Gate(emulator.app)
    async with EmulatorServer(emulator) as server:
        yield Cliniko(emulator, gate, server.base_url)
        gate.open()


@pytest.fixture
async def bare_server(settings: Settings) -> AsyncIterator[Server]:
    """A server without any connection to Cliniko. Afterwards no task and no watcher may be left."""
    before = asyncio.all_tasks()
    async with Server(settings) as server:
        yield server
        await server.without_watchers()
    known = before | {asyncio.current_task()}
    # SQLAlchemy closes the connection of a cancelled statement in a separate task, which takes a moment.
    await until(lambda: all(task in known or _is_lasting(task) for task in asyncio.all_tasks()))


@pytest.fixture
async def server(bare_server: Server, cliniko: Cliniko) -> Server:
    """A server with an organization that is connected to the emulated Cliniko."""
    await bare_server.connect_organization(cliniko.base_url, EMULATED_API_KEY)
    return bare_server


@pytest.fixture
def states(monkeypatch: pytest.MonkeyPatch) -> list[ServerState]:
    """The server states of this test, in the order of their starts."""
    made: list[ServerState] = []

    class RecordedState(ServerState):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            made.append(self)

    monkeypatch.setattr(server_module, "ServerState", RecordedState)
    return made


def _is_lasting(task: asyncio.Task[object]) -> bool:
    """The emulator's tasks, and sse-starlette's single watcher per event loop, which waits for the server's end."""
    name = getattr(task.get_coro(), "__qualname__", "")
    return name == "_shutdown_watcher" or "RequestResponseCycle" in name or name.startswith("Server.")
