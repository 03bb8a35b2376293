"""Watches for the SQLite file being deleted or replaced while this process uses it, so that the process ends.

The database refuses each transaction from that moment. The watch makes an idle process end, too: commands that serve
run ``until_lost`` beside their work, and end with its error.
"""

import asyncio

import structlog

from routiq_gql.database.engine import Database
from routiq_gql.errors import DatabaseFileLost
from routiq_gql.supervision import Supervisor

LOOK_SECONDS = 1.0

log = structlog.get_logger(__name__)


class FileWatch:
    """Checks the database's file once a second."""

    def __init__(self, database: Database, supervisor: Supervisor) -> None:
        self._database = database
        self._task = supervisor.task("file watch", "A database file that is replaced would not be noticed.")
        self._lost: asyncio.Future[DatabaseFileLost] = asyncio.get_running_loop().create_future()

    async def run(self) -> None:
        """Check until the file is lost or the task is cancelled."""
        await self._task.repeat(self._look, may_continue=lambda: not self._lost.done())

    async def until_lost(self) -> None:
        """Wait until the file is lost.

        Raises:
            DatabaseFileLost: The file was deleted or replaced.
        """
        raise await asyncio.shield(self._lost)

    async def _look(self) -> None:
        try:
            self._database.check_file()
        except DatabaseFileLost as error:
            log.error("database_file_lost", reason=error.message)
            self._lost.set_result(error)
            return
        await asyncio.sleep(LOOK_SECONDS)
