"""Reads the costs of completed syncs of an organization, for estimates."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.database.tables import SYNC

MOST_SEARCHED = 500
"""Completed syncs of a mode, among which those of people and schedules are searched. A live clinic has many others."""


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
    """The newest completed syncs of each of the modes, at most ``limit`` of each, the newest first.

    Syncs of looks are left out: they read a part of the lists, and an estimate is for a sync that a person starts.
    """
    columns = (SYNC.c.mode, SYNC.c.requests, SYNC.c.waited_seconds, SYNC.c.started_at, SYNC.c.completed_at)
    of_modes = []
    for mode in modes:
        own = (SYNC.c.organization_id == organization_id, SYNC.c.status == completed, SYNC.c.mode == mode)
        newest = select(SYNC.c.key, SYNC.c.refresh).where(*own).order_by(SYNC.c.key.desc()).limit(MOST_SEARCHED)
        searched = newest.subquery()
        keys = select(searched.c.key).where(~searched.c.refresh).order_by(searched.c.key.desc()).limit(limit).subquery()
        of_modes.append(
            select(SYNC.c.key, *columns, SYNC.c.receipt).join_from(keys, SYNC, SYNC.c.key == keys.c.key).subquery()
        )
    rows = await connection.execute(union_all(*(select(newest) for newest in of_modes)))
    return [SyncCost(*row[1:]) for row in sorted(rows, key=lambda row: -row[0])]
