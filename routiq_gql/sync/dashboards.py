"""Reads an organization's dashboard once for all who ask for it in the same moment.

Everybody who watches an organization is woken by the same change, ten times a second while it syncs. Whoever asks
joins a reading that has not begun yet, never one that has, so nobody is shown an older state than at the asking.
"""

import asyncio

from routiq_gql.database.engine import Database
from routiq_gql.sync.overview import Dashboard, read_dashboard


class Dashboards:
    """The dashboards of all organizations, as they are now."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._about_to_be_read: dict[str, asyncio.Task[Dashboard]] = {}

    async def read(self, organization_id: str) -> Dashboard:
        """The organization at a glance, all of one moment.

        Raises:
            StorageError: It can't be read.
        """
        reading = self._about_to_be_read.get(organization_id)
        if reading is None:
            reading = asyncio.create_task(self._read_soon(organization_id), name="dashboard")
            self._about_to_be_read[organization_id] = reading
        return await asyncio.shield(reading)  # one who leaves does not end it for the others

    async def _read_soon(self, organization_id: str) -> Dashboard:
        await asyncio.sleep(0)  # all who were woken together get here first
        del self._about_to_be_read[organization_id]
        async with self._database.reading() as connection:
            return await read_dashboard(connection, organization_id)
