"""Readiness: whether the database can be read and written, and every supervised task succeeds.

``/readyz`` calls it. A check reads the database each time, and writes to it at most every ten seconds. While the
database is slow, the check continues, later callers share it, and the answer is that the database is slow.
"""

import asyncio
import time

from routiq_gql.database.engine import Database
from routiq_gql.database.probe import write_probe
from routiq_gql.database.syncs import active_sync
from routiq_gql.errors import DatabaseFileLost
from routiq_gql.supervision import SupervisedTask, Supervisor, descriptor_shortage
from routiq_gql.sync.pauses import Pauses

WRITE_INTERVAL_SECONDS = 10.0
ANSWER_SECONDS = 3.0
"""How long a caller waits for the database. A write waits a little less for other writers."""
WRITE_PATIENCE_SECONDS = 2.0
PROBED_ORGANIZATION = "-"
"""Read only to see whether the database can be read."""

FILE_LOST = (
    "The database file was deleted or replaced while the server was using it. The server stops; its log has the "
    "details."
)
CANT_BE_READ = "The database can't be used at the moment."
CANT_BE_WRITTEN = "The database can't be written at the moment: its disk is full, or it is locked. See the log."
SYNCS_PAUSE = "Syncs wait because the database could not be used. They resume by themselves; the log has the reason."
TAKES_LONG = "The database has not answered for some seconds: it is busy, or another program keeps it locked."


class Readiness:
    """Finds problems of this process. Close it."""

    def __init__(self, database: Database, supervisor: Supervisor, pauses: Pauses) -> None:
        self._database = database
        self._supervisor = supervisor
        self._pauses = pauses
        self._looking: asyncio.Task[str | None] | None = None
        self._wrote_at: float | None = None
        self._write_problem: str | None = None
        self._check = SupervisedTask("readiness check", "")  # for its log lines only: a line per failure and recovery

    async def problem(self) -> str | None:
        """The first problem as a sentence without paths and names; ``None`` without a problem."""
        found = await self._database_problem()
        if found is not None:
            return found
        if self._pauses.count:
            return SYNCS_PAUSE
        return self._supervisor.problem()

    async def close(self) -> None:
        """Stop a running check."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait({self._looking})

    async def _database_problem(self) -> str | None:
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look(), name="readiness")
        done, _ = await asyncio.wait({self._looking}, timeout=ANSWER_SECONDS)
        if not done:
            return TAKES_LONG
        return self._looking.result()

    async def _look(self) -> str | None:
        try:
            async with self._database.reading() as connection:
                await active_sync(connection, PROBED_ORGANIZATION)
        except DatabaseFileLost:
            return FILE_LOST
        except Exception as error:
            self._check.failed(error)
            return descriptor_shortage() or CANT_BE_READ
        if self._wrote_at is None or time.monotonic() - self._wrote_at >= WRITE_INTERVAL_SECONDS:
            self._write_problem = await self._write()
            self._wrote_at = time.monotonic()
        return self._write_problem

    async def _write(self) -> str | None:
        try:
            self._database.check_space()
            async with self._database.writing(WRITE_PATIENCE_SECONDS) as connection:
                await write_probe(connection)
        except DatabaseFileLost:
            return FILE_LOST
        except Exception as error:
            self._check.failed(error)
            return descriptor_shortage() or CANT_BE_WRITTEN
        self._check.succeeded()
        return None
