"""Wires the parts of one process by hand: database, keys, bus, engine and services.

Used by the app and by the command line. ``engines.opening`` selects the engine.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from routiq_gql.connections.clients import ClientOpener
from routiq_gql.connections.network import check_routes
from routiq_gql.connections.service import ConnectionService
from routiq_gql.database.engine import Database
from routiq_gql.database.keep_out import KeepOut
from routiq_gql.database.keys import KeyStore
from routiq_gql.database.schema import upgrade
from routiq_gql.engines.file_watch import FileWatch
from routiq_gql.engines.opening import Parts, open_engine
from routiq_gql.engines.readiness import Readiness
from routiq_gql.errors import frames_of
from routiq_gql.live.bus import ProgressBus
from routiq_gql.organizations.feeds import Feeds
from routiq_gql.organizations.schedules import ScheduleService
from routiq_gql.patients.changes import PatientChanges
from routiq_gql.patients.erasure import PatientErasures
from routiq_gql.patients.export import PatientExports
from routiq_gql.patients.service import Patients
from routiq_gql.security.audit import Audit
from routiq_gql.security.stream_tokens import StreamTokens
from routiq_gql.settings import Settings
from routiq_gql.supervision import Supervisor
from routiq_gql.sync.engine import SyncEngine
from routiq_gql.sync.found_pages import FoundPagesKeeper
from routiq_gql.sync.service import SyncService
from routiq_gql.tracing.opening import open_tracing
from routiq_gql.webhooks.delivering import Deliveries
from routiq_gql.webhooks.registry import Webhooks

if TYPE_CHECKING:
    from routiq_gql.tracing.spans import Tracing

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Runtime:
    """The parts that the API and the commands use.

    Attributes:
        clients: Opens clients for Cliniko from stored connections.
        found_pages: What looks at Cliniko have read, until their syncs begin.
        keep_out: The erased patients, whom no sync stores.
        supervisor: The supervised tasks, which live as long as the process.
        worker: The background task that runs syncs; ``None`` in a process that leaves them to others.
        tracing: Makes spans; ``None`` when traces are off.
    """

    settings: Settings
    database: Database
    bus: ProgressBus
    engine: SyncEngine
    audit: Audit
    connections: ConnectionService
    syncs: SyncService
    patients: Patients
    patient_changes: PatientChanges
    patient_exports: PatientExports
    erasures: PatientErasures
    stream_tokens: StreamTokens
    schedules: ScheduleService
    webhooks: Webhooks
    deliveries: Deliveries
    clients: ClientOpener
    found_pages: FoundPagesKeeper
    keep_out: KeepOut
    supervisor: Supervisor
    readiness: Readiness
    file_watch: FileWatch
    worker: asyncio.Task[None] | None
    tracing: "Tracing | None"

    @property
    def is_working(self) -> bool:
        """Whether the worker lives, or this process leaves syncs to other processes."""
        return self.worker is None or not self.worker.done()


@asynccontextmanager
async def open_runtime(
    settings: Settings, *, run_syncs: bool = True, only_if_alone: bool = False
) -> AsyncIterator[Runtime]:
    """Bring the database up to date and open everything; with ``run_syncs``, run syncs in the background.

    On exit, running syncs are stopped within ``shutdown_grace_seconds``. They resume in another process, or with the
    next start.

    Args:
        only_if_alone: Run syncs only while no other process does, which is always so with SQLite.

    Raises:
        StorageError: The database can't be used.
        SettingsError: The encryption keys are missing or wrong, or a proxy that syncs need can't be used.
    """
    async with AsyncExitStack() as stack:
        tracing = await stack.enter_async_context(open_tracing(is_on=settings.traces))
        supervisor = Supervisor()
        database = Database(settings.database_url)
        stack.push_async_callback(database.close)
        await upgrade(database)
        file_watch = FileWatch(database, supervisor)
        if database.path is not None:
            stack.push_async_callback(_end, asyncio.create_task(file_watch.run(), name="file watch"))
        audit = Audit(database, supervisor)
        stack.push_async_callback(audit.close)
        keys = KeyStore(settings.encryption_keys, database.path)
        keys.load()  # wrong keys fail the start, not the first sync
        if run_syncs:
            await check_routes(database, settings)
        parts = Parts(database, keys, settings, audit, supervisor, tracing)
        opened = await open_engine(stack, parts, only_if_alone=only_if_alone)
        engine, bus = opened.engine, opened.bus
        connections = ConnectionService(database, keys, opened.clients, engine, bus, audit, settings)
        feeds = await stack.enter_async_context(Feeds(database, bus, engine, settings, supervisor))
        audit.on_request = feeds.interest.note
        syncs = SyncService(database, bus, engine, audit, settings, feeds, tracing)
        readiness = Readiness(database, supervisor, opened.runner.pauses)
        stack.push_async_callback(readiness.close)
        worker = asyncio.create_task(engine.run_worker(), name="sync engine") if run_syncs else None
        if worker is not None:
            worker.add_done_callback(_log_fault)
        deliveries = Deliveries(database, keys, settings, supervisor)
        if run_syncs:
            deliveries.start(lambda: engine.works_here)
        try:
            schedules, webhooks = ScheduleService(database, audit), Webhooks(database, keys, audit, settings)
            patients, exports = Patients(database, keys, audit), PatientExports(database, audit)
            changes = PatientChanges(database, audit, feeds, syncs.subscriptions)
            keep_out = KeepOut(keys)
            erasures = PatientErasures(database, keep_out, audit)
            tokens = StreamTokens(keys, syncs.status, audit)
            yield Runtime(
                *(settings, database, bus, engine, audit, connections, syncs),
                *(patients, changes, exports, erasures, tokens, schedules),
                *(webhooks, deliveries, opened.clients, opened.found_pages, keep_out),
                *(supervisor, readiness, file_watch),
                worker,
                tracing,
            )
        finally:
            await asyncio.gather(deliveries.close(), engine.close(timedelta(seconds=settings.shutdown_grace_seconds)))
            if worker is not None:
                worker.cancel()
                with suppress(asyncio.CancelledError):
                    await worker


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait({task})


def _log_fault(worker: asyncio.Task[None]) -> None:
    """Log at once why the worker died; its error is raised only when the runtime closes."""
    error = None if worker.cancelled() else worker.exception()
    if error is not None:
        where = frames_of(error)
        log.error("engine_stopped", error=type(error).__name__, where=where)
