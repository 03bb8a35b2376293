"""Migrates the tables of a database to this version. Called at every start; does nothing when they are current."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect
from sqlalchemy.engine import Connection as SyncConnection

from routiq_gql.database.engine import Database
from routiq_gql.database.tables import METADATA
from routiq_gql.errors import StorageError


async def upgrade(database: Database, revision: str = "head") -> str:
    """Apply all missing migrations in a single transaction, and return the database's revision after that.

    Args:
        revision: The last revision to apply, for an earlier schema.

    Raises:
        StorageError: The database is damaged or locked, can't be reached, was written by a newer version, or belongs to
            another program.
    """
    await database.check_can_be_opened()
    async with database.writing() as connection:
        await database.lock_tables(connection)
        return await connection.run_sync(_upgrade, database.name, revision)


def alembic_config(connection: SyncConnection | None = None) -> Config:
    """Alembic's configuration, without a file."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def _upgrade(connection: SyncConnection, name: str, revision: str) -> str:
    config = alembic_config(connection)
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    before = MigrationContext.configure(connection).get_current_revision()
    if before is not None and before not in known:
        raise StorageError(
            f"{name} was written by a newer version of Routiq. Start that version, or use another ROUTIQ_DATABASE_URL."
        )
    if before is None and (theirs := set(inspect(connection).get_table_names()) & set(METADATA.tables)):
        raise StorageError(
            f"{name} belongs to another program: it has a table {min(theirs)}. Use another ROUTIQ_DATABASE_URL."
        )
    command.upgrade(config, revision)
    return MigrationContext.configure(connection).get_current_revision() or ""
