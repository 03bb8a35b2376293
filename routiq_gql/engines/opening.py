"""Opens the engine that fits the database: the embedded one for SQLite, the distributed one for PostgreSQL.

Called by ``runtime``. Only here is the code imported that needs the extra ``postgres``.
"""

from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from routiq_gql.cliniko import PacerRegistry
from routiq_gql.connections.clients import ClientOpener
from routiq_gql.database.engine import Database
from routiq_gql.database.keep_out import KeepOut
from routiq_gql.database.keys import KeyStore
from routiq_gql.engines.chores import Chores
from routiq_gql.engines.embedded import EmbeddedEngine
from routiq_gql.engines.housekeeping import Housekeeping
from routiq_gql.engines.refreshing import Refreshes
from routiq_gql.engines.scheduler import Scheduler
from routiq_gql.engines.time_only import TimeOnlySyncs
from routiq_gql.live.bus import InProcessBus, ProgressBus
from routiq_gql.security.audit import Audit
from routiq_gql.settings import Settings
from routiq_gql.supervision import Supervisor
from routiq_gql.sync.engine import SyncEngine
from routiq_gql.sync.found_pages import FoundPagesKeeper
from routiq_gql.sync.pipeline import Pipeline
from routiq_gql.sync.runner import SyncRunner

if TYPE_CHECKING:
    from routiq_gql.tracing.spans import Tracing


@dataclass(frozen=True, slots=True)
class Parts:
    """Parts of a process that exist before its engine."""

    database: Database
    keys: KeyStore
    settings: Settings
    audit: Audit
    supervisor: Supervisor
    tracing: "Tracing | None" = None


@dataclass(frozen=True, slots=True)
class OpenEngine:
    """An engine and the parts that it shares with the services."""

    engine: SyncEngine
    bus: ProgressBus
    clients: ClientOpener
    runner: SyncRunner
    found_pages: FoundPagesKeeper


async def open_engine(stack: AsyncExitStack, parts: Parts, *, only_if_alone: bool = False) -> OpenEngine:
    """The engine, not running yet. The stack closes its bus; the caller closes the engine before that.

    Args:
        only_if_alone: Run syncs only while no other process does, which is always so with SQLite.
    """
    if parts.database.path is not None:
        return _open_embedded(stack, parts, parts.database.path)
    return await _open_distributed(stack, parts, only_if_alone=only_if_alone)


def _open_embedded(stack: AsyncExitStack, parts: Parts, path: Path) -> OpenEngine:
    bus = InProcessBus()
    found_pages = FoundPagesKeeper()
    clients, runner = _runner(parts, bus, PacerRegistry(parts.settings.cliniko_requests_per_minute), found_pages)
    engine = EmbeddedEngine(
        parts.database,
        runner,
        _chores(stack, parts, bus, clients, found_pages),
        path.with_name(path.name + ".lock"),
        parts.supervisor,
    )
    return OpenEngine(engine, bus, clients, runner, found_pages)


async def _open_distributed(stack: AsyncExitStack, parts: Parts, *, only_if_alone: bool) -> OpenEngine:
    # At the top these imports would need psycopg and Procrastinate, which users of SQLite don't install.
    from routiq_gql.engines.postgres.bus import PostgresBus  # noqa: PLC0415
    from routiq_gql.engines.postgres.engine import DistributedEngine  # noqa: PLC0415
    from routiq_gql.engines.postgres.pacing import shared_pacers  # noqa: PLC0415

    bus = await stack.enter_async_context(PostgresBus(parts.database, parts.supervisor))
    pacers = shared_pacers(parts.database, parts.settings.cliniko_requests_per_minute)
    found_pages = FoundPagesKeeper()
    clients, runner = _runner(parts, bus, pacers, found_pages)
    engine = DistributedEngine(
        parts.database,
        bus,
        runner,
        _chores(stack, parts, bus, clients, found_pages),
        parts.settings,
        parts.supervisor,
        only_if_alone=only_if_alone,
    )
    return OpenEngine(engine, bus, clients, runner, found_pages)


def _chores(
    stack: AsyncExitStack, parts: Parts, bus: ProgressBus, clients: ClientOpener, found_pages: FoundPagesKeeper
) -> Chores:
    refreshes = Refreshes(parts.database, bus, clients, parts.settings, found_pages)
    stack.push_async_callback(refreshes.close)
    return Chores(
        Scheduler(parts.database, bus, parts.audit),
        Housekeeping(parts.database, parts.settings),
        TimeOnlySyncs(parts.database, bus),
        refreshes,
        parts.supervisor,
    )


def _runner(
    parts: Parts, bus: ProgressBus, pacers: PacerRegistry, found_pages: FoundPagesKeeper
) -> tuple[ClientOpener, SyncRunner]:
    clients = ClientOpener(parts.database, parts.keys, parts.settings, pacers, parts.tracing)
    run_steps = Pipeline(parts.database, clients, KeepOut(parts.keys), parts.settings, found_pages).run
    time_limit = timedelta(seconds=parts.settings.sync_time_limit)
    runner = SyncRunner(parts.database, bus, run_steps, time_limit, parts.supervisor, parts.tracing)
    return clients, runner
