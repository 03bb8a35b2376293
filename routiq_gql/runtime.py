"""Wires the parts of one process by hand: database, keys, bus, engine and services.

Used by the app and by the command line.
"""

import asyncio
import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta

import structlog

from routiq_gql.database.engine import Database
from routiq_gql.database.keys import KeyStore
from routiq_gql.database.schema import upgrade
from routiq_gql.errors import SettingsError
from routiq_gql.settings import Settings
from routiq_gql.sync.bus import InProcessBus
from routiq_gql.sync.clients import ClientOpener
from routiq_gql.sync.connections import ConnectionService
from routiq_gql.sync.engine import EmbeddedEngine
from routiq_gql.sync.housekeeping import Housekeeping
from routiq_gql.sync.pipeline import Pipeline
from routiq_gql.sync.service import SyncService

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Runtime:
    """The parts that doors and commands use.

    Attributes:
        worker: What runs syncs in the background; ``None`` in a process that leaves them to others.
    """

    settings: Settings
    database: Database
    bus: InProcessBus
    engine: EmbeddedEngine
    connections: ConnectionService
    syncs: SyncService
    worker: asyncio.Task[None] | None

    @property
    def is_working(self) -> bool:
        """Whether the worker lives: it runs syncs, or waits for the lock that another process holds."""
        return self.worker is not None and not self.worker.done()


@asynccontextmanager
async def open_runtime(settings: Settings, *, run_syncs: bool = True) -> AsyncIterator[Runtime]:
    """Bring the database up to date and open everything; with ``run_syncs``, run syncs in the background.

    On leaving, running syncs are stopped within ``shutdown_grace_seconds`` and go on with the next start.

    Raises:
        StorageError: The database can't be used.
        SettingsError: The encryption keys are missing or wrong.
    """
    database = Database(settings.database_url)
    if database.path is None:
        raise SettingsError("Syncs run on SQLite only, so far. `routiq-gql db upgrade` works with PostgreSQL.")
    try:
        await upgrade(database)
        keys = KeyStore(settings.encryption_keys, database.path)
        keys.load()  # wrong keys end the start, not the first sync
        bus = InProcessBus()
        clients = ClientOpener(database, keys, settings)
        pipeline = Pipeline(database, clients, settings)
        engine = EmbeddedEngine(
            database,
            bus,
            pipeline.run,
            Housekeeping(database, settings),
            timedelta(seconds=settings.sync_time_limit),
            database.path.with_name(database.path.name + ".lock"),
        )
        connections = ConnectionService(database, keys, clients, engine, bus, settings)
        syncs = SyncService(database, bus, engine, settings.reread_seconds)
        worker = asyncio.create_task(engine.run_worker(), name="sync engine") if run_syncs else None
        if worker is not None:
            worker.add_done_callback(_tell_of_fault)
        try:
            yield Runtime(settings, database, bus, engine, connections, syncs, worker)
        finally:
            await engine.close(timedelta(seconds=settings.shutdown_grace_seconds))
            if worker is not None:
                worker.cancel()
                with suppress(asyncio.CancelledError):
                    await worker
    finally:
        await database.close()


def _tell_of_fault(worker: asyncio.Task[None]) -> None:
    """Log at once why the worker died; its error rises only when the runtime is closed."""
    error = None if worker.cancelled() else worker.exception()
    if error is not None:
        where = traceback.format_tb(error.__traceback__)[-4:]
        log.error("engine_stopped", error=type(error).__name__, where=where)
