"""How many syncs one organization may start within a minute, over all processes: each spends the clinic's quota.

Syncs with a start in the future, from when the clock was ahead, don't count: they would block the organization until
that time has come.
"""

from datetime import timedelta
from math import ceil

from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.clock import utc_now
from routiq_gql.database.syncs import started_since
from routiq_gql.errors import RateLimited

A_MINUTE = timedelta(minutes=1)


async def enforce_start_limit(connection: AsyncConnection, organization_id: str, key: int, most: int) -> None:
    """Refuse the sync with this ``key``, just inserted, if it is one too many. The caller's transaction is then undone.

    Raises:
        RateLimited: It is.
    """
    now = utc_now()
    earlier = await started_since(connection, organization_id, now - A_MINUTE, now, but=key)
    if len(earlier) < most:
        return
    seconds = max(1, ceil((earlier[-most] + A_MINUTE - now).total_seconds()))
    raise RateLimited(
        f"{len(earlier)} syncs of this organization were started within a minute, and each uses some of the clinic's "
        f"requests to Cliniko. Try again in {seconds} s.",
        seconds,
    )
