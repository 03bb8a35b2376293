"""Reads the costs of completed syncs of an organization, for estimates."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, union_all
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
    columns = (SYNC.c.mode, SYNC.c.requests, SYNC.c.waited_seconds, SYNC.c.started_at, SYNC.c.completed_at)
    of_modes = [
        select(SYNC.c.key, *columns, SYNC.c.receipt)
        .where(SYNC.c.organization_id == organization_id, SYNC.c.status == completed, SYNC.c.mode == mode)
        .order_by(SYNC.c.key.desc())
        .limit(limit)
        .subquery()
        for mode in modes
    ]
    rows = await connection.execute(union_all(*(select(newest) for newest in of_modes)))
    return [SyncCost(*row[1:]) for row in sorted(rows, key=lambda row: -row[0])]
