"""Makes the tables of a new database once per kind, so that tests start from copies."""

import asyncio

from routiq_gql.database.engine import Database
from routiq_gql.database.schema import upgrade


def make_tables(url: str) -> None:
    """Run all migrations on an empty database."""

    async def make() -> None:
        database = Database(url)
        await upgrade(database)
        await database.close()

    asyncio.run(make())
