"""The requests of other organizations with the same API key, which count together with those of an organization.

Cliniko counts per key. Called by looks and their syncs, which store each request before they send it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import LargeBinary, bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.database.tables import REFRESH


@dataclass(frozen=True, slots=True)
class KeySharer:
    """Another organization with the same API key.

    Attributes:
        spent: When the latest requests of its looks and their syncs were sent, in milliseconds since 1970.
        allowance: Requests a minute that Cliniko's rate limit left; ``None`` for the whole share.
    """

    spent: Sequence[int]
    allowance: int | None


_SHARERS = (
    select(REFRESH.c.organization_id, REFRESH.c.spent, REFRESH.c.allowance)
    .where(REFRESH.c.key_digest == bindparam("digest", type_=LargeBinary))
    .order_by(REFRESH.c.organization_id)
)
_LOCKED = _SHARERS.with_for_update()


async def sharers_of(
    connection: AsyncConnection, organization_id: str, key_digest: bytes, *, to_change: bool = False
) -> list[KeySharer]:
    """The other organizations with this key.

    Args:
        to_change: Whether the rows of all of them stay as they are until the transaction ends.
    """
    rows = await connection.execute(_LOCKED if to_change else _SHARERS, {"digest": key_digest})
    return [KeySharer(row.spent, row.allowance) for row in rows if row.organization_id != organization_id]
