"""Limits how fast old rows are deleted: the cutoff moves ahead by at most a day per hour.

A clock that is years ahead for an hour would otherwise make every row look old, and delete it for good. The cutoffs are
stored, so neither a restart nor a second process makes them faster. After a long standstill, or a shorter retention
period, they catch up by 24 days a day.
"""

from dataclasses import asdict
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.database.operation_rows import RetentionRow
from routiq_gql.database.pruning import Cutoffs, oldest_of
from routiq_gql.database.rows import as_rows
from routiq_gql.database.tables import RETENTION
from routiq_gql.database.upserts import upsert

MOST_PER_MOVE = timedelta(days=1)
PAUSE = timedelta(minutes=50)
"""The pause between two moves: a little less than the hour after which a process prunes again."""


async def move_cutoffs(connection: AsyncConnection, wanted: Cutoffs, now: datetime, window: timedelta) -> Cutoffs:
    """Move the stored cutoffs towards the ``wanted`` times, by a single move at most, and return them.

    Call it in a writing transaction, once before each round of pruning; ``window`` as for ``prune_batch``.
    """
    query = select(RETENTION).with_for_update()
    before = {row.kind: row for row in as_rows(RetentionRow, await connection.execute(query))}
    targets: dict[str, datetime] = asdict(wanted)
    is_behind = any(kind not in before or _is_behind(before[kind], target) for kind, target in targets.items())
    oldest = await oldest_of(connection, window) if is_behind else dict.fromkeys(targets)
    reached = {kind: _reach(before.get(kind), target, oldest[kind], now) for kind, target in targets.items()}
    for kind, cutoff in reached.items():
        await _store(connection, before.get(kind), kind, cutoff, now)
    return Cutoffs(**reached)


def _is_behind(before: RetentionRow, target: datetime) -> bool:
    return before.cutoff + MOST_PER_MOVE < target


def _reach(before: RetentionRow | None, target: datetime, oldest: datetime | None, now: datetime) -> datetime:
    if before is None:  # the first pruning of this database
        return target if oldest is None else min(target, oldest + MOST_PER_MOVE)
    cutoff = before.cutoff
    if target <= cutoff or abs(now - before.moved_at) < PAUSE:
        return min(target, cutoff)
    # Times without rows are skipped, as after a clock that was years behind.
    return min(target, max(cutoff, oldest or cutoff) + MOST_PER_MOVE)


async def _store(
    connection: AsyncConnection, before: RetentionRow | None, kind: str, cutoff: datetime, now: datetime
) -> None:
    if before is not None and before.cutoff == cutoff:
        return
    moved_at = now if before is None or cutoff > before.cutoff else before.moved_at
    values = {"cutoff": cutoff, "moved_at": moved_at}
    statement = upsert(connection, RETENTION).values(kind=kind, **values)
    await connection.execute(statement.on_conflict_do_update(index_elements=["kind"], set_=values))
