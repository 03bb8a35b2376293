"""Reads what the history of an organization shows of its syncs. Time-only syncs are left out."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cache

from sqlalchemy import ColumnElement, Executable, FromClause, bindparam, false, func, literal_column, null, select
from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.database.columns import milliseconds_between
from routiq_gql.database.rows import SyncRow, as_row, as_rows
from routiq_gql.database.tables import SYNC

TIME_ONLY = "time_only"
"""The mode of syncs that read nothing: the value of ``SyncMode.TIME_ONLY``."""
FULL = "full"
"""The mode of syncs that read everything: the value of ``SyncMode.FULL``."""


def reads_cliniko(syncs: FromClause = SYNC) -> ColumnElement[bool]:
    """The condition that selects syncs that clients see in histories: time-only syncs would outnumber them."""
    return syncs.c.mode != literal_column(f"'{TIME_ONLY}'")


def in_history(syncs: FromClause = SYNC) -> ColumnElement[bool]:
    """The same without syncs that looks at Cliniko have started, as there may be some a minute.

    Those that have failed, and those that had to read everything, stay.
    """
    is_notable = (syncs.c.status == literal_column("'failed'")) | (syncs.c.mode == literal_column(f"'{FULL}'"))
    return reads_cliniko(syncs) & (~syncs.c.refresh | is_notable)


async def newest_ended(connection: AsyncConnection, organization_id: str, status: str | None = None) -> SyncRow | None:
    """The newest of the organization's syncs that have ended.

    Args:
        status: Only syncs with this status. Without it, only syncs that a history lists.
    """
    given = {"organization": organization_id, "status": status}
    query = _newest_ended(has_status=status is not None)
    return as_row(SyncRow, (await connection.execute(query, given)).first())


@cache
def _newest_ended(*, has_status: bool) -> Executable:
    query = select(SYNC).where(
        SYNC.c.organization_id == bindparam("organization"),
        SYNC.c.completed_at.is_not(None),
        reads_cliniko() if has_status else in_history(),
    )
    if has_status:
        query = query.where(SYNC.c.status == bindparam("status"))
    return query.order_by(SYNC.c.key.desc()).limit(1)


async def newest_receipt(connection: AsyncConnection, organization_id: str) -> Mapping[str, object] | None:
    """The receipt of the organization's newest completed sync that has one."""
    query = select(SYNC.c.receipt).where(
        SYNC.c.organization_id == organization_id, SYNC.c.status == "completed", SYNC.c.receipt.is_not(None)
    )
    return (await connection.execute(query.order_by(SYNC.c.key.desc()).limit(1))).scalar()


async def history_page(
    connection: AsyncConnection,
    organization_id: str,
    limit: int,
    before: int | None = None,
    statuses: Collection[str] = (),
) -> list[SyncRow]:
    """At most ``limit`` syncs, newest first, whose keys are below ``before``; with ``statuses``, only syncs in these.

    Sorted by key and not by time: a sync started while the clock was ahead would otherwise stay first until then.
    """
    window = HistoryWindow(organization_id, statuses, below=before)
    return await window_page(connection, window, limit, is_backward=False)


@dataclass(frozen=True, slots=True)
class HistoryWindow:
    """The syncs of an organization with a key below ``below`` and above ``above``.

    Attributes:
        statuses: Only syncs in these; when empty, all.
    """

    organization_id: str
    statuses: Collection[str] = ()
    below: int | None = None
    above: int | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """What all syncs of the organization with these statuses meet, in the window or not."""
        own = [SYNC.c.organization_id == self.organization_id, in_history()]
        return [*own, SYNC.c.status.in_(self.statuses)] if self.statuses else own


async def window_page(
    connection: AsyncConnection, window: HistoryWindow, limit: int, *, is_backward: bool
) -> list[SyncRow]:
    """At most ``limit`` syncs of a window, newest first: the newest; with ``is_backward``, the oldest."""
    query = select(SYNC).where(*window.conditions())
    if window.below is not None:
        query = query.where(SYNC.c.key < window.below)
    if window.above is not None:
        query = query.where(SYNC.c.key > window.above)
    query = query.order_by(SYNC.c.key if is_backward else SYNC.c.key.desc()).limit(limit)
    rows = as_rows(SyncRow, await connection.execute(query))
    return rows[::-1] if is_backward else rows


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What else there is besides a page of a window; ``total`` is ``None`` if it was not counted."""

    has_newer: bool
    has_older: bool
    total: int | None


async def surroundings_of(
    connection: AsyncConnection, window: HistoryWindow, page: Sequence[SyncRow], *, counts: bool
) -> Surroundings:
    """Whether there are syncs before and after ``page``, with the statuses of its window but also outside of it.

    An empty page lies between the limits of its window.
    """
    own = window.conditions()
    newer, older = _beyond(window, page)
    total = select(func.count()).select_from(SYNC).where(*own).scalar_subquery() if counts else null()
    query = select(
        select(SYNC.c.key).where(*own, newer).exists(), select(SYNC.c.key).where(*own, older).exists(), total
    )
    has_newer, has_older, number = (await connection.execute(query)).one()
    return Surroundings(bool(has_newer), bool(has_older), number)


def _beyond(window: HistoryWindow, page: Sequence[SyncRow]) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    key = SYNC.c.key
    if page:
        return key > page[0].key, key < page[-1].key
    newer = key >= window.below if window.below is not None else false()
    return newer, key <= window.above if window.above is not None else false()


async def counts_by_status(connection: AsyncConnection, organization_id: str) -> dict[str, int]:
    """The number of the organization's syncs in each status."""
    own = (SYNC.c.organization_id == organization_id, in_history())
    query = select(SYNC.c.status, func.count()).where(*own).group_by(SYNC.c.status)
    return {row[0]: row[1] for row in await connection.execute(query)}


async def average_duration(connection: AsyncConnection, organization_id: str, status: str) -> timedelta | None:
    """The average duration of the organization's syncs that ended with ``status``; ``None`` without such syncs."""
    query = select(func.avg(milliseconds_between(SYNC.c.started_at, SYNC.c.completed_at))).where(
        SYNC.c.organization_id == organization_id,
        SYNC.c.status == status,
        SYNC.c.completed_at.is_not(None),
        in_history(),
    )
    average = (await connection.execute(query)).scalar()
    return timedelta(milliseconds=float(average)) if average is not None else None
