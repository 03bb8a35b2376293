"""Fixtures of all tests: the developer's settings are ignored, and each test has a separate database.

Tests marked ``both_databases`` run on SQLite and on PostgreSQL; all others on SQLite, or on the database of
``--database``.
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from filelock import FileLock

from routiq_gql.settings import Settings
from tests.certificates import write_certificate
from tests.inline_sqlite import run_without_threads, run_without_waiting_for_the_disk
from tests.kinds import ProcessGuard, mark_by_kind, may_start_processes
from tests.made_once import share_between_servers, tune_gc_for_tests
from tests.node_projects import installed
from tests.order import start_slow_tests_first
from tests.postgres import Databases, SharedServer
from tests.tables import make_tables

ENCRYPTION_KEYS = "test:dGhpcyBpcyBhIGtleSBvZiB0aGlydHktdHdvIGJ5dGU="
"""PostgreSQL has no place for a key file."""

pytest_plugins = ["tests.fixtures"]
KINDS = ("sqlite", "postgres")
SHARED_FOLDER = pytest.StashKey[Path]()
GUARD = pytest.StashKey[ProcessGuard]()

# A busy machine takes longer than the 200 ms that an example may take otherwise.
hypothesis.settings.register_profile(
    "busy machine", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("busy machine")


def pytest_configure(config: pytest.Config) -> None:
    """Create the folder shared by all workers of this test run, or get it from the main process."""
    config.stash[GUARD] = ProcessGuard()
    worker: dict[str, str] | None = getattr(config, "workerinput", None)
    config.stash[SHARED_FOLDER] = Path(worker["shared_folder"] if worker else tempfile.mkdtemp(prefix="routiq-tests-"))


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """pytest-xdist starts a worker."""
    node.workerinput["shared_folder"] = str(node.config.stash[SHARED_FOLDER])


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the shared server, after all workers have ended."""
    if not hasattr(config, "workerinput"):
        folder = config.stash[SHARED_FOLDER]
        SharedServer(folder).close()
        shutil.rmtree(folder)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Iterator[None]:
    """Mark all tests by the parts they need, before ``-m`` selects some of them; then order the selected tests."""
    for item in items:
        mark_by_kind(item)
    yield
    start_slow_tests_first(items, int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")))


def pytest_collection_finish() -> None:
    tune_gc_for_tests()


@pytest.fixture(scope="session", autouse=True)
def _made_once() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        share_between_servers(patch)
        run_without_waiting_for_the_disk(patch)
        run_without_threads(patch)
        yield


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    guard = item.config.stash[GUARD]
    guard.item = None if may_start_processes(item) else item
    try:
        return (yield)
    finally:
        guard.item = None


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


@pytest.fixture(scope="session")
def one_authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The certificate of a single authority, which has signed no other certificate.

    A client loads all authorities of the machine at each start, which takes 50 ms of processor time; tests start
    thousands of clients, and all connect to loopback.
    """
    return write_certificate(tmp_path_factory.mktemp("authority"), "nobody", "authority.invalid")


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch, one_authority: Path) -> None:
    for name in list(os.environ):
        if name.startswith("ROUTIQ_"):
            monkeypatch.delenv(name)
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    monkeypatch.setenv("SSL_CERT_FILE", str(one_authority))


@pytest.fixture(scope="session")
def shared_folder(pytestconfig: pytest.Config) -> Path:
    """A folder shared by all workers of this test run, for things made once; use it under a file lock."""
    return pytestconfig.stash[SHARED_FOLDER]


@pytest.fixture(scope="session")
def npm() -> Callable[[Path], Path]:
    """Installs an npm project of this repository: ``npm(folder)``. Its tests belong to `make test-apps`."""
    return installed


@pytest.fixture(scope="session")
def postgres(shared_folder: Path) -> Iterator[Databases]:
    """Makes databases on the PostgreSQL server of this test run."""
    databases = SharedServer(shared_folder).databases()
    yield databases
    databases.drop_all()


@pytest.fixture(scope="session")
def postgres_template(postgres: Databases) -> str:
    """The name of a database with all tables, from which copies are made."""
    return postgres.template


@pytest.fixture(scope="session")
def sqlite_template(shared_folder: Path) -> Path:
    """A database file with all tables, from which copies are made: creating them takes more time than most tests."""
    template = shared_folder / "template.db"
    with FileLock(shared_folder / "template.lock"):
        if not template.exists():
            made = shared_folder / "unfinished.db"
            make_tables(f"sqlite+aiosqlite:///{made}")
            made.rename(template)
    return template


@pytest.fixture
def empty_database_url(database_kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of an empty database, without tables."""
    if database_kind == "sqlite":
        yield f"sqlite+aiosqlite:///{tmp_path}/routiq.db"
        return
    databases: Databases = request.getfixturevalue("postgres")
    url = databases.create()
    yield url
    databases.drop(url)


@pytest.fixture
def new_database_url(database_kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Callable[[], str]]:
    """Makes a database without rows at each call."""
    numbers = count(1)
    if database_kind == "sqlite":
        empty: Path = request.getfixturevalue("sqlite_template")
        yield lambda: _copied(empty, tmp_path / f"routiq{next(numbers)}.db")
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
def database_url(database_kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> str:
    """A separate database for the test, without rows."""
    if database_kind == "sqlite":
        return _copied(request.getfixturevalue("sqlite_template"), tmp_path / "routiq.db")
    return str(request.getfixturevalue("new_database_url")())


def _copied(template: Path, path: Path) -> str:
    shutil.copyfile(template, path)
    return f"sqlite+aiosqlite:///{path}"


@pytest.fixture
def settings(database_kind: str, database_url: str) -> Settings:
    """Settings with an empty database. Requests are not paced, and failed requests are retried soon."""
    return _settings_for(database_kind).model_copy(update={"database_url": database_url})


@cache
def _settings_for(database_kind: str) -> Settings:
    """Made once, as reading settings takes longer than copying them. The fixtures remove those of the environment."""
    return Settings(
        database_url="sqlite+aiosqlite:///replaced.db",
        encryption_keys=ENCRYPTION_KEYS if database_kind == "postgres" else "",
        cliniko_requests_per_minute=0,
        cliniko_retry_seconds=0.01,
        starts_per_minute=1000,
        shutdown_grace_seconds=5,
    )
