"""An emulated Cliniko and a runtime connected to it, and a check that a test leaves nothing behind."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from routiq_gql.clock import utc_now
from routiq_gql.emulator import EMULATED_API_KEY, Emulator, EmulatorServer, awkward_clinic
from routiq_gql.runtime import Runtime, open_runtime
from routiq_gql.security.viewer import LOCAL_OPERATOR
from routiq_gql.settings import Settings
from tests.sync.clinic import ORGANIZATION


@dataclass(frozen=True)
class Cliniko:
    """The emulated Cliniko; a test that needs another clinic assigns ``emulator.clinic``."""

    emulator: Emulator
    base_url: str


@pytest.fixture
async def cliniko() -> AsyncIterator[Cliniko]:
    """The awkward clinic behind HTTP."""
    emulator = Emulator(awkward_clinic(utc_now()))
    async with EmulatorServer(emulator) as server:
        yield Cliniko(emulator, server.base_url)


@pytest.fixture
async def runtime(settings: Settings, cliniko: Cliniko) -> AsyncIterator[Runtime]:
    """A process that runs syncs, with a connected organization. Afterwards it must leave nothing behind."""
    before = asyncio.all_tasks()
    async with open_runtime(settings) as opened:
        await opened.connections.connect(LOCAL_OPERATOR, ORGANIZATION, EMULATED_API_KEY, cliniko.base_url)
        yield opened
        assert opened.bus.watcher_count == 0
    async with asyncio.timeout(10):
        # SQLAlchemy closes the connection of a cancelled statement in a separate task, which takes a moment.
        ours = before | {asyncio.current_task()}
        while left := [task for task in asyncio.all_tasks() - ours if "Request" not in repr(task.get_coro())]:
            await asyncio.wait(left, timeout=0.01)
