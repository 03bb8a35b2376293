"""What all tests share: no setting of the developer's machine, and a database of its own for each test.

Tests marked ``both_databases`` run on SQLite and on PostgreSQL; all others on SQLite, or on what ``--database`` says.
"""

import asyncio
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import make_url
from sse_starlette.sse import AppStatus

from routiq_gql.database.engine import Database
from routiq_gql.database.schema import upgrade
from routiq_gql.settings import Settings
from tests.postgres import SERVER_URL, Cluster, Databases

ENCRYPTION_KEYS = "test:dGhpcyBpcyBhIGtleSBvZiB0aGlydHktdHdvIGJ5dGU="
"""PostgreSQL has no place for a key file."""


KINDS = ("sqlite", "postgres")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--database",
        choices=KINDS,
        default="sqlite",
        help="run everything on this database, but what can be only on the other one",
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "database_kind" not in metafunc.fixturenames:
        return
    marked = {mark.name for mark in metafunc.definition.iter_markers()}
    if "both_databases" in marked and marked.isdisjoint(f"{kind}_only" for kind in KINDS):
        metafunc.parametrize("database_kind", KINDS, indirect=True)


@pytest.fixture
def database_kind(request: pytest.FixtureRequest) -> str:
    """``sqlite`` or ``postgres``."""
    for kind in KINDS:
        if request.node.get_closest_marker(f"{kind}_only"):
            return kind
    return str(getattr(request, "param", request.config.getoption("--database")))


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("ROUTIQ_"):
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _no_server_has_been_told_to_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    """sse-starlette keeps for the whole process that a signal has stopped a server, and then ends every stream."""
    monkeypatch.setattr(AppStatus, "should_exit", False)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Databases]:
    """A PostgreSQL server for this session."""
    with ExitStack() as stack:
        url = SERVER_URL or stack.enter_context(Cluster()).url
        databases = Databases(url)
        stack.callback(databases.drop_all)
        yield databases


@pytest.fixture(scope="session")
def postgres_template(postgres: Databases) -> str:
    """The name of a database with all tables, to be copied."""
    url = postgres.create()

    async def make() -> None:
        database = Database(url)
        await upgrade(database)
        await database.close()

    asyncio.run(make())
    return str(make_url(url).database)


@pytest.fixture
def empty_database_url(database_kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """Where there is nothing yet, not even a table."""
    if database_kind == "sqlite":
        yield f"sqlite+aiosqlite:///{tmp_path}/routiq.db"
        return
    databases: Databases = request.getfixturevalue("postgres")
    url = databases.create()
    yield url
    databases.drop(url)


@pytest.fixture
def new_database_url(database_kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Callable[[], str]]:
    """Makes databases without rows, one at each call."""
    numbers = count(1)
    if database_kind == "sqlite":
        yield lambda: f"sqlite+aiosqlite:///{tmp_path}/routiq{next(numbers)}.db"
        return
    template = request.getfixturevalue("postgres_template")
    databases: Databases = request.getfixturevalue("postgres")
    made: list[str] = []

    def make() -> str:
        made.append(databases.create(template))
        return made[-1]

    yield make
    for url in made:
        databases.drop(url)


@pytest.fixture
def database_url(database_kind: str, tmp_path: Path, new_database_url: Callable[[], str]) -> str:
    """A database of this test's own, without rows."""
    return new_database_url() if database_kind == "postgres" else f"sqlite+aiosqlite:///{tmp_path}/routiq.db"


@pytest.fixture
def settings(database_kind: str, database_url: str) -> Settings:
    """Settings with an empty database. Nothing is paced, and requests are repeated soon after they failed."""
    return Settings(
        database_url=database_url,
        encryption_keys=ENCRYPTION_KEYS if database_kind == "postgres" else "",
        cliniko_requests_per_minute=0,
        cliniko_retry_seconds=0.01,
        starts_per_minute=1000,
        shutdown_grace_seconds=5,
    )
