"""The forms of the ids of webhooks and deliveries. An id of another form is unknown without a query."""

import re

from routiq_gql.errors import Kind, WebhookNotFound

WEBHOOK_ID = re.compile("hook_[0-9a-f]{32}")
DELIVERY_ID = re.compile("dlv_[0-9a-f]{32}")


def check_webhook_id(webhook_id: str) -> None:
    """Raise unless this can be the id of a webhook.

    Raises:
        WebhookNotFound: It can't.
    """
    if not WEBHOOK_ID.fullmatch(webhook_id):
        raise WebhookNotFound


def check_delivery_id(delivery_id: str) -> None:
    """Raise unless this can be the id of a delivery.

    Raises:
        WebhookNotFound: It can't.
    """
    if not DELIVERY_ID.fullmatch(delivery_id):
        raise WebhookNotFound(Kind.DELIVERY)
