"""The rows of webhooks, of their events and of their deliveries; see ``rows`` for the rules of such types."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypedDict


@dataclass(frozen=True, slots=True)
class WebhookRow:
    """A row of ``webhooks``."""

    #: The id that clients use.
    id: str
    #: The organization whose events it receives.
    organization_id: str
    #: The address.
    url: str
    #: The values of the ``EventType`` that it receives.
    events: Sequence[str]
    #: Whether patients' names are sent.
    includes_names: bool
    #: What its owner calls it; may be empty.
    description: str
    #: The key of the installation that encrypted the secret.
    encryption_key_id: str
    #: The secret that signs.
    encrypted_secret: bytes = field(repr=False)
    #: The same for the secret before the last rotation; ``None`` before the first.
    earlier_key_id: str | None
    #: The secret before the last rotation.
    earlier_secret: bytes | None = field(repr=False)
    #: Until when that secret signs too.
    earlier_until: datetime | None
    #: When it was registered.
    created_at: datetime
    #: Who registered it, as named by the token's issuer.
    created_by: str | None
    #: The first of the failed attempts since the last success; ``None`` without such an attempt.
    failing_since: datetime | None
    #: Since when nothing is sent; ``None`` while it is enabled.
    disabled_at: datetime | None
    #: A sentence about the reason.
    disabled_reason: str | None
    #: Counts the claims. A result with an earlier epoch is not recorded.
    epoch: int
    #: Until when a process holds it; ``None`` without a claim.
    claimed_until: datetime | None
    #: When to send next; ``None`` while nothing is pending, and while it is disabled.
    next_at: datetime | None


class WebhookValues(TypedDict, total=False):
    """Columns of ``webhooks`` to write; see ``WebhookRow``."""

    url: str
    events: Sequence[str]
    includes_names: bool
    description: str
    encryption_key_id: str
    encrypted_secret: bytes
    earlier_key_id: str | None
    earlier_secret: bytes | None
    earlier_until: datetime | None
    failing_since: datetime | None
    disabled_at: datetime | None
    disabled_reason: str | None
    epoch: int
    claimed_until: datetime | None
    next_at: datetime | None


@dataclass(frozen=True, slots=True)
class WebhookEventRow:
    """A row of ``webhook_events``."""

    #: Orders the events of an organization.
    key: int
    #: The id that receivers get; the same in every attempt and repeat.
    id: str
    #: The organization.
    organization_id: str
    #: The value of an ``EventType``.
    type: str
    #: The id of the sync, or the patient's id in Cliniko; empty for other events.
    subject: str
    #: When it happened.
    at: datetime
    #: Further ids and codes, by the names that receivers get.
    data: dict[str, object]


@dataclass(frozen=True, slots=True)
class WebhookDeliveryRow:
    """A row of ``webhook_deliveries``."""

    #: The number of the row.
    key: int
    #: The id that clients use.
    id: str
    #: The organization.
    organization_id: str
    #: The webhook.
    webhook_id: str
    #: The ``key`` of the event.
    event: int
    #: The value of a ``DeliveryState``.
    state: str
    #: Attempts since it was made or repeated.
    attempts: int
    #: The time of the last attempt; ``None`` before the first.
    last_attempt_at: datetime | None
    #: The HTTP status of the last answer; ``None`` if there was none.
    last_status: int | None
    #: A sentence about the last failure; ``None`` without any.
    last_error: str | None
    #: When the receiver accepted it.
    delivered_at: datetime | None
    #: The newest attempts; see ``webhook_attempts.py``. ``None`` before the first.
    attempt_log: dict[str, object] | None
