"""Reads the outbox of webhooks for tests: events and deliveries of an organization, in their order."""

from dataclasses import dataclass

from sqlalchemy import select

from routiq_gql.database.tables import WEBHOOK_DELIVERY, WEBHOOK_EVENT
from routiq_gql.runtime import Runtime
from routiq_gql.security.viewer import LOCAL_OPERATOR
from routiq_gql.webhooks.model import REGISTRABLE, EventType, Webhook, WebhookChanges
from tests.organization import ORGANIZATION

URL = "https://hooks.example.com/routiq"


@dataclass(frozen=True)
class Written:
    """An event of the outbox."""

    key: int
    type: str
    subject: str
    data: dict[str, object]


async def silent_webhook(
    runtime: Runtime, *events: EventType, organization_id: str = ORGANIZATION, **options: bool
) -> Webhook:
    """A webhook for these events, or for all, that is disabled: its events are kept, and nothing is sent."""
    wanted = events or REGISTRABLE
    made, _ = await runtime.webhooks.register(LOCAL_OPERATOR, organization_id, url=URL, events=wanted, **options)
    return await runtime.webhooks.change(LOCAL_OPERATOR, organization_id, made.id, WebhookChanges(is_enabled=False))


async def written(runtime: Runtime, organization_id: str = ORGANIZATION) -> list[Written]:
    """All events of the organization."""
    columns = WEBHOOK_EVENT.c
    query = select(columns.key, columns.type, columns.subject, columns.data).order_by(columns.key)
    async with runtime.database.reading() as connection:
        rows = await connection.execute(query.where(columns.organization_id == organization_id))
        return [Written(*row) for row in rows]


async def types_and_subjects(runtime: Runtime) -> list[tuple[str, str]]:
    """All events of the organization, without their numbers."""
    return [(one.type, one.subject) for one in await written(runtime)]


async def delivered_to(runtime: Runtime, webhook_id: str) -> list[int]:
    """The events of a webhook's deliveries."""
    query = select(WEBHOOK_DELIVERY.c.event).where(WEBHOOK_DELIVERY.c.webhook_id == webhook_id)
    async with runtime.database.reading() as connection:
        return list((await connection.execute(query.order_by(WEBHOOK_DELIVERY.c.event))).scalars())
