"""Applies migrations with Alembic. ``schema.upgrade`` calls it, in its transaction."""

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect
from sqlalchemy.engine import Connection as SyncConnection

from routiq_gql.database.migrations import FOLDER
from routiq_gql.database.tables import METADATA
from routiq_gql.errors import StorageError


def migrate(connection: SyncConnection, name: str, revision: str) -> str:
    """Apply the migrations up to ``revision``, and return the database's revision after that.

    Args:
        name: The database's name, for messages.

    Raises:
        StorageError: The database was written by a newer version, or belongs to another program.
    """
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


def alembic_config(connection: SyncConnection | None = None) -> Config:
    """Alembic's configuration, without a file."""
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config
