"""Queries that read the logs of syncs. ``syncs`` appends the lines, in the transactions that change a sync."""

from collections.abc import Collection, Mapping
from functools import cache

from sqlalchemy import BigInteger, ColumnElement, Executable, Integer, bindparam, cast, literal, select, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.database.rows import LogRow, as_rows
from routiq_gql.database.tables import LOG, SYNC

MAX_SEQ = 2**31 - 1
"""The largest number that the column ``seq`` can hold."""


async def log_after(
    connection: AsyncConnection, key: int, seq: int, limit: int, sync_id: str | None = None
) -> list[LogRow]:
    """At most ``limit`` lines with a number above ``seq``, ascending.

    With ``sync_id``, no lines if the number belongs to another sync by now.
    """
    given = {"sync": key, "after": seq, "most": limit, "sync_id": sync_id}
    return as_rows(LogRow, await connection.execute(_log_after(has_id=sync_id is not None), given))


@cache
def _log_after(*, has_id: bool) -> Executable:
    key = bindparam("sync", type_=BigInteger)
    after, most = bindparam("after", type_=Integer), bindparam("most", type_=Integer)
    query = select(LOG).where(LOG.c.sync_key == key, LOG.c.seq > after).order_by(LOG.c.seq).limit(most)
    if has_id:
        owner = select(SYNC.c.key).where(SYNC.c.key == key, SYNC.c.sync_id == bindparam("sync_id"))
        query = query.where(owner.exists())
    return query


async def logs_of(
    connection: AsyncConnection,
    parts: Mapping[tuple[int | None, int], Collection[str]],
    organization_id: str | None = None,
    *,
    only: str | None = None,
) -> dict[tuple[str, int | None, int], list[LogRow]]:
    """Lines of the logs of several syncs, read with a single statement: ascending, by ``(sync_id, after, limit)``.

    A sync that doesn't exist, or doesn't match ``organization_id`` and ``only``, is left out.

    Args:
        parts: Which syncs, by ``(after, limit)``: at most ``limit`` lines above ``after``, or the newest without it.
    """
    queries = []
    for (after, limit), sync_ids in parts.items():
        # A log has no gaps, so a range of numbers has as many lines, and the primary key finds it.
        if after is None:
            is_asked = LOG.c.seq > SYNC.c.last_log_seq - limit
        else:
            is_asked = (LOG.c.seq > after) & (LOG.c.seq <= min(after + limit, MAX_SEQ))
        query = (
            select(
                SYNC.c.sync_id,
                cast(literal(after), Integer).label("after"),
                literal(limit, Integer).label("limit"),
                *LOG.columns,
            )
            .select_from(SYNC.outerjoin(LOG, (LOG.c.sync_key == SYNC.c.key) & is_asked))
            .where(SYNC.c.sync_id.in_(sync_ids), *visible_to(organization_id, only))
        )
        queries.append(query)
    logs: dict[tuple[str, int | None, int], list[LogRow]] = {}
    for sync_id, after, limit, *line in await connection.execute(union_all(*queries)):
        lines = logs.setdefault((sync_id, after, limit), [])
        if line[0] is not None:  # a sync without such lines has a row of nulls
            lines.append(LogRow(*line))
    for lines in logs.values():
        lines.sort(key=lambda line: line.seq)
    return logs


def visible_to(organization_id: str | None, only: str | None) -> list[ColumnElement[bool]]:
    """The conditions that a sync is the organization's, and is ``only``; without either, there is none.

    For a statement that names syncs by their ids.
    """
    conditions = []
    if only is not None:
        conditions.append(SYNC.c.sync_id == only)
    if organization_id is not None:
        # An expression, or SQLite would read all syncs of the organization instead of those named.
        conditions.append(SYNC.c.organization_id.concat("") == organization_id)
    return conditions
