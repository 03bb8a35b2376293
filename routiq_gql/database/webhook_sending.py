"""Statements of the delivery of webhooks: which webhooks are due, who sends for them, and how attempts ended.

A process claims a webhook before it sends for it, and renews the claim meanwhile. The claim raises the webhook's epoch
and lapses by itself, so that another process takes over from a killed one; results with an earlier epoch are not
recorded. Each function that changes something locks the webhook first, as the writers of events do.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import BigInteger, bindparam, func, or_, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.clock import utc_now
from routiq_gql.database.rows import as_row
from routiq_gql.database.tables import WEBHOOK, WEBHOOK_DELIVERY, WEBHOOK_EVENT
from routiq_gql.database.webhook_attempts import PastAttempt, with_attempt
from routiq_gql.database.webhook_rows import WebhookDeliveryRow, WebhookEventRow, WebhookRow
from routiq_gql.database.webhooks import PENDING

DELIVERED = "DELIVERED"


class Due(NamedTuple):
    """A webhook for which something is to be sent now."""

    webhook_id: str
    organization_id: str
    epoch: int


@dataclass(frozen=True, slots=True)
class Claim:
    """The right of a process to send for a webhook.

    Attributes:
        epoch: Of the webhook when it was claimed.
    """

    webhook_id: str
    epoch: int


class Backlog(NamedTuple):
    """Deliveries that wait, over all organizations, and the time of the oldest event among them."""

    waiting: int
    oldest: datetime | None

    @property
    def age_seconds(self) -> float:
        """Of the oldest event; 0 when none waits."""
        return max(0.0, (utc_now() - self.oldest).total_seconds()) if self.oldest is not None else 0.0


async def due_webhooks(connection: AsyncConnection, now: datetime, limit: int) -> list[Due]:
    """Webhooks that have something to send now and are not claimed, the longest due first."""
    return [Due(*row) for row in await connection.execute(_DUE, {"now": now, "limit": limit})]


async def has_claims(connection: AsyncConnection) -> bool:
    """Whether any webhook is claimed, or was by a process that was killed."""
    query = select(WEBHOOK.c.id).where(WEBHOOK.c.claimed_until.is_not(None)).limit(1)
    return (await connection.execute(query)).first() is not None


async def free_claims(connection: AsyncConnection) -> None:
    """End all claims. For a process that has the database to itself: they are those of killed processes."""
    await connection.execute(
        update(WEBHOOK)
        .where(WEBHOOK.c.claimed_until.is_not(None))
        .values(claimed_until=None, epoch=WEBHOOK.c.epoch + 1)
    )


async def claim_webhook(connection: AsyncConnection, due: Due, now: datetime, until: datetime) -> WebhookRow | None:
    """Claim a webhook until ``until``; ``None`` if another process was faster, or it is no longer due."""
    statement = (
        update(WEBHOOK)
        .where(WEBHOOK.c.id == due.webhook_id, WEBHOOK.c.epoch == due.epoch, WEBHOOK.c.next_at <= now, _IS_FREE)
        .values(epoch=WEBHOOK.c.epoch + 1, claimed_until=until)
        .returning(WEBHOOK)
    )
    return as_row(WebhookRow, (await connection.execute(statement, {"now": now})).one_or_none())


async def renew_claims(connection: AsyncConnection, claims: Sequence[Claim], until: datetime) -> None:
    """Let these claims last until ``until``, but for lost ones. One whose webhook is locked is not waited for."""
    held = tuple_(WEBHOOK.c.id, WEBHOOK.c.epoch).in_([(one.webhook_id, one.epoch) for one in claims])
    free = select(WEBHOOK.c.id).where(held, WEBHOOK.c.claimed_until.is_not(None)).with_for_update(skip_locked=True)
    await connection.execute(update(WEBHOOK).where(WEBHOOK.c.id.in_(free)).values(claimed_until=until))


async def lock_claimed(connection: AsyncConnection, claim: Claim) -> WebhookRow | None:
    """The webhook, locked; ``None`` if the claim was lost or the webhook was removed."""
    query = select(WEBHOOK).where(WEBHOOK.c.id == claim.webhook_id, WEBHOOK.c.epoch == claim.epoch)
    return as_row(WebhookRow, (await connection.execute(query.with_for_update())).one_or_none())


async def next_delivery(
    connection: AsyncConnection, webhook_id: str
) -> tuple[WebhookDeliveryRow, WebhookEventRow] | None:
    """The oldest event that is still to be sent to a webhook."""
    row = (await connection.execute(_NEXT, {"webhook": webhook_id})).one_or_none()
    if row is None:
        return None
    width = len(WEBHOOK_EVENT.columns)
    return WebhookDeliveryRow(*row[width:]), WebhookEventRow(*row[:width])


async def note_attempt(
    connection: AsyncConnection, delivery: WebhookDeliveryRow, attempt: PastAttempt, state: str
) -> None:
    """Record the end of an attempt. ``state`` is the delivery's new one; the webhook is locked."""
    values: dict[str, object] = {"delivered_at": attempt.at} if state == DELIVERED else {}
    await connection.execute(
        update(WEBHOOK_DELIVERY)
        .where(WEBHOOK_DELIVERY.c.key == delivery.key, WEBHOOK_DELIVERY.c.state == PENDING)
        .values(
            state=state,
            attempts=WEBHOOK_DELIVERY.c.attempts + 1,
            last_attempt_at=attempt.at,
            last_status=attempt.status,
            last_error=attempt.error,
            attempt_log=with_attempt(delivery.attempt_log, attempt),
            **values,
        )
    )


async def backlog(connection: AsyncConnection) -> Backlog:
    """The deliveries that wait for enabled webhooks."""
    return Backlog(*(await connection.execute(_BACKLOG)).one())


_NOW = bindparam("now", type_=WEBHOOK.c.next_at.type)
_IS_FREE = or_(WEBHOOK.c.claimed_until.is_(None), WEBHOOK.c.claimed_until <= _NOW) & WEBHOOK.c.disabled_at.is_(None)
_DUE = (
    select(WEBHOOK.c.id, WEBHOOK.c.organization_id, WEBHOOK.c.epoch)
    .where(WEBHOOK.c.next_at.is_not(None), WEBHOOK.c.next_at <= _NOW, _IS_FREE)
    .order_by(WEBHOOK.c.next_at, WEBHOOK.c.id)
    .limit(bindparam("limit", type_=BigInteger))
)
_NEXT = (
    select(*WEBHOOK_EVENT.columns, *WEBHOOK_DELIVERY.columns)
    .join_from(WEBHOOK_DELIVERY, WEBHOOK_EVENT, WEBHOOK_EVENT.c.key == WEBHOOK_DELIVERY.c.event)
    .where(WEBHOOK_DELIVERY.c.webhook_id == bindparam("webhook"), WEBHOOK_DELIVERY.c.state == PENDING)
    .order_by(WEBHOOK_DELIVERY.c.event)
    .limit(1)
)
_BACKLOG = (
    select(func.count(), func.min(WEBHOOK_EVENT.c.at))
    .select_from(WEBHOOK)
    .join(WEBHOOK_DELIVERY, WEBHOOK_DELIVERY.c.webhook_id == WEBHOOK.c.id)
    .join(WEBHOOK_EVENT, WEBHOOK_EVENT.c.key == WEBHOOK_DELIVERY.c.event)
    .where(WEBHOOK.c.next_at.is_not(None), WEBHOOK_DELIVERY.c.state == PENDING)
)
