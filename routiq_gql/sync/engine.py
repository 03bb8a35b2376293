"""The engine: the protocol of ``EmbeddedEngine`` and ``DistributedEngine``, which run syncs, and how a sync begins."""

from dataclasses import dataclass
from datetime import timedelta
from enum import IntEnum
from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.clock import utc_now
from routiq_gql.database.rows import SyncRow
from routiq_gql.database.syncs import insert_sync
from routiq_gql.sync.actors import SyncActor
from routiq_gql.sync.mapping import first_values
from routiq_gql.sync.model import SyncMode, SyncSnapshot
from routiq_gql.tracing.origin import TraceOrigin


class Priority(IntEnum):
    """The order of waiting syncs when not all can run at once: the larger value begins first."""

    SCHEDULE = 0
    PERSON = 10


@dataclass(frozen=True, slots=True)
class QueueState:
    """Waiting syncs and workers, over all processes.

    Attributes:
        waiting: Syncs that no process runs yet.
        oldest_seconds: The longest wait of these syncs so far; 0 when none waits.
        workers: Live processes that run syncs.
    """

    waiting: int
    oldest_seconds: float
    workers: int


class SyncEngine(Protocol):
    """The engine as the services use it."""

    @property
    def receives_updates(self) -> bool:
        """Whether this process is notified of the changes of running syncs."""

    @property
    def runs_here(self) -> bool:
        """Whether syncs stop with this process."""

    @property
    def works_here(self) -> bool:
        """Whether this process runs syncs at the moment, and does the other work of the database."""

    @property
    def running(self) -> int:
        """How many syncs run in this process now."""

    async def enqueue(self, connection: AsyncConnection, key: int, priority: Priority) -> None:
        """Queue a sync to be run, in the transaction that inserts it."""

    async def withdraw(self, connection: AsyncConnection, key: int) -> None:
        """Remove a sync from the queue, in the transaction that ends it."""

    async def prioritize(self, connection: AsyncConnection, key: int) -> None:
        """Let a waiting sync begin before those of schedules, as a person has asked for it."""

    async def has_worker(self) -> bool:
        """Whether any process runs syncs of this database."""

    async def queue_state(self) -> QueueState:
        """The number of waiting syncs and of workers."""

    def wake(self, snapshot: SyncSnapshot) -> None:
        """Start a sync soon; call after the commit that inserted it."""

    def interrupt(self, snapshot: SyncSnapshot) -> None:
        """Stop the run of a sync at once; call after a commit that ended the sync from outside its run."""

    async def run_worker(self) -> None:
        """Run syncs until cancelled or closed."""

    async def close(self, grace: timedelta) -> None:
        """Stop; running syncs stay active in the database and continue with the next start."""


async def begin_sync(
    connection: AsyncConnection,
    engine: SyncEngine,
    organization_id: str,
    priority: Priority,
    started_by: SyncActor,
    mode: SyncMode = SyncMode.AUTO,
    origin: TraceOrigin | None = None,
    *,
    refresh: bool = False,
) -> SyncRow | None:
    """Insert a sync and queue it, in a single transaction; ``None`` when the organization has an active sync.

    Wake ``engine`` and publish the sync after the commit.

    Args:
        mode: The requested mode. The run replaces it by the mode in effect.
        origin: The span that starts it.
        refresh: Whether a look at Cliniko starts it.
    """
    values = first_values(mode, utc_now(), started_by, origin, refresh=refresh)
    row = await insert_sync(connection, organization_id, values)
    if row is not None:
        await engine.enqueue(connection, row.key, priority)
    return row
