"""Reads the published syncs whose rows, or whose changes, can still be read.

A sync is kept while ``mirrors.oldest_kept ≤ its number``; its changes are kept while ``oldest_kept < its number``,
since the versions that it closed are deleted with the sync before it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import BigInteger, BindParameter, Integer, String, bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.database.rows import MirrorRow
from routiq_gql.database.tables import SYNC
from routiq_gql.database.version_pruning import COMPLETED

LISTS_SINCE = 2
"""The first version of the rules that stores who is in which list; see ``analysis_scope.RULES``."""


@dataclass(frozen=True, slots=True)
class PublishedSync:
    """A completed sync, with the settings of its analysis; see ``SyncRow``."""

    key: int
    sync_id: str
    baseline: bool
    analyzed_at: datetime | None
    recent_days: int | None
    upcoming_days: int | None
    seen_within_weeks: int | None
    rules: int | None
    changes: Mapping[str, object] | None

    @property
    def has_lists(self) -> bool:
        """Whether it has stored who is in which list; earlier versions did not."""
        return self.rules is not None and self.rules >= LISTS_SINCE

    @property
    def settings(self) -> tuple[int | None, ...]:
        """Everything that decides its lists besides the rows and the time."""
        return self.recent_days, self.upcoming_days, self.seen_within_weeks, self.rules


_COLUMNS = (
    SYNC.c.key,
    SYNC.c.sync_id,
    SYNC.c.baseline,
    SYNC.c.analyzed_at,
    SYNC.c.recent_days,
    SYNC.c.upcoming_days,
    SYNC.c.seen_within_weeks,
    SYNC.c.rules,
    SYNC.c.changes,
)
_PUBLISHED = select(*_COLUMNS).where(
    SYNC.c.organization_id == bindparam("organization", type_=String), SYNC.c.status == COMPLETED
)
_MOST = bindparam("most", type_=Integer)


def _key(name: str) -> BindParameter[int]:
    return bindparam(name, type_=BigInteger)


async def published_sync(connection: AsyncConnection, mirror: MirrorRow, key: int) -> PublishedSync | None:
    """The organization's completed sync with this number, kept or not; ``None`` if there is none."""
    given = {"organization": mirror.organization_id, "key": key}
    row = (await connection.execute(_BY_KEY, given)).one_or_none()
    return PublishedSync(*row) if row is not None else None


async def sync_has_lists(connection: AsyncConnection, key: int) -> bool:
    """Whether this sync has stored who is in which list; earlier versions did not."""
    rules = (await connection.execute(select(SYNC.c.rules).where(SYNC.c.key == key))).scalar_one_or_none()
    return rules is not None and rules >= LISTS_SINCE


async def sync_before(connection: AsyncConnection, mirror: MirrorRow, key: int) -> PublishedSync | None:
    """The sync that readers saw before the one with this number: its base."""
    given = {"organization": mirror.organization_id, "key": key}
    row = (await connection.execute(_BEFORE, given)).one_or_none()
    return PublishedSync(*row) if row is not None else None


async def syncs_after(connection: AsyncConnection, mirror: MirrorRow, key: int, limit: int) -> list[PublishedSync]:
    """At most ``limit`` syncs that were published after the one with this number, ascending."""
    given = {"organization": mirror.organization_id, "key": key, "newest": mirror.sync, "most": limit}
    return [PublishedSync(*row) for row in await connection.execute(_AFTER, given)]


_BY_KEY = _PUBLISHED.where(SYNC.c.key == _key("key"))
_BEFORE = _PUBLISHED.where(SYNC.c.key < _key("key")).order_by(SYNC.c.key.desc()).limit(1)
_AFTER = _PUBLISHED.where(SYNC.c.key > _key("key"), SYNC.c.key <= _key("newest")).order_by(SYNC.c.key).limit(_MOST)
