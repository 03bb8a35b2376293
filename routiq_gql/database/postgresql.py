"""PostgreSQL as a ``Storage``: its connections, and the meaning of its errors.

A machine that is frozen or cut off must not keep locks for long, so the server ends idle transactions. Nothing here
imports the driver, which users of SQLite don't install.
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
"""How long a transaction waits for a connection, as with SQLite for the lock."""

BULK_WRITERS = 4
"""Pages that a process stores at the same time. More would store no faster, and delay everything else."""

TRUSTED_SECONDS = 1.0
"""A connection that was used so recently counts as alive."""

CONNECT_SETTINGS: dict[str, Any] = {
    "connect_timeout": 5,
    "keepalives": 1,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
    "application_name": "routiq",
}
"""A vanished server is detected within some 25 s, and within 15 s while data is under way to it."""

SERVER_OPTIONS = (
    "-c idle_in_transaction_session_timeout=10s -c client_connection_check_interval=2s -c tcp_user_timeout=15s"
)
"""Limits that the server enforces. A process that stops within a transaction loses its locks after 10 s, no later than
its missing heartbeat is detected. The statement of a process that has gone is ended. PostgreSQL 14 or newer."""

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
"""SQLSTATE classes: the server is stopping or starting, or the connection was lost."""

log = structlog.get_logger(__name__)


class PostgresServer:
    """A ``Storage`` on a server that many processes share."""

    path: Path | None = None
    reading_options: ClassVar[TransactionOptions] = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    # Every statement sees the committed changes of other transactions, and an UPDATE that has waited for a row reads
    # it again. The epoch in every change of a sync depends on that.
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
        # An INSERT of several rows becomes a single statement.
        engine.dialect.use_insertmanyvalues_wo_returning = True
        event.listen(engine.sync_engine, "begin", _begin)
        event.listen(engine.sync_engine, "handle_error", _hide_rows)
        event.listen(engine.sync_engine, "checkin", _note_return)
        event.listen(engine.sync_engine, "checkout", partial(_check_idle, engine.dialect))
        event.listen(engine.sync_engine, "checkout", partial(_allow_changes, engine.dialect))
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
        """Do nothing: the server manages its files."""

    def change_token(self) -> int | None:
        """``None``: the server has no number that changes with each commit and costs nothing to read."""
        return None

    def check_space(self) -> None:
        """Do nothing: the disk is the server's."""

    def close(self) -> None:
        """Do nothing: the pool is closed already."""

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

    async def forget_deleted(self, engine: AsyncEngine, *, rewrite: bool) -> bool:
        del rewrite  # VACUUM overwrites nothing, but no statement can read the rows it removes
        # The operator decides how long the write-ahead log and backups keep older states.
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
    """Make the pool reconnect if the server has restarted, so that the first statements after that succeed.

    SQLAlchemy's ``pool_pre_ping`` pings before every transaction, which makes up a fifth of a busy worker's statements.
    """
    idle_seconds = time.monotonic() - record.info.get(_IDLE_SINCE, math.inf)  # new connections were never idle
    if idle_seconds < TRUSTED_SECONDS:
        return
    try:
        dialect.do_ping(connection)
    except dialect.loaded_dbapi.Error:
        raise InvalidatePoolError from None


def _allow_changes(dialect: Dialect, connection: DBAPIConnection, _record: object, _proxy: object) -> None:
    """Make a connection writable that a cancelled reading transaction has left read-only.

    SQLAlchemy undoes the options of a transaction when the connection returns to the pool. A cancellation between two
    options prevents that: psycopg may suspend its caller there when the event loop is busy.
    """
    if getattr(connection, "read_only", False):
        dialect.set_readonly(connection, False)  # type: ignore[attr-defined]


def connect_settings(url: URL) -> dict[str, Any]:
    """Connection parameters in addition to ``url``, for the pool and for connections that listen."""
    given = str(url.query.get("options", ""))
    return {
        **{name: value for name, value in CONNECT_SETTINGS.items() if name not in url.query},
        "options": f"{given} {SERVER_OPTIONS}".strip(),
    }


def _hide_rows(context: ExceptionContext) -> None:
    """Remove the row's values from an error: they are about a person, and errors may be shown or logged."""
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
