"""Shows, repeats and tests deliveries, each in the transaction of the service in ``registry``."""

from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.clock import utc_now
from routiq_gql.database.webhook_events import write_test_event
from routiq_gql.database.webhook_rows import WebhookRow
from routiq_gql.database.webhooks import deliveries_page, delivery_of, send_again, wake_webhook, webhook_of
from routiq_gql.errors import Kind, WebhookNotFound
from routiq_gql.paging import PageArguments, Scope
from routiq_gql.webhooks.ids import check_delivery_id, check_webhook_id
from routiq_gql.webhooks.model import Delivery, DeliveryPage, DeliveryState, delivery_in
from routiq_gql.webhooks.problems import Refusal, WebhookRefused

_REFUSAL = "“{name}” is not a cursor of these deliveries. Use the cursors of an earlier page of the same webhook."


async def require_webhook(
    connection: AsyncConnection, organization_id: str, webhook_id: str, *, to_change: bool = False
) -> WebhookRow:
    """A webhook of the organization; with ``to_change``, locked until the transaction ends.

    Raises:
        WebhookNotFound: There is none with this id.
    """
    check_webhook_id(webhook_id)
    row = await webhook_of(connection, organization_id, webhook_id, to_change=to_change)
    if row is None:
        raise WebhookNotFound
    return row


async def page_of_deliveries(
    connection: AsyncConnection,
    organization_id: str,
    webhook_id: str,
    page: PageArguments,
    state: DeliveryState | None,
) -> DeliveryPage:
    """A page of a webhook's deliveries, newest event first.

    Raises:
        BadInput: The cursor is not of these deliveries.
        WebhookNotFound: There is no such webhook.
    """
    scope = Scope("delivery", [organization_id, webhook_id], _REFUSAL)
    below, _ = scope.read_cursors(page)
    states = [state.value] if state is not None else []
    await require_webhook(connection, organization_id, webhook_id)
    found = await deliveries_page(connection, webhook_id, states, below, page.size + 1)
    shown = found[: page.size]
    return DeliveryPage(
        deliveries=[delivery_in(row, event) for row, event in shown],
        cursors=[scope.cursor_of(row.event) for row, _ in shown],
        has_next=len(found) > len(shown),
        has_previous=below is not None,
    )


async def repeat_delivery(
    connection: AsyncConnection, organization_id: str, delivery_id: str
) -> tuple[WebhookRow, Delivery]:
    """Let a delivery be sent again, in its place in the order, and return it with its webhook, whose wait it ends.

    Raises:
        WebhookNotFound: There is no such delivery.
        WebhookRefused: It is still to be sent, or its webhook is disabled.
    """
    check_delivery_id(delivery_id)
    found = await delivery_of(connection, organization_id, delivery_id)
    if found is None:
        raise WebhookNotFound(Kind.DELIVERY)
    webhook = await webhook_of(connection, organization_id, found[0].webhook_id, to_change=True)
    found = await delivery_of(connection, organization_id, delivery_id, to_change=True)  # as it is under the lock
    if webhook is None or found is None:
        raise WebhookNotFound(Kind.DELIVERY)
    row, event = found
    _require_enabled(webhook)
    if row.state == DeliveryState.PENDING:
        raise WebhookRefused(
            Refusal.ALREADY_PENDING,
            "This delivery is still to be sent.",
            "Wait for its next attempt. To try now, send a test: what waits is sent before it.",
        )
    row = await send_again(connection, row)
    await wake_webhook(connection, webhook.id, utc_now())
    return webhook, delivery_in(row, event)


async def send_test(connection: AsyncConnection, organization_id: str, webhook_id: str) -> tuple[WebhookRow, Delivery]:
    """Write an event ``webhook.test`` for a webhook, and return both. What waits before it is tried now.

    Raises:
        WebhookNotFound: There is no such webhook.
        WebhookRefused: It is disabled.
    """
    webhook = await require_webhook(connection, organization_id, webhook_id, to_change=True)
    _require_enabled(webhook)
    now = utc_now()
    await write_test_event(connection, organization_id, webhook_id, now)
    await wake_webhook(connection, webhook_id, now)  # after failures it would wait for up to 12 hours
    ((row, event),) = await deliveries_page(connection, webhook_id, [], None, 1)
    return webhook, delivery_in(row, event)


def _require_enabled(webhook: WebhookRow) -> None:
    if webhook.disabled_at is not None:
        raise WebhookRefused(
            Refusal.WEBHOOK_DISABLED,
            "This webhook is disabled, so nothing is sent to it.",
            "Enable it. That also sends what is pending.",
        )
