"""Finds webhooks and deliveries by their ids alone, for global ids."""

from collections.abc import Collection

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.database.rows import as_rows
from routiq_gql.database.tables import WEBHOOK, WEBHOOK_DELIVERY, WEBHOOK_EVENT
from routiq_gql.database.webhook_rows import WebhookDeliveryRow, WebhookEventRow, WebhookRow


async def webhooks_by_ids(
    connection: AsyncConnection, ids: Collection[str], organization_id: str | None
) -> list[WebhookRow]:
    """The webhooks with these ids, of one organization or of all."""
    which: ColumnElement[bool] = WEBHOOK.c.id.in_(ids)
    if organization_id is not None:
        which &= WEBHOOK.c.organization_id == organization_id
    return as_rows(WebhookRow, await connection.execute(select(WEBHOOK).where(which)))


async def deliveries_by_ids(
    connection: AsyncConnection, ids: Collection[str], organization_id: str | None
) -> list[tuple[WebhookDeliveryRow, WebhookEventRow]]:
    """The deliveries with these ids and their events, likewise."""
    which: ColumnElement[bool] = WEBHOOK_DELIVERY.c.id.in_(ids)
    if organization_id is not None:
        which &= WEBHOOK_DELIVERY.c.organization_id == organization_id
    deliveries = as_rows(WebhookDeliveryRow, await connection.execute(select(WEBHOOK_DELIVERY).where(which)))
    keys = {one.event for one in deliveries}
    found = await connection.execute(select(WEBHOOK_EVENT).where(WEBHOOK_EVENT.c.key.in_(keys)))
    events = {event.key: event for event in as_rows(WebhookEventRow, found)}
    return [(one, events[one.event]) for one in deliveries if one.event in events]
