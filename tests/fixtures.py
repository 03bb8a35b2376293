"""The running parts that most tests need: an emulated Cliniko, a runtime or a server, and an issuer of tokens.

Those that serve also check that a test leaves nothing behind.
"""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, tzinfo
from typing import Any

import pytest

from routiq_gql import clock
from routiq_gql.database.engine import Database
from routiq_gql.database.schema import upgrade
from routiq_gql.emulator import EMULATED_API_KEY, Issuer
from routiq_gql.runtime import Runtime, open_runtime
from routiq_gql.security.viewer import LOCAL_OPERATOR
from routiq_gql.serving import server as server_module
from routiq_gql.serving.connection_table import ServerState
from routiq_gql.settings import Settings
from tests.emulated_cliniko import Cliniko, emulated_cliniko
from tests.inline_sqlite import run_with_threads
from tests.issuing import OURS, IssuerServer, issuing, jwt_settings, use_token
from tests.organization import ORGANIZATION
from tests.server import Server
from tests.waiting import until


@pytest.fixture
def threaded_sqlite(monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite runs in threads, as it does outside of tests; for tests of long statements."""
    run_with_threads(monkeypatch)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A database with all tables, without rows."""
    opened = Database(database_url)
    await upgrade(opened)
    yield opened
    await opened.close()


@pytest.fixture
def midday(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test begins at noon UTC, for comparisons that a change of the day would spoil."""
    begun = datetime.now(UTC)
    shift = begun.replace(hour=12, minute=0, second=0) - begun

    class ShiftedTime:
        @staticmethod
        def now(zone: tzinfo) -> datetime:
            return (datetime.now(UTC) + shift).astimezone(zone)

    monkeypatch.setattr(clock, "datetime", ShiftedTime)


@pytest.fixture
async def cliniko() -> AsyncIterator[Cliniko]:
    """A small clinic; a test that needs another one puts it into ``emulator.clinic``."""
    async with emulated_cliniko() as served:
        yield served


@pytest.fixture
async def runtime(settings: Settings, cliniko: Cliniko) -> AsyncIterator[Runtime]:
    """A runtime with a connected organization. No task and no watcher may be left afterwards."""
    before = asyncio.all_tasks()
    async with open_runtime(settings) as opened:
        await opened.connections.connect(LOCAL_OPERATOR, ORGANIZATION, EMULATED_API_KEY, cliniko.base_url)
        yield opened
        assert not opened.syncs.subscriptions
        assert not opened.syncs.feeds
    await _only_lasting_tasks_left(before)


@pytest.fixture
async def bare_server(settings: Settings) -> AsyncIterator[Server]:
    """A server without any connection to Cliniko. Afterwards no task and no watcher may be left."""
    before = asyncio.all_tasks()
    async with Server(settings) as server:
        yield server
        await server.without_watchers()
    await _only_lasting_tasks_left(before)


async def _only_lasting_tasks_left(before: set[asyncio.Task[Any]]) -> None:
    known = before | {asyncio.current_task()}
    # SQLAlchemy closes the connection of a cancelled statement in a separate task, which takes a moment.
    await until(lambda: all(task in known or _is_lasting(task) for task in asyncio.all_tasks()))


def _is_lasting(task: asyncio.Task[object]) -> bool:
    """Whether a task belongs to the emulator."""
    name = getattr(task.get_coro(), "__qualname__", "")
    return "RequestResponseCycle" in name or name.startswith("Server.")


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


@pytest.fixture
async def issuer_server() -> AsyncIterator[IssuerServer]:
    async with issuing() as server:
        yield server


@pytest.fixture
def issuer(issuer_server: IssuerServer) -> Issuer:
    return issuer_server.issuer


@pytest.fixture
async def guarded(settings: Settings, issuer: Issuer) -> AsyncIterator[Server]:
    """A server that asks for tokens. Its client sends the token of an admin of ``OURS``."""
    async with Server(jwt_settings(settings, issuer, auth_grace_seconds=60)) as server:
        use_token(server, issuer.token(OURS, role="admin", lifetime_seconds=600))
        yield server
        await server.without_watchers()
