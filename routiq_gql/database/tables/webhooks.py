"""The tables of webhooks: the registered addresses, the outbox of events, and a delivery for each event and address."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import JSON, Column, ForeignKey, Index, LargeBinary, Named, String, Table, Text, TypedColumns

from routiq_gql.database.columns import RowKey, UtcDateTime
from routiq_gql.database.tables.base import METADATA, Holds, OrganizationId, partial_index


class WebhookColumns(TypedColumns):
    """An address that receives an organization's events. Its secret is encrypted; see ``webhook_secrets.py``.

    After a rotation ``earlier_secret`` signs too, until ``earlier_until``. A process sends to it while
    ``claimed_until`` is ahead, and each claim raises ``epoch``. ``next_at`` is null while nothing is to be sent.
    """

    id: Named[str] = Column(String(64), primary_key=True)
    organization_id: Named[str] = Column(OrganizationId)
    url: Named[str] = Column(Text)
    events: Named[Sequence[str]] = Column(JSON)
    includes_names: Named[bool]
    description: Named[str] = Column(Text)
    encryption_key_id: Named[str] = Column(String(64))
    encrypted_secret: Named[bytes] = Column(LargeBinary)
    earlier_key_id: Named[str | None] = Column(String(64))
    earlier_secret: Named[bytes | None] = Column(LargeBinary)
    earlier_until: Named[datetime | None] = Column(UtcDateTime)
    created_at: Named[datetime] = Column(UtcDateTime)
    created_by: Named[str | None] = Column(Text)
    failing_since: Named[datetime | None] = Column(UtcDateTime)
    disabled_at: Named[datetime | None] = Column(UtcDateTime)
    disabled_reason: Named[str | None] = Column(Text)
    epoch: Named[int] = Column(server_default="0")
    claimed_until: Named[datetime | None] = Column(UtcDateTime)
    next_at: Named[datetime | None] = Column(UtcDateTime)


WEBHOOK = Table(
    "webhooks",
    METADATA,
    WebhookColumns,
    Index("ix_webhooks_organization", "organization_id"),
    partial_index("ix_webhooks_next", "next_at", where="next_at IS NOT NULL"),
    info={"holds": Holds.ORGANIZATION},
)


class WebhookEventColumns(TypedColumns):
    """Something that happened, written in the transaction that made it happen; ``key`` orders an organization's events.

    ``subject`` is a sync's id or a patient's id in Cliniko. ``data`` has further ids and codes, and no names. Thousands
    of rows may be written together, so no index is there for an erasure, which may read all rows.
    """

    key: Named[int] = Column(RowKey, primary_key=True, autoincrement=True)
    id: Named[str] = Column(String(64))
    organization_id: Named[str] = Column(OrganizationId)
    type: Named[str] = Column(String(32))
    subject: Named[str] = Column(String(128))
    at: Named[datetime] = Column(UtcDateTime)
    data: Named[dict[str, object]] = Column(JSON)


WEBHOOK_EVENT = Table(
    "webhook_events",
    METADATA,
    WebhookEventColumns,
    Index("ix_webhook_events_organization", "organization_id", "key"),
    Index("ix_webhook_events_time", "at"),
    sqlite_autoincrement=True,  # cursors name these numbers, so a number is never used again
    info={"holds": Holds.ORGANIZATION},
)


class WebhookDeliveryColumns(TypedColumns):
    """An event on its way to an address: one row for each event and webhook, made with the event.

    The events of a webhook are sent in their order, so ``event`` orders its deliveries. ``attempt_log`` is read by
    ``webhook_attempts.py``.
    """

    key: Named[int] = Column(RowKey, primary_key=True, autoincrement=True)
    id: Named[str] = Column(String(64), unique=True)
    organization_id: Named[str] = Column(OrganizationId)
    webhook_id: Named[str] = Column(String(64), ForeignKey("webhooks.id", ondelete="CASCADE"))
    event: Named[int] = Column(RowKey, ForeignKey("webhook_events.key", ondelete="CASCADE"))
    state: Named[str] = Column(String(16))
    attempts: Named[int] = Column(server_default="0")
    last_attempt_at: Named[datetime | None] = Column(UtcDateTime)
    last_status: Named[int | None]
    last_error: Named[str | None] = Column(Text)
    delivered_at: Named[datetime | None] = Column(UtcDateTime)
    attempt_log: Named[dict[str, object] | None] = Column(JSON)


WEBHOOK_DELIVERY = Table(
    "webhook_deliveries",
    METADATA,
    WebhookDeliveryColumns,
    Index("uq_webhook_deliveries_event", "event", "webhook_id", unique=True),
    Index("ix_webhook_deliveries_webhook", "webhook_id", "event"),
    Index("ix_webhook_deliveries_state", "webhook_id", "state", "event"),
    sqlite_autoincrement=True,
    info={"holds": Holds.ORGANIZATION},
)
