"""Migrates the tables of a database to this version. Called at every start; does nothing when they are current.

Alembic is imported only to migrate: importing it takes as long as importing Starlette and uvicorn.
"""

from sqlalchemy import inspect, text
from sqlalchemy.engine import Connection as SyncConnection

from routiq_gql.database.engine import Database
from routiq_gql.database.migrations import newest_revision

_VERSION_TABLE = "alembic_version"


async def upgrade(database: Database, revision: str = "head") -> str:
    """Apply all missing migrations in a single transaction, and return the database's revision after that.

    Args:
        revision: The last revision to apply, for an earlier schema.

    Raises:
        StorageError: The database is damaged or locked, can't be reached, was written by a newer version, or belongs to
            another program.
    """
    await database.check_can_be_opened()
    newest = newest_revision()
    if revision == "head":
        async with database.reading() as connection:
            if await connection.run_sync(_revision_of) == newest:
                return newest
    from routiq_gql.database.migrating import migrate  # noqa: PLC0415 — see above

    async with database.writing() as connection:
        await database.lock_tables(connection)
        return await connection.run_sync(migrate, database.name, revision)


def _revision_of(connection: SyncConnection) -> str | None:
    """The database's revision; ``None`` without tables of ours."""
    if not inspect(connection).has_table(_VERSION_TABLE):
        return None
    found: str | None = connection.execute(text(f"SELECT version_num FROM {_VERSION_TABLE}")).scalar()  # noqa: S608
    return found
