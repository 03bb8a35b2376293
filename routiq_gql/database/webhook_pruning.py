"""Deletes old events for webhooks with their deliveries, but none that an enabled webhook is still to be sent.

Such an old event is one whose delivery a person repeats. Events that wait for a disabled webhook are deleted.
"""

from datetime import datetime

from sqlalchemy import ColumnElement, delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.database.tables import WEBHOOK, WEBHOOK_DELIVERY, WEBHOOK_EVENT
from routiq_gql.database.webhooks import PENDING


def is_to_be_sent() -> ColumnElement[bool]:
    """Whether an event waits for an enabled webhook."""
    waiting = select(WEBHOOK_DELIVERY.c.key).join_from(
        WEBHOOK_DELIVERY, WEBHOOK, WEBHOOK.c.id == WEBHOOK_DELIVERY.c.webhook_id
    )
    is_for_it = WEBHOOK_DELIVERY.c.event == WEBHOOK_EVENT.c.key
    return waiting.where(is_for_it, WEBHOOK_DELIVERY.c.state == PENDING, WEBHOOK.c.disabled_at.is_(None)).exists()


async def prune_events(connection: AsyncConnection, cutoff: datetime, size: int) -> bool:
    """Delete up to ``size`` events from before ``cutoff``; ``True`` if there may be more.

    They are locked first, as by the repeat of a delivery, and then looked at again: a delivery that was repeated
    meanwhile is not lost.
    """
    may_go = (WEBHOOK_EVENT.c.at < cutoff) & ~is_to_be_sent()
    batch = select(WEBHOOK_EVENT.c.key).where(may_go).limit(size).with_for_update(skip_locked=True)
    keys = list((await connection.execute(batch)).scalars())
    if keys:
        await connection.execute(delete(WEBHOOK_EVENT).where(WEBHOOK_EVENT.c.key.in_(keys), ~is_to_be_sent()))
    return bool(keys)
