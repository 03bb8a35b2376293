"""Closes appointments of a draft that leave the mirror without an answer of Cliniko, because time has passed."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

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
