"""Queries on refreshes: the looks that are due, their claims, and their findings.

``due_refreshes`` reads all that a look needs, in a single statement for all organizations. A claim raises the epoch, so
a single process looks at an organization at a time, and a look that was overtaken writes nothing.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypedDict

from sqlalchemy import BigInteger, ColumnElement, bindparam, case, insert, literal, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.database.columns import UtcDateTime, among
from routiq_gql.database.mirror import BY_RESOURCE, visible
from routiq_gql.database.operation_rows import RefreshRow
from routiq_gql.database.rows import ConnectionRow, MirrorRow, as_row
from routiq_gql.database.schedules import DENIED, USABLE
from routiq_gql.database.tables import CONNECTION, MIRROR, REFRESH, SYNC
from routiq_gql.database.upserts import upsert

MOST_AHEAD = timedelta(minutes=30)
"""A look that is due later than this was planned while the clock was ahead."""


class RefreshValues(TypedDict, total=False):
    """Columns of ``refreshes`` to write; see ``RefreshRow``."""

    next_at: datetime | ColumnElement[datetime]
    sync: int
    spent: Sequence[int]
    allowance: int | None
    found: Mapping[str, object]
    key_digest: bytes | None


@dataclass(frozen=True, slots=True)
class DueRefresh:
    """An organization that is due for a look, with its rows.

    Attributes:
        is_shared: Whether another organization has the same API key.
        is_outstanding: Whether the changes that the last look found were not read, as its sync failed.
    """

    refresh: RefreshRow
    connection: ConnectionRow
    mirror: MirrorRow
    is_shared: bool = False
    is_outstanding: bool = False

    @property
    def has_new_key(self) -> bool:
        """Whether the key was stored behind the newest sync that has read Cliniko, and by no look since."""
        read_at = self.mirror.published_at
        return self.refresh.key_digest is None and (read_at is None or self.connection.updated_at > read_at)


_NOW = bindparam("now", type_=UtcDateTime())
_ORGANIZATION = REFRESH.c.organization_id
_RUNNING = (
    select(SYNC.c.key).where(SYNC.c.organization_id == _ORGANIZATION, SYNC.c.completed_at.is_(None)).exists()
)  # fmt: skip


def _due(*conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    is_time = or_(REFRESH.c.next_at <= _NOW, REFRESH.c.next_at > bindparam("latest", type_=UtcDateTime()))
    may_be_used = or_(CONNECTION.c.state == USABLE, (CONNECTION.c.state == DENIED) & (CONNECTION.c.retry_at <= _NOW))
    condition = is_time & may_be_used & (MIRROR.c.sync > 0) & ~_RUNNING
    for one in conditions:
        condition &= one
    return condition


_OTHER = REFRESH.alias("other")
_IS_SHARED = (
    select(_OTHER.c.organization_id)
    .where(_OTHER.c.key_digest == REFRESH.c.key_digest, _OTHER.c.organization_id != _ORGANIZATION)
    .exists()
)
# A time-only sync has a number and is published, but reads nothing. It leaves ``published_at`` as it is.
_WAS_READ = (
    select(SYNC.c.key)
    .where(
        SYNC.c.key == REFRESH.c.sync,
        or_(SYNC.c.status == "completed", SYNC.c.started_at <= MIRROR.c.published_at),
    )
    .exists()
)
_IS_OUTSTANDING = REFRESH.c.sync.is_not(None) & or_(MIRROR.c.sync < REFRESH.c.sync, ~_WAS_READ)
_DUE = (
    select(*REFRESH.columns, *CONNECTION.columns, *MIRROR.columns, _IS_SHARED, _IS_OUTSTANDING)
    .join(CONNECTION, CONNECTION.c.organization_id == _ORGANIZATION)
    .join(MIRROR, MIRROR.c.organization_id == _ORGANIZATION)
    .where(_due(or_(REFRESH.c.is_asked, bindparam("everywhere", type_=REFRESH.c.is_asked.type))))
    .order_by(REFRESH.c.next_at)
    .limit(bindparam("limit", type_=BigInteger))
)


async def due_refreshes(
    connection: AsyncConnection, now: datetime, limit: int, *, everywhere: bool
) -> list[DueRefresh]:
    """At most ``limit`` organizations that are due, the longest first.

    Left out are organizations with a running sync, without a published sync, or whose connection can't be used.

    Args:
        everywhere: Whether every organization is kept live, or those with ``is_asked``.
    """
    given = {"now": now, "latest": now + MOST_AHEAD, "limit": limit, "everywhere": everywhere}
    own, access = len(REFRESH.columns), len(REFRESH.columns) + len(CONNECTION.columns)
    return [
        DueRefresh(
            RefreshRow(*row[:own]), ConnectionRow(*row[own:access]), MirrorRow(*row[access:-2]), *map(bool, row[-2:])
        )
        for row in (tuple(one) for one in await connection.execute(_DUE, given))
    ]


async def add_refreshes(connection: AsyncConnection, now: datetime) -> None:
    """Make the row of each organization with a connection that has none. It counts as read by a client now."""
    values = {"is_asked": False, "next_at": now, "epoch": 0, "spent": [], "found": {}, "watched_at": now}
    columns = [REFRESH.c[name] for name in values]
    missing = ~select(_ORGANIZATION).where(CONNECTION.c.organization_id == _ORGANIZATION).exists()
    given = [literal(value, REFRESH.c[name].type) for name, value in values.items()]
    rows = select(CONNECTION.c.organization_id, *given).where(missing)
    names = ["organization_id", *(column.name for column in columns)]
    statement = upsert(connection, REFRESH).from_select(names, rows)
    await connection.execute(statement.on_conflict_do_nothing(index_elements=["organization_id"]))


async def ask_for_refreshes(
    connection: AsyncConnection, organization_id: str, now: datetime, *, is_asked: bool
) -> bool:
    """Keep an organization live, or no longer; whether it was asked for before. It counts as read by a client now."""
    before = await refresh_of(connection, organization_id)
    values = {"is_asked": is_asked, "next_at": now, "watched_at": now}
    if before is not None:
        await connection.execute(update(REFRESH).where(REFRESH.c.organization_id == organization_id).values(values))
    elif is_asked:
        row = {**values, "organization_id": organization_id, "epoch": 0, "spent": [], "found": {}}
        await connection.execute(insert(REFRESH).values(row))
    return before is not None and before.is_asked


async def refresh_of(connection: AsyncConnection, organization_id: str) -> RefreshRow | None:
    """The organization's row."""
    query = select(REFRESH).where(bindparam("organization") == _ORGANIZATION)
    return as_row(RefreshRow, (await connection.execute(query, {"organization": organization_id})).one_or_none())


async def claim_refresh(connection: AsyncConnection, refresh: RefreshRow, values: RefreshValues) -> int | None:
    """The epoch of a new look; ``None`` if another process has looked since the row was read."""
    return await change_refresh(connection, refresh.organization_id, refresh.epoch, values, epoch=refresh.epoch + 1)


def next_look(usual: datetime, unwatched: datetime, watched_since: datetime) -> ColumnElement[datetime]:
    """When the next look is due: at ``usual`` if a client has read the organization since, or else at ``unwatched``.

    Decided when the row is written, since a client may have come after it was read.
    """
    is_watched = REFRESH.c.watched_at >= literal(watched_since, UtcDateTime())
    return case((is_watched, literal(usual, UtcDateTime())), else_=literal(unwatched, UtcDateTime()))


async def change_refresh(
    connection: AsyncConnection,
    organization_id: str,
    read_epoch: int,
    values: RefreshValues,
    *,
    epoch: int | None = None,
) -> int | None:
    """Change a row that still has this epoch, and return its epoch then; ``None`` if it has another."""
    new = read_epoch if epoch is None else epoch
    statement = update(REFRESH).where(REFRESH.c.organization_id == organization_id, REFRESH.c.epoch == read_epoch)
    changed = await connection.execute(statement.values(**values, epoch=new))
    return new if changed.rowcount else None


async def change_during(
    connection: AsyncConnection, organization_id: str, sync: int, epoch: int, values: RefreshValues
) -> bool:
    """Change the row of an organization while a claim of a sync runs; whether it does.

    Args:
        epoch: That of the sync's claim.
    """
    is_ours = select(SYNC.c.key).where(SYNC.c.key == sync, SYNC.c.epoch == epoch, SYNC.c.completed_at.is_(None))
    own = REFRESH.c.organization_id == organization_id
    changed = await connection.execute(update(REFRESH).where(own, is_ours.exists()).values(**values))
    return bool(changed.rowcount)


async def stored_times(
    connection: AsyncConnection, mirror: MirrorRow, list_name: str, ids: Collection[int]
) -> dict[int, datetime]:
    """When the published rows of a list with these ids last changed; without rows that are missing or unreadable."""
    target = BY_RESOURCE[list_name]
    query = select(target.table.c.id, target.table.c.updated_at).where(
        target.of(mirror.number), visible(target.table, mirror.number, mirror.sync), among(target.table.c.id, "ids")
    )
    rows = await connection.execute(query, {"ids": list(ids)})
    return {row.id: row.updated_at for row in rows if row.updated_at is not None}
