"""Sends notifications over a separate connection, so updates and stop requests never wait behind writes of pages."""

from collections.abc import Iterable

import psycopg
from sqlalchemy import URL

from routiq_gql.database.postgresql import connect_settings
from routiq_gql.engines.postgres.jobs import conninfo

CHANNEL = "routiq_progress"


class Notifier:
    """Sends the notifications of a process. It connects with the first notification, and again after an error."""

    def __init__(self, url: URL) -> None:
        self._url = url
        self._connection: psycopg.AsyncConnection | None = None

    async def send(self, payloads: Iterable[str]) -> None:
        """Send notifications of less than 8,000 bytes each, all or none of them.

        Raises:
            psycopg.Error: The server can't be reached, or was lost on the way: some may have been sent.
        """
        try:
            if self._connection is None:
                self._connection = await psycopg.AsyncConnection.connect(
                    conninfo(self._url), autocommit=True, **connect_settings(self._url)
                )
            await self._connection.execute(
                "SELECT pg_notify(%s, payload) FROM unnest(%s::text[]) AS payload", [CHANNEL, list(payloads)]
            )
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()
