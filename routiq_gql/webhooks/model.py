"""Webhooks and their deliveries, as readers see them. Never a secret."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from routiq_gql.database.webhook_attempts import PastAttempt as PastAttempt  # the API may not import the database
from routiq_gql.database.webhook_attempts import stored_attempts
from routiq_gql.database.webhook_events import EventType as EventType  # the API may not import tables
from routiq_gql.database.webhook_rows import WebhookDeliveryRow, WebhookEventRow, WebhookRow

REGISTRABLE = tuple(one for one in EventType if one is not EventType.WEBHOOK_TEST)
"""The events that a webhook can be registered for."""


class DeliveryState(StrEnum):
    """What became of a delivery. The values are stored."""

    PENDING = "PENDING"
    DELIVERED = "DELIVERED"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True)
class Webhook:
    """An address that receives an organization's events.

    Attributes:
        events: Those that it receives.
        includes_names: Whether events about a patient have the patient's name.
        created_by: Who registered it, as named by the token's issuer.
        earlier_until: Until when the secret before the last rotation signs too; ``None`` when it no longer does.
        failing_since: The first of the failed attempts since the last success.
        disabled_at: Since when nothing is sent; ``None`` while it is enabled.
        disabled_reason: A sentence about the reason.
        next_attempt_at: When the oldest delivery that waits is tried; ``None`` if none waits or it is disabled.
        pending_count: How many deliveries are still to be sent.
    """

    id: str
    organization_id: str
    url: str
    events: tuple[EventType, ...]
    includes_names: bool
    description: str | None
    created_at: datetime
    created_by: str | None
    earlier_until: datetime | None
    failing_since: datetime | None
    disabled_at: datetime | None
    disabled_reason: str | None
    next_attempt_at: datetime | None
    pending_count: int


@dataclass(frozen=True, slots=True)
class WebhookChanges:
    """What to change of a webhook; ``None`` leaves a value as it is. An empty description removes it."""

    url: str | None = None
    events: Sequence[EventType] | None = None
    includes_names: bool | None = None
    description: str | None = None
    is_enabled: bool | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """An event on its way to a webhook.

    Attributes:
        event_id: The event's id, which the receiver gets as ``webhook-id``; the same in every attempt and repeat.
        subject: The id of the sync, or the patient's id in Cliniko; ``None`` for other events.
        attempts: Attempts since it was made or repeated.
        last_status: The HTTP status of the last answer; ``None`` if there was none.
        last_error: A sentence about the last failed attempt.
        attempt_log: The newest attempts, the oldest of them first, also those before a repeat.
    """

    id: str
    webhook_id: str
    event_id: str
    event: EventType
    subject: str | None
    occurred_at: datetime
    state: DeliveryState
    attempts: int
    last_attempt_at: datetime | None
    last_status: int | None
    last_error: str | None
    delivered_at: datetime | None
    attempt_log: tuple[PastAttempt, ...]


@dataclass(frozen=True, slots=True)
class DeliveryPage:
    """Deliveries of a webhook, newest event first.

    Attributes:
        cursors: Of the deliveries, in their order.
    """

    deliveries: list[Delivery]
    cursors: list[str]
    has_next: bool
    has_previous: bool


def webhook_in(row: WebhookRow, pending_count: int, now: datetime) -> Webhook:
    """The webhook in a row."""
    until = row.earlier_until
    return Webhook(
        id=row.id,
        organization_id=row.organization_id,
        url=row.url,
        events=tuple(EventType(one) for one in row.events),
        includes_names=row.includes_names,
        description=row.description or None,
        created_at=row.created_at,
        created_by=row.created_by,
        earlier_until=until if until is not None and until > now else None,
        failing_since=row.failing_since,
        disabled_at=row.disabled_at,
        disabled_reason=row.disabled_reason,
        next_attempt_at=row.next_at if pending_count else None,
        pending_count=pending_count,
    )


def delivery_in(row: WebhookDeliveryRow, event: WebhookEventRow) -> Delivery:
    """The delivery in a row, with its event."""
    return Delivery(
        id=row.id,
        webhook_id=row.webhook_id,
        event_id=event.id,
        event=EventType(event.type),
        subject=event.subject or None,
        occurred_at=event.at,
        state=DeliveryState(row.state),
        attempts=row.attempts,
        last_attempt_at=row.last_attempt_at,
        last_status=row.last_status,
        last_error=row.last_error,
        delivered_at=row.delivered_at,
        attempt_log=stored_attempts(row.attempt_log),
    )
