"""PostgreSQL behind ``Database``: how it is connected to, and what its errors mean.

A machine that is frozen or cut off must not keep locks for long, so the server itself ends transactions in which
nothing happens. Nothing here imports the driver, which users of SQLite don't have.
"""

import asyncio
import math
import time
from contextlib import AbstractAsyncContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import structlog
from sqlalchemy import URL, Dialect, event, text
from sqlalchemy.engine import Connection as SyncConnection
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError, InvalidatePoolError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from routiq_gql.database.tables import METADATA
from routiq_gql.database.transaction_options import TransactionOptions
from routiq_gql.errors import DatabaseAway, SettingsError, StorageError

POOL_SIZE = 10
POOL_OVERFLOW = 10
POOL_WAIT_SECONDS = 30
"""How long a transaction waits for one of these connections, as SQLite's waits for its lock."""

BULK_WRITERS = 4
"""Pages that one process stores at the same time. More make none of them faster, and all else slower."""

TRUSTED_SECONDS = 1.0
"""A connection that was in use so recently is taken to be alive."""

CONNECT_SETTINGS: dict[str, Any] = {
    "connect_timeout": 5,
    "keepalives": 1,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
    "application_name": "routiq",
}
"""A server that has vanished is noticed within some 25 s, and within 15 s while something is on its way to it."""

SERVER_OPTIONS = (
    "-c idle_in_transaction_session_timeout=10s -c client_connection_check_interval=2s -c tcp_user_timeout=15s"
)
"""What the server does about us: a process that stopped in the middle of a transaction loses its locks after 10 s,
no later than its heartbeat is missed; a statement whose process has gone is ended. PostgreSQL 14 or newer."""

UPGRADE_LOCK = 0x726F7574  # "rout"; any number, the same for every process that upgrades

_SENTENCES = {
    "53100": "The disk of {name} is full. Free some space; syncs resume by themselves.",
    "53200": "{name} has run out of memory. Syncs resume by themselves once it has some.",
    "53300": "{name} accepts no more connections. Raise its max_connections, or start fewer processes.",
    "40P01": "{name} ended one of two deadlocked transactions. It is retried automatically.",
    "25006": "{name} is read-only, like a standby. Use the address of the primary server.",
    "42501": "{name} refuses this user a permission. Make the user its owner.",
    "55P03": "Another program keeps rows of {name} locked. The statement is retried automatically.",
    "57014": "{name} ended a statement that took too long.",
}
"""By SQLSTATE. Source: PostgreSQL documentation, appendix A."""

_IDLE_SINCE = "idle_since"

_AWAY_STATES = ("57P", "08")
"""The server is stopping, starting, or was gone in the middle."""

log = structlog.get_logger(__name__)


class PostgresServer:
    """A ``Storage`` on a server, which many processes use at once."""

    path: Path | None = None
    reading_options: ClassVar[TransactionOptions] = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    # The others' changes are seen between two statements, and an UPDATE looks at its row again after waiting for it:
    # what the epoch in every change of a sync relies on.
    writing_options: ClassVar[TransactionOptions] = {"isolation_level": "READ COMMITTED"}
    write_lock: AbstractAsyncContextManager[None] = nullcontext()
    writers_queue = False

    def __init__(self, url: URL) -> None:
        self.bulk_turn: AbstractAsyncContextManager[None] = asyncio.Semaphore(BULK_WRITERS)
        self._url = url
        self._was_away = False

    @property
    def name(self) -> str:
        return f"Database {self._url.database or ''} on {self._url.host or 'this machine'}"

    def create_engine(self) -> AsyncEngine:
        try:
            engine = create_async_engine(
                self._url,
                hide_parameters=True,
                connect_args=connect_settings(self._url),
                pool_size=POOL_SIZE,
                max_overflow=POOL_OVERFLOW,
                pool_timeout=POOL_WAIT_SECONDS,
            )
        except ModuleNotFoundError as error:
            raise SettingsError(
                f"PostgreSQL needs the package {error.name}. Install it with: pip install 'routiq-gql[postgres]'"
            ) from None
        # An INSERT of several rows becomes one statement instead of one for each row.
        engine.dialect.use_insertmanyvalues_wo_returning = True
        event.listen(engine.sync_engine, "begin", _begin)
        event.listen(engine.sync_engine, "handle_error", _hide_rows)
        event.listen(engine.sync_engine, "checkin", _note_return)
        event.listen(engine.sync_engine, "checkout", partial(_check_idle, engine.dialect))
        event.listen(engine.sync_engine, "checkout", self._note_back)
        return engine

    def storage_error(self, error: SQLAlchemyError) -> StorageError | None:
        if isinstance(error, PoolTimeout):
            return DatabaseAway("The database is busy at the moment. Try again soon; nothing is lost.")
        if not isinstance(error, DBAPIError):
            return None
        state = getattr(error.orig, "sqlstate", None)
        if state in _SENTENCES:
            return StorageError(_SENTENCES[state].format(name=self.name))
        is_away = error.connection_invalidated or (state or "").startswith(_AWAY_STATES)
        if not is_away and not (state is None and type(error.orig).__name__.startswith(("Operational", "Connection"))):
            return None
        if not self._was_away:
            self._was_away = True
            log.warning("database_unreachable", reason=_first_line(error), database=self.name)
        return DatabaseAway("The database can't be reached at the moment. Try again soon; nothing is lost.")

    def check_file(self) -> None:
        """Nothing to do: the server looks after its files."""

    def check_space(self) -> None:
        """Nothing to do: the disk is the server's."""

    def close(self) -> None:
        """Nothing to do beside the pool."""

    async def check_can_be_opened(self, engine: AsyncEngine) -> None:
        try:
            async with engine.connect() as connection:
                await connection.execute(text("SELECT 1"))
        except DBAPIError as error:
            raise StorageError(
                f"PostgreSQL can't be used ({_first_line(error)}). Check ROUTIQ_DATABASE_URL, and that the server is "
                "running."
            ) from None

    async def lock_tables(self, connection: AsyncConnection) -> None:
        await connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": UPGRADE_LOCK})

    async def forget_deleted(self, engine: AsyncEngine) -> bool:
        # The write-ahead log and its backups keep older states for as long as their owner decided.
        async with engine.connect() as connection:
            await connection.execution_options(isolation_level="AUTOCOMMIT")
            await connection.execute(text(f"VACUUM {', '.join(METADATA.tables)}"))
        return True

    def _note_back(self, *_: object) -> None:
        if self._was_away:
            self._was_away = False
            log.info("database_reachable", database=self.name)


def _begin(connection: SyncConnection) -> None:
    patience = connection.get_execution_options().get("routiq_patience")
    if patience is not None:
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = {int(patience * 1000)}")


def _note_return(_connection: object, record: ConnectionPoolEntry) -> None:
    record.info[_IDLE_SINCE] = time.monotonic()


def _check_idle(dialect: Dialect, connection: DBAPIConnection, record: ConnectionPoolEntry, _proxy: object) -> None:
    """Let the pool connect anew where the server has gone meanwhile, so the first statements after its restart work.

    SQLAlchemy's ``pool_pre_ping`` asks before every transaction, which costs a busy worker a fifth of its statements.
    """
    idle_seconds = time.monotonic() - record.info.get(_IDLE_SINCE, math.inf)  # new connections were never idle
    if idle_seconds < TRUSTED_SECONDS:
        return
    try:
        dialect.do_ping(connection)
    except dialect.loaded_dbapi.Error:
        raise InvalidatePoolError from None


def connect_settings(url: URL) -> dict[str, Any]:
    """What to connect with beside ``url``, for the pool here and for connections that listen."""
    given = str(url.query.get("options", ""))
    return {
        **{name: value for name, value in CONNECT_SETTINGS.items() if name not in url.query},
        "options": f"{given} {SERVER_OPTIONS}".strip(),
    }


def _hide_rows(context: ExceptionContext) -> None:
    """Take out of an error what the server tells of the row: it is a person's, and errors may be shown or logged."""
    original = context.original_exception
    primary = getattr(getattr(original, "diag", None), "message_primary", None)
    if primary is None:
        return
    original.args = (primary,)
    if context.sqlalchemy_exception is not None:
        context.sqlalchemy_exception.args = (f"({type(original).__name__}) {primary}",)


def _first_line(error: DBAPIError | PoolTimeout) -> str:
    text_of_error = str(getattr(error, "orig", None) or error).strip()
    return text_of_error.splitlines()[0] if text_of_error else type(error).__name__
