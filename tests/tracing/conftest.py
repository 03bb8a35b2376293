"""A collector, and a server that sends its traces there."""

from collections.abc import AsyncIterator, Iterator

import pytest

from routiq_gql.emulator import EMULATED_API_KEY
from routiq_gql.settings import Settings
from tests.emulated_cliniko import Cliniko
from tests.server import Server
from tests.tracing.collector import Collector, collecting, set_environment


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    with collecting() as running:
        set_environment(monkeypatch, running)
        yield running


@pytest.fixture
def traced_settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"traces": True})


@pytest.fixture
async def traced(traced_settings: Settings, collector: Collector, cliniko: Cliniko) -> AsyncIterator[Server]:
    """A server with a connected organization, whose traces go to the collector."""
    async with Server(traced_settings) as server:
        await server.connect_organization(cliniko.base_url, EMULATED_API_KEY)
        yield server
        await server.without_watchers()
