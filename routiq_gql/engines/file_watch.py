"""Notices that the SQLite file was deleted or replaced while this process uses it, so that the process can end.

The database itself refuses each transaction from that moment on; this makes an idle process notice it too. Commands
that serve run ``until_lost`` beside their work, and end with its error.
"""

import asyncio

import structlog

from routiq_gql.database.engine import Database
from routiq_gql.errors import DatabaseFileLost
from routiq_gql.supervision import Supervisor

LOOK_SECONDS = 1.0

log = structlog.get_logger(__name__)


class FileWatch:
    """Looks at the database's file once a second."""

    def __init__(self, database: Database, supervisor: Supervisor) -> None:
        self._database = database
        self._task = supervisor.task("file watch", "A database file that is replaced would not be noticed.")
        self._lost: asyncio.Future[DatabaseFileLost] = asyncio.get_running_loop().create_future()

    async def run(self) -> None:
        """Look until the file is lost or the task is cancelled."""
        await self._task.repeat(self._look, may_continue=lambda: not self._lost.done())

    async def until_lost(self) -> None:
        """Wait as long as the file is in its place.

        Raises:
            DatabaseFileLost: It is not any more.
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
