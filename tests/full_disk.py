"""A disk without space for a page of patients."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import event, text

from routiq_gql.runtime import Runtime

POSTGRES_FULL = """
    CREATE FUNCTION full_disk() RETURNS trigger AS
    $$ BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = '53100'; END $$ LANGUAGE plpgsql;
    CREATE TRIGGER full_disk BEFORE INSERT ON patient_versions FOR EACH ROW EXECUTE FUNCTION full_disk();
"""


@asynccontextmanager
async def full_disk(runtime: Runtime) -> AsyncIterator[None]:
    """While the block runs, pages of patients can't be stored, but the sync's row can, as on a real full disk."""
    if runtime.database.path is not None:
        engine = runtime.database._engine.sync_engine
        async with runtime.database.reading() as connection:
            pages = (await connection.execute(text("PRAGMA page_count"))).scalar_one()

        def limit(connection, _entry, _fairy):
            connection.execute(f"PRAGMA max_page_count = {limited[0]}").close()

        limited = [pages]
        event.listen(engine, "checkout", limit)
        yield
        limited[0] = 2**30
        return
    async with runtime.database.writing() as connection:
        await connection.exec_driver_sql(POSTGRES_FULL, execution_options={"no_parameters": True})
    yield
    async with runtime.database.writing() as connection:
        await connection.execute(text("DROP TRIGGER full_disk ON patient_versions"))
