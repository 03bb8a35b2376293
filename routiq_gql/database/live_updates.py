"""Counts the syncs that looks at Cliniko have started, between the syncs of a history, which does not list them."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import BigInteger, and_, func, literal_column, or_, select, type_coerce
from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.database.columns import UtcDateTime
from routiq_gql.database.history import in_history
from routiq_gql.database.tables import SYNC


@dataclass(frozen=True, slots=True)
class LiveUpdatesRow:
    """The completed syncs of looks between a sync of the history and the next one.

    Attributes:
        after: The number of that sync.
        patient_changes: The patients that each of them has changed, added up.
    """

    after: int
    count: int
    first_at: datetime
    last_at: datetime
    patient_changes: int


async def live_updates_after(
    connection: AsyncConnection, organization_id: str, keys: Collection[int]
) -> list[LiveUpdatesRow]:
    """The syncs of looks after each of these syncs of a history, in one statement; syncs without any are left out."""
    if not keys:
        return []
    newer, own = SYNC.alias("newer"), SYNC.c.organization_id == organization_id
    is_listed = in_history(newer)
    following = select(func.min(newer.c.key)).where(
        newer.c.organization_id == organization_id, newer.c.key > SYNC.c.key, is_listed
    )
    page = select(SYNC.c.key, following.scalar_subquery().label("next_key")).where(own, SYNC.c.key.in_(keys)).subquery()
    update = SYNC.alias("live_update")
    is_between = and_(update.c.key > page.c.key, or_(page.c.next_key.is_(None), update.c.key < page.c.next_key))
    patients = func.coalesce(update.c.changes["patients"].as_integer(), 0)
    query = (
        select(
            page.c.key,
            func.count(),
            type_coerce(func.min(update.c.started_at), UtcDateTime),
            type_coerce(func.max(update.c.completed_at), UtcDateTime),
            func.sum(patients, type_=BigInteger),
        )
        .join_from(page, update, is_between)
        .where(update.c.organization_id == organization_id, update.c.refresh, ~in_history(update))
        .where(update.c.status == literal_column("'completed'"))
        .group_by(page.c.key)
        .order_by(page.c.key.desc())
    )
    rows = await connection.execute(query)
    return [LiveUpdatesRow(row[0], row[1], row[2], row[3], int(row[4])) for row in rows]
