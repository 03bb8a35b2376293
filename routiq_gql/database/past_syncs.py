"""Reads the costs of completed syncs of an organization, for estimates."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.database.tables import SYNC


@dataclass(frozen=True, slots=True)
class SyncCost:
    """A completed sync: its mode, requests and times, and its receipt."""

    mode: str
    requests: int
    waited_seconds: float
    started_at: datetime
    completed_at: datetime | None
    receipt: Mapping[str, object] | None


async def costs_of_syncs(
    connection: AsyncConnection, organization_id: str, completed: str, modes: Sequence[str], limit: int
) -> list[SyncCost]:
    """The newest completed syncs of each of the modes, at most ``limit`` of each, the newest first."""
    found: list[tuple[int, SyncCost]] = []
    columns = (SYNC.c.mode, SYNC.c.requests, SYNC.c.waited_seconds, SYNC.c.started_at, SYNC.c.completed_at)
    for mode in modes:
        query = select(SYNC.c.key, *columns, SYNC.c.receipt).where(
            SYNC.c.organization_id == organization_id, SYNC.c.status == completed, SYNC.c.mode == mode
        )
        rows = await connection.execute(query.order_by(SYNC.c.key.desc()).limit(limit))
        found += [(row[0], SyncCost(*row[1:])) for row in rows]
    return [cost for _, cost in sorted(found, key=lambda one: one[0], reverse=True)]
