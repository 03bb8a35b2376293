"""The requests of other organizations with the same API key, which count together with those of an organization.

Cliniko counts per key. Called by looks and their syncs; an organization with a key of its own costs no statement here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import LargeBinary, bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.database.tables import REFRESH, SYNC


@dataclass(frozen=True, slots=True)
class KeySharer:
    """Another organization with the same API key.

    Attributes:
        spent: When the latest requests of its looks were sent, in milliseconds since 1970.
        allowance: Requests a minute that Cliniko's rate limit left; ``None`` for the whole share.
        is_counted: Whether ``spent`` includes the requests of its newest sync.
        ended_at: When that sync ended; ``None`` while it runs, and without such a sync.
    """

    spent: Sequence[int]
    allowance: int | None
    is_counted: bool
    ended_at: datetime | None

    @property
    def is_running(self) -> bool:
        """Whether a sync of its looks sends requests at present."""
        return not self.is_counted and self.ended_at is None


_SHARERS = (
    select(REFRESH, SYNC.c.key.is_not(None).label("has_sync"), SYNC.c.completed_at)
    .outerjoin(SYNC, SYNC.c.key == REFRESH.c.sync)
    .where(REFRESH.c.key_digest == bindparam("digest", type_=LargeBinary))
    .order_by(REFRESH.c.organization_id)
)
_LOCKED = _SHARERS.with_for_update(of=REFRESH)


async def sharers_of(
    connection: AsyncConnection, organization_id: str, key_digest: bytes, *, to_change: bool = False
) -> list[KeySharer]:
    """The other organizations with this key.

    Args:
        to_change: Whether the rows of all of them stay as they are until the transaction ends.
    """
    rows = await connection.execute(_LOCKED if to_change else _SHARERS, {"digest": key_digest})
    return [
        KeySharer(row.spent, row.allowance, row.spent_by == row.sync or not row.has_sync, row.completed_at)
        for row in rows
        if row.organization_id != organization_id
    ]


def is_any_running(sharers: Sequence[KeySharer]) -> bool:
    """Whether a sync of another organization uses the ration."""
    return any(one.is_running for one in sharers)
