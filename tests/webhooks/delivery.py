"""A clinic with webhooks: writes events as transactions of the product do, and compares deliveries with the outbox."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select

from routiq_gql.clock import utc_now
from routiq_gql.database.engine import Database
from routiq_gql.database.tables import WEBHOOK_DELIVERY, WEBHOOK_EVENT
from routiq_gql.database.webhook_events import NewEvent, write_events
from routiq_gql.runtime import Runtime
from routiq_gql.security.viewer import LOCAL_OPERATOR
from routiq_gql.webhooks.model import EventType
from tests.organization import ORGANIZATION
from tests.waiting import LIMIT_SECONDS
from tests.webhooks.receiver import Receiver

PRIVATE = ("127.0.0.0/8",)
"""The receivers of tests are on this machine."""
ALL = tuple(one for one in EventType if one is not EventType.WEBHOOK_TEST)


@dataclass(frozen=True)
class Sent:
    """An event in the outbox with the state of its delivery."""

    event_id: str
    subject: str
    state: str
    attempts: int
    error: str | None


async def register(
    runtime: Runtime,
    receiver: Receiver,
    organization_id: str = ORGANIZATION,
    events: Sequence[EventType] = ALL,
    *,
    includes_names: bool = False,
) -> tuple[str, str]:
    """The id and the secret of a new webhook."""
    webhook, secret = await runtime.webhooks.register(
        LOCAL_OPERATOR, organization_id, url=receiver.url, events=events, includes_names=includes_names
    )
    return webhook.id, secret


async def write(
    database: Database,
    *subjects: str,
    organization_id: str = ORGANIZATION,
    kind: EventType = EventType.SYNC_COMPLETED,
) -> None:
    """Write an event for each subject, in one transaction."""
    async with database.writing() as connection:
        await write_events(connection, organization_id, utc_now(), [NewEvent(kind, one) for one in subjects])


async def outbox(database: Database, webhook_id: str) -> list[Sent]:
    """All events for a webhook in their order."""
    query = (
        select(
            WEBHOOK_EVENT.c.id,
            WEBHOOK_EVENT.c.subject,
            WEBHOOK_DELIVERY.c.state,
            WEBHOOK_DELIVERY.c.attempts,
            WEBHOOK_DELIVERY.c.last_error,
        )
        .join_from(WEBHOOK_DELIVERY, WEBHOOK_EVENT, WEBHOOK_EVENT.c.key == WEBHOOK_DELIVERY.c.event)
        .where(WEBHOOK_DELIVERY.c.webhook_id == webhook_id)
        .order_by(WEBHOOK_EVENT.c.key)
    )
    async with database.reading() as connection:
        return [Sent(*row) for row in await connection.execute(query)]


async def until_sent(database: Database, webhook_id: str, state: str = "DELIVERED") -> list[Sent]:
    """The outbox, as soon as every event of a webhook has this state."""
    async with asyncio.timeout(LIMIT_SECONDS):
        while True:
            found = await outbox(database, webhook_id)
            if found and all(one.state == state for one in found):
                return found
            await asyncio.sleep(0.02)


def accepted_in_order(receiver: Receiver, secretless: Sequence[Sent]) -> None:
    """Fail unless the receiver has accepted exactly these events, first arrivals in the order of the outbox."""
    ids = [one.event_id for one in receiver.accepted]
    assert list(dict.fromkeys(ids)) == [one.event_id for one in secretless]
