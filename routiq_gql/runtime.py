"""Wires the parts of one process by hand: database, keys, bus, engine and services.

Used by the app and by the command line.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta

from routiq_gql.database.engine import Database
from routiq_gql.database.keys import load_key_ring
from routiq_gql.database.schema import upgrade
from routiq_gql.settings import Settings
from routiq_gql.sync.bus import InProcessBus
from routiq_gql.sync.connections import ConnectionService
from routiq_gql.sync.engine import EmbeddedEngine
from routiq_gql.sync.pipeline import Pipeline
from routiq_gql.sync.service import SyncService


@dataclass(frozen=True, slots=True)
class Runtime:
    """The parts that doors and commands use."""

    settings: Settings
    database: Database
    bus: InProcessBus
    engine: EmbeddedEngine
    connections: ConnectionService
    syncs: SyncService


@asynccontextmanager
async def open_runtime(settings: Settings, *, run_syncs: bool = True) -> AsyncIterator[Runtime]:
    """Bring the database up to date and open everything; with ``run_syncs``, run syncs in the background.

    On leaving, running syncs are stopped within ``shutdown_grace_seconds`` and go on with the next start.

    Raises:
        StorageError: The database can't be used.
        SettingsError: The encryption keys are missing or wrong.
    """
    database = Database(settings.database_url)
    try:
        await upgrade(database)
        keys = load_key_ring(settings.encryption_keys, database.path)
        bus = InProcessBus()
        connections = ConnectionService(database, keys, settings)
        pipeline = Pipeline(database, connections, settings)
        engine = EmbeddedEngine(database, bus, pipeline.run, timedelta(seconds=settings.sync_time_limit))
        syncs = SyncService(database, bus, engine, settings.reread_seconds)
        runtime = Runtime(settings, database, bus, engine, connections, syncs)
        worker = asyncio.create_task(engine.run_worker(), name="sync engine") if run_syncs else None
        try:
            yield runtime
        finally:
            await engine.close(timedelta(seconds=settings.shutdown_grace_seconds))
            if worker is not None:
                worker.cancel()
                with suppress(asyncio.CancelledError):
                    await worker
    finally:
        await database.close()
