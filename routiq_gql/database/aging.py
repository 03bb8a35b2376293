"""Closes rows of a draft that leave the mirror without an answer of Cliniko: past the horizon, or of closed classes."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.database.counting import attendees_of_closed_classes
from routiq_gql.database.drafts import Closing, Draft
from routiq_gql.database.merging import close_ids
from routiq_gql.database.mirror import MirrorList


async def age_out(connection: AsyncConnection, draft: Draft, horizon: datetime, size: int) -> int:
    """Close up to ``size`` appointments that start before the horizon; returns how many, 0 after the last."""
    for target in (MirrorList.INDIVIDUAL_APPOINTMENTS, MirrorList.GROUP_APPOINTMENTS):
        columns = target.table.c
        query = select(columns.id).where(target.in_draft(draft), columns.starts_at < horizon).limit(size)
        ids = list((await connection.execute(query)).scalars())
        if ids:
            await close_ids(connection, draft, target, ids, Closing.AGED_OUT)
            return len(ids)
    return 0


async def close_attendees_of_closed_classes(connection: AsyncConnection, draft: Draft, size: int) -> int:
    """Close up to ``size`` attendees whose class is not in the draft; returns how many, 0 after the last.

    Called after everything else that a sync reads. ``attendees_of_closed_classes`` finds them in a reading transaction.
    """
    ids = await attendees_of_closed_classes(connection, draft, size)
    await close_ids(connection, draft, MirrorList.ATTENDEES, ids, Closing.CLASS_CLOSED)
    return len(ids)
