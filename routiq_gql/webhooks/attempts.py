"""An attempt to deliver, before and after it is sent: the next event of a webhook, and the record of the end.

The functions that record expect the webhook to be locked; see ``database/webhook_sending.py``.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql import metrics
from routiq_gql.clock import utc_now
from routiq_gql.database.engine import Database
from routiq_gql.database.webhook_attempts import PastAttempt
from routiq_gql.database.webhook_rows import WebhookDeliveryRow, WebhookRow, WebhookValues
from routiq_gql.database.webhook_sending import Claim, lock_claimed, next_delivery, note_attempt
from routiq_gql.database.webhooks import change_webhook
from routiq_gql.webhooks.bodies import body_of, name_for
from routiq_gql.webhooks.model import DeliveryState
from routiq_gql.webhooks.waits import next_attempt

if TYPE_CHECKING:
    from routiq_gql.webhooks.sending import Reply

LEASE = timedelta(seconds=15)
"""How long a claim of a killed process holds back its webhook."""
RENEW_SECONDS = 4.0
"""A claim is renewed so often while its process sends. The rest of the lease covers clocks that differ."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """An event that is to be sent now."""

    delivery: WebhookDeliveryRow
    event_id: str
    body: str


async def next_outgoing(connection: AsyncConnection, row: WebhookRow) -> Outgoing | None:
    """The oldest event that a webhook has not been sent; ``None`` if nothing waits."""
    found = await next_delivery(connection, row.id)
    if found is None:
        return None
    delivery, event = found
    name = await name_for(connection, event) if row.includes_names else None
    return Outgoing(delivery, event.id, body_of(event, name))


async def record(
    connection: AsyncConnection,
    row: WebhookRow,
    delivery: WebhookDeliveryRow,
    reply: "Reply",
    at: datetime,
    seconds: float,
    *,
    is_woken: bool = False,
) -> None:
    """Record the end of an attempt that began at ``at``. A failure ends the claim and sets the next attempt.

    Args:
        seconds: How long the attempt took.
        is_woken: Whether a person has changed the address, enabled the webhook, or asked for a test or a repeat during
            the attempt. The next attempt then begins at once, and this failure says nothing about the new address.
    """
    metrics.webhook_attempt(reply.outcome)
    attempt = PastAttempt(at, reply.status, reply.problem or None, seconds)
    if reply.outcome == "delivered":
        await note_attempt(connection, delivery, attempt, DeliveryState.DELIVERED)
        await change_webhook(connection, row.id, {"failing_since": None, "claimed_until": utc_now() + LEASE})
        return
    if is_woken and row.disabled_at is None:
        values, state = WebhookValues(next_at=row.next_at), DeliveryState.PENDING
    else:
        values, state = _after_failure(row, delivery, reply, at)
    await note_attempt(connection, delivery, attempt, state)
    await change_webhook(connection, row.id, values)


def _after_failure(
    row: WebhookRow, delivery: WebhookDeliveryRow, reply: "Reply", at: datetime
) -> tuple[WebhookValues, DeliveryState]:
    since = row.failing_since or at
    values: WebhookValues = {"failing_since": since}
    if row.disabled_at is not None:  # meanwhile, by a person
        return values, DeliveryState.PENDING
    facts = {"organization_id": row.organization_id, "webhook_id": row.id, "status": reply.status}
    next_at = next_attempt(utc_now(), delivery.attempts + 1, since, reply.wait)
    if next_at is not None and reply.outcome != "gone":
        if row.failing_since is None:
            log.info("webhook_failing", **facts, problem=reply.problem)
        return {**values, "next_at": next_at}, DeliveryState.PENDING
    reason = reply.problem
    if reply.outcome != "gone":
        reason = f"Nothing could be delivered for three days. The last attempt: {reply.problem}"
    log.warning("webhook_disabled", **facts, reason=reason)
    values |= {"disabled_at": utc_now(), "disabled_reason": reason, "next_at": None}
    return values, DeliveryState.FAILED


async def release(database: Database, claim: Claim) -> None:
    """End a claim. Without a failure, the webhook is due at once if something waits.

    Raises:
        StorageError: The database can't be used.
    """
    async with database.writing() as connection:
        row = await lock_claimed(connection, claim)
        if row is None:
            return
        values: WebhookValues = {"claimed_until": None}
        if row.failing_since is None and row.disabled_at is None:
            # Read under the lock: a writer of events that found the webhook due would not have set the time.
            is_waiting = await next_delivery(connection, row.id) is not None
            values["next_at"] = utc_now() if is_waiting else None
        await change_webhook(connection, row.id, values)
