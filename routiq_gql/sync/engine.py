"""What may run syncs: the protocol that ``EmbeddedEngine`` and ``DistributedEngine`` keep, and how a sync begins."""

from dataclasses import dataclass
from datetime import timedelta
from enum import IntEnum
from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.clock import utc_now
from routiq_gql.database.rows import SyncRow
from routiq_gql.database.syncs import insert_sync
from routiq_gql.sync.mapping import first_values
from routiq_gql.sync.model import SyncMode, SyncSnapshot


class Priority(IntEnum):
    """Whose sync begins first when not all can run at once; the larger one."""

    SCHEDULE = 0
    PERSON = 10


@dataclass(frozen=True, slots=True)
class QueueState:
    """What waits and who could run it, over all processes.

    Attributes:
        waiting: Syncs that nobody runs yet.
        oldest_seconds: How long the one that has waited longest has been waiting; 0 when none is.
        workers: Live processes that run syncs.
    """

    waiting: int
    oldest_seconds: float
    workers: int


class SyncEngine(Protocol):
    """What the service needs of whatever runs syncs."""

    @property
    def receives_updates(self) -> bool:
        """Whether news of running syncs reach this process by themselves."""

    @property
    def runs_here(self) -> bool:
        """Whether syncs stop with this process."""

    @property
    def running(self) -> int:
        """How many syncs run in this process now."""

    async def enqueue(self, connection: AsyncConnection, key: int, priority: Priority) -> None:
        """In the transaction that inserts a sync: see to it that it will be run."""

    async def withdraw(self, connection: AsyncConnection, key: int) -> None:
        """In the transaction that ends a sync: nobody needs to run it any more."""

    async def prioritize(self, connection: AsyncConnection, key: int) -> None:
        """A person wants a sync that a schedule has started, and that may still be waiting."""

    async def has_worker(self) -> bool:
        """Whether any process runs syncs of this database, this one or another."""

    async def queue_state(self) -> QueueState:
        """What waits and who could run it."""

    def wake(self, snapshot: SyncSnapshot) -> None:
        """A sync was inserted and committed: run it, soon."""

    def interrupt(self, snapshot: SyncSnapshot) -> None:
        """A sync was ended by someone else than its run, and committed: stop working on it, now."""

    async def run_worker(self) -> None:
        """Run syncs until cancelled or closed."""

    async def close(self, grace: timedelta) -> None:
        """Stop; running syncs stay active in the database and go on with the next start."""


async def begin_sync(
    connection: AsyncConnection, engine: SyncEngine, organization_id: str, priority: Priority
) -> SyncRow | None:
    """Insert a sync and have it run, in one transaction; ``None`` when the organization has one already.

    Tell ``engine`` and the bus after the commit.
    """
    row = await insert_sync(connection, organization_id, first_values(SyncMode.FULL, utc_now()))
    if row is not None:
        await engine.enqueue(connection, row.key, priority)
    return row
