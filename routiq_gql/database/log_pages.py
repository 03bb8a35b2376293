"""Reads pages of the logs of several syncs by keyset, in a single statement whatever the number of syncs.

A log is written without gaps, so a range of numbers has as many lines. The range begins at a stored line, since the
first lines may have been deleted.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, FunctionElement, Integer, ScalarSelect, and_, func, literal, select, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.database.rows import LogRow
from routiq_gql.database.sync_log import visible_to
from routiq_gql.database.tables import LOG, SYNC


@dataclass(frozen=True, slots=True)
class LogWindow:
    """At most ``limit`` lines with numbers between two others: the first, or with ``is_backward`` the last."""

    after: int | None
    before: int | None
    limit: int
    is_backward: bool


@dataclass(slots=True)
class LogPageRows:
    """Lines of a window, ascending, and the numbers of the first and the last line of the whole log, if it has any."""

    oldest: int | None
    newest: int | None
    lines: list[LogRow] = field(default_factory=list)


async def log_pages_of(
    connection: AsyncConnection,
    windows: Mapping[LogWindow, Collection[str]],
    organization_id: str | None = None,
    *,
    only: str | None = None,
) -> dict[tuple[str, LogWindow], LogPageRows]:
    """The pages of the logs of these syncs, by the id of the sync and the window.

    A sync that doesn't exist, or doesn't match ``organization_id`` and ``only``, is left out.
    """
    asked = list(windows)
    queries = [_page(number, window, windows[window], organization_id, only) for number, window in enumerate(asked)]
    pages: dict[tuple[str, LogWindow], LogPageRows] = {}
    for number, sync_id, oldest, newest, *line in await connection.execute(union_all(*queries)):
        page = pages.setdefault((sync_id, asked[number]), LogPageRows(oldest, newest))
        if line[0] is not None:  # a sync without such lines has a row of nulls
            page.lines.append(LogRow(*line))
    for page in pages.values():
        page.lines.sort(key=lambda line: line.seq)
    return pages


def _page(
    number: int, window: LogWindow, sync_ids: Collection[str], organization_id: str | None, only: str | None
) -> Any:
    line = LOG.alias("line")

    def first_of(inside: list[ColumnElement[bool]], function: FunctionElement[int]) -> ScalarSelect[int]:
        return select(function).where(line.c.sync_key == SYNC.c.key, *inside).correlate(SYNC).scalar_subquery()

    lowest, highest = func.min(line.c.seq), func.max(line.c.seq)
    inside = _inside(window, line.c.seq)
    syncs = (
        select(
            SYNC.c.sync_id,
            SYNC.c.key,
            first_of([], lowest).label("oldest"),
            first_of([], highest).label("newest"),
            first_of(inside, highest if window.is_backward else lowest).label("start"),
        )
        .where(SYNC.c.sync_id.in_(sync_ids), *visible_to(organization_id, only))
        .subquery(f"syncs_{number}")
    )
    if window.is_backward:
        lines = LOG.c.seq.between(syncs.c.start - (window.limit - 1), syncs.c.start)
    else:
        lines = LOG.c.seq.between(syncs.c.start, syncs.c.start + (window.limit - 1))
    is_asked = and_(LOG.c.sync_key == syncs.c.key, lines, *_inside(window, LOG.c.seq))
    return select(literal(number, Integer), syncs.c.sync_id, syncs.c.oldest, syncs.c.newest, *LOG.columns).select_from(
        syncs.outerjoin(LOG, is_asked)
    )


def _inside(window: LogWindow, seq: ColumnElement[int]) -> list[ColumnElement[bool]]:
    after = [seq > window.after] if window.after is not None else []
    return [*after, seq < window.before] if window.before is not None else after
