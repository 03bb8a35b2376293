"""Stores when clients last read the data of organizations that are kept live, for the looks of any process."""

from collections.abc import Collection
from datetime import datetime, timedelta

import orjson
from sqlalchemy import Boolean, bindparam, case, exists, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.database.columns import UtcDateTime, each_text
from routiq_gql.database.tables import REFRESH

FRESH_FOR = timedelta(seconds=15)
"""A time that another process has stored within these seconds is not stored again."""

_NOW = bindparam("now", type_=UtcDateTime())
_WATCHED_SINCE = bindparam("watched_since", type_=UtcDateTime())
_LATEST = bindparam("latest", type_=UtcDateTime())


async def is_any_refresh_asked(connection: AsyncConnection) -> bool:
    """Whether an operator has asked to keep any organization live."""
    return bool((await connection.execute(select(exists().where(REFRESH.c.is_asked)))).scalar())


async def note_watched(
    connection: AsyncConnection,
    organizations: Collection[str],
    now: datetime,
    *,
    watched_since: datetime,
    latest: datetime,
    everywhere: bool,
) -> None:
    """Store that clients read these organizations now. The next look of an organization without clients becomes due.

    Args:
        watched_since: No client has read an organization that was not read since.
        latest: A look that is due later waits because of failures, and stays as it is.
        everywhere: Whether every organization is kept live, or those with ``is_asked``.
    """
    watched_at, next_at = REFRESH.c.watched_at, REFRESH.c.next_at
    names = select(each_text(connection.dialect.name, "organizations"))
    is_live = or_(REFRESH.c.is_asked, bindparam("everywhere", type_=Boolean))
    is_old = or_(watched_at.is_(None), watched_at < bindparam("old", type_=UtcDateTime()), watched_at > _NOW)
    # In the order of their ids, so that two processes never wait for each other.
    rows = select(REFRESH.c.organization_id).where(REFRESH.c.organization_id.in_(names), is_live, is_old)
    rows = rows.order_by(REFRESH.c.organization_id).with_for_update()
    was_unwatched = or_(watched_at.is_(None), watched_at < _WATCHED_SINCE)
    is_ahead = (next_at > _NOW) & (next_at <= _LATEST)
    statement = update(REFRESH).where(REFRESH.c.organization_id.in_(rows))
    statement = statement.values(watched_at=_NOW, next_at=case((was_unwatched & is_ahead, _NOW), else_=next_at))
    given = {
        "organizations": orjson.dumps(list(organizations)).decode(),
        "everywhere": everywhere,
        "now": now,
        "old": now - FRESH_FOR,
        "watched_since": watched_since,
        "latest": latest,
    }
    await connection.execute(statement, given)
