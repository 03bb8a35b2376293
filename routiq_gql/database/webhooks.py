"""Queries on webhooks and their deliveries. Secrets are encrypted by the caller; see ``webhook_secrets.py``.

``webhook_events`` writes the events. Everything that belongs to a webhook is found with its organization, so another
organization's id finds nothing.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime

from sqlalchemy import BigInteger, String, bindparam, delete, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.database.rows import as_row, as_rows
from routiq_gql.database.tables import WEBHOOK, WEBHOOK_DELIVERY, WEBHOOK_EVENT
from routiq_gql.database.webhook_rows import WebhookDeliveryRow, WebhookEventRow, WebhookRow, WebhookValues

PENDING = "PENDING"
FAILED = "FAILED"
_EVENT_COLUMNS = len(WEBHOOK_EVENT.columns)


async def lock_registrations(connection: AsyncConnection, organization_id: str) -> None:
    """Let no other transaction register a webhook of the organization meanwhile. SQLite's writers queue anyway."""
    if connection.dialect.name == "postgresql":
        await connection.execute(_ONE_AT_A_TIME, {"organization": organization_id})


_REGISTRATIONS_LOCK = 0x686F6F6B  # "hook"; any number, the same for every process
_ONE_AT_A_TIME = select(
    func.pg_advisory_xact_lock(_REGISTRATIONS_LOCK, func.hashtext(bindparam("organization", type_=String)))
)


async def insert_webhook(connection: AsyncConnection, row: WebhookRow) -> None:
    """Add a webhook."""
    await connection.execute(insert(WEBHOOK).values(**asdict(row)))


async def webhooks_of(connection: AsyncConnection, organization_id: str) -> list[WebhookRow]:
    """The organization's webhooks, the oldest first."""
    query = select(WEBHOOK).where(WEBHOOK.c.organization_id == organization_id)
    return as_rows(WebhookRow, await connection.execute(query.order_by(WEBHOOK.c.created_at, WEBHOOK.c.id)))


async def webhook_of(
    connection: AsyncConnection, organization_id: str, webhook_id: str, *, to_change: bool = False
) -> WebhookRow | None:
    """A webhook of the organization; with ``to_change``, locked until this transaction ends."""
    query = select(WEBHOOK).where(WEBHOOK.c.id == webhook_id, WEBHOOK.c.organization_id == organization_id)
    query = query.with_for_update() if to_change else query
    return as_row(WebhookRow, (await connection.execute(query)).one_or_none())


async def change_webhook(connection: AsyncConnection, webhook_id: str, values: WebhookValues) -> WebhookRow:
    """Change a webhook that the transaction has locked, and return its row."""
    statement = update(WEBHOOK).where(WEBHOOK.c.id == webhook_id).values(**values).returning(WEBHOOK)
    return WebhookRow(*(await connection.execute(statement)).one())


async def remove_webhook(connection: AsyncConnection, webhook_id: str) -> None:
    """Delete a webhook that the transaction has locked, with its deliveries. Events stay until they are pruned."""
    await connection.execute(delete(WEBHOOK).where(WEBHOOK.c.id == webhook_id))


async def pending_counts(connection: AsyncConnection, webhook_ids: Collection[str]) -> Mapping[str, int]:
    """How many deliveries of each of these webhooks are to be sent; without those that have none."""
    query = select(WEBHOOK_DELIVERY.c.webhook_id, func.count()).where(
        WEBHOOK_DELIVERY.c.webhook_id.in_(webhook_ids), WEBHOOK_DELIVERY.c.state == PENDING
    )
    rows = await connection.execute(query.group_by(WEBHOOK_DELIVERY.c.webhook_id))
    return {webhook_id: count for webhook_id, count in rows}  # noqa: C416 - a row is no pair for mypy


async def deliveries_page(
    connection: AsyncConnection, webhook_id: str, states: Sequence[str], below: int | None, limit: int
) -> list[tuple[WebhookDeliveryRow, WebhookEventRow]]:
    """At most ``limit`` deliveries of a webhook, newest event first, with their events.

    Args:
        states: Only deliveries in these states; in any when empty.
        below: Only deliveries of events with lower numbers.
    """
    query = _WITH_EVENT.where(WEBHOOK_DELIVERY.c.webhook_id == webhook_id)
    if states:
        query = query.where(WEBHOOK_DELIVERY.c.state.in_(states))
    if below is not None:
        query = query.where(WEBHOOK_DELIVERY.c.event < bindparam(None, below, BigInteger, unique=True))
    rows = await connection.execute(query.order_by(WEBHOOK_DELIVERY.c.event.desc()).limit(limit))
    return [_split(row) for row in rows]


async def delivery_of(
    connection: AsyncConnection, organization_id: str, delivery_id: str, *, to_change: bool = False
) -> tuple[WebhookDeliveryRow, WebhookEventRow] | None:
    """A delivery of the organization, with its event.

    Args:
        to_change: Keep the event from being pruned until this transaction ends. Lock the delivery's webhook first.
    """
    is_it = (WEBHOOK_DELIVERY.c.id == delivery_id) & (WEBHOOK_DELIVERY.c.organization_id == organization_id)
    query = _WITH_EVENT.where(is_it)
    query = query.with_for_update(read=True, of=WEBHOOK_EVENT) if to_change else query
    row = (await connection.execute(query)).one_or_none()
    return _split(row) if row is not None else None


_WITH_EVENT = select(*WEBHOOK_EVENT.columns, *WEBHOOK_DELIVERY.columns).join_from(
    WEBHOOK_DELIVERY, WEBHOOK_EVENT, WEBHOOK_EVENT.c.key == WEBHOOK_DELIVERY.c.event
)


def _split(row: Sequence[object]) -> tuple[WebhookDeliveryRow, WebhookEventRow]:
    event, delivery = row[:_EVENT_COLUMNS], row[_EVENT_COLUMNS:]
    return WebhookDeliveryRow(*delivery), WebhookEventRow(*event)  # type: ignore[arg-type]


async def send_again(connection: AsyncConnection, delivery: WebhookDeliveryRow) -> WebhookDeliveryRow:
    """Make a delivery pending, and return its row. The transaction has locked its webhook."""
    statement = update(WEBHOOK_DELIVERY).where(WEBHOOK_DELIVERY.c.key == delivery.key).values(**_AGAIN)
    return WebhookDeliveryRow(*(await connection.execute(statement.returning(WEBHOOK_DELIVERY))).one())


async def send_failed_again(connection: AsyncConnection, webhook_id: str) -> None:
    """Make all failed deliveries of a webhook pending. The transaction has locked the webhook."""
    failed = (WEBHOOK_DELIVERY.c.webhook_id == webhook_id) & (WEBHOOK_DELIVERY.c.state == FAILED)
    await connection.execute(update(WEBHOOK_DELIVERY).where(failed).values(**_AGAIN))


_AGAIN = {"state": PENDING, "attempts": 0, "delivered_at": None}


async def wake_webhook(connection: AsyncConnection, webhook_id: str, now: datetime) -> None:
    """Let a webhook send its pending deliveries at once, if it has any and is enabled."""
    pending = select(WEBHOOK_DELIVERY.c.key).where(
        WEBHOOK_DELIVERY.c.webhook_id == WEBHOOK.c.id, WEBHOOK_DELIVERY.c.state == PENDING
    )
    await connection.execute(
        update(WEBHOOK)
        .where(WEBHOOK.c.id == webhook_id, WEBHOOK.c.disabled_at.is_(None), pending.exists())
        .values(next_at=now)
    )


async def sealed_secrets(connection: AsyncConnection, but_key: str) -> list[WebhookRow]:
    """The webhooks with a secret that another key than ``but_key`` encrypted, locked against other changes."""
    other = or_(WEBHOOK.c.encryption_key_id != but_key, WEBHOOK.c.earlier_key_id != but_key)
    query = select(WEBHOOK).where(other).order_by(WEBHOOK.c.id).with_for_update()
    return as_rows(WebhookRow, await connection.execute(query))


async def webhook_key_ids(connection: AsyncConnection) -> set[str]:
    """The ids of the installation's keys that encrypt secrets of webhooks."""
    current = select(WEBHOOK.c.encryption_key_id).distinct()
    earlier = select(WEBHOOK.c.earlier_key_id).where(WEBHOOK.c.earlier_key_id.is_not(None)).distinct()
    return {str(one) for one in (await connection.execute(current.union(earlier))).scalars()}
