"""Limits the syncs that an organization may start within a minute, over all processes: each uses the clinic's quota.

Syncs that were started while the clock was ahead don't count. They would block the organization until the clock
reaches that time.
"""

from datetime import timedelta
from math import ceil

from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.clock import utc_now
from routiq_gql.database.syncs import started_since
from routiq_gql.errors import RateLimited

A_MINUTE = timedelta(minutes=1)


async def enforce_start_limit(connection: AsyncConnection, organization_id: str, key: int, most: int) -> None:
    """Raise if the sync with this ``key``, just inserted, exceeds the limit. This undoes the caller's transaction.

    Raises:
        RateLimited: It exceeds the limit.
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
