"""The service for webhooks: registers, shows, changes and removes them, and lists and repeats their deliveries.

Every call needs the right to webhooks, and changes are in the audit log. A webhook or delivery of another organization
is not found. ``delivering`` decides when they are sent.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from secrets import token_hex
from urllib.parse import urlsplit

from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.clock import utc_now
from routiq_gql.database.engine import Database
from routiq_gql.database.keys import KeyStore
from routiq_gql.database.webhook_rows import WebhookRow, WebhookValues
from routiq_gql.database.webhook_secrets import new_secret, seal
from routiq_gql.database.webhooks import (
    change_webhook,
    insert_webhook,
    lock_registrations,
    pending_counts,
    remove_webhook,
    send_failed_again,
    wake_webhook,
    webhooks_of,
)
from routiq_gql.paging import PageArguments
from routiq_gql.security.audit import Action, Audit
from routiq_gql.security.viewer import Viewer
from routiq_gql.settings import Settings
from routiq_gql.webhooks.addresses import Allowed
from routiq_gql.webhooks.deliveries import page_of_deliveries, repeat_delivery, require_webhook, send_test
from routiq_gql.webhooks.lookups import WebhookLookups
from routiq_gql.webhooks.model import (
    Delivery,
    DeliveryPage,
    DeliveryState,
    EventType,
    Webhook,
    WebhookChanges,
    webhook_in,
)
from routiq_gql.webhooks.problems import Refusal, WebhookRefused
from routiq_gql.webhooks.registrations import MOST_WEBHOOKS, checked_description, checked_events, checked_url

EARLIER_SECRET_IS_GOOD = timedelta(hours=24)
"""From a rotation until the earlier secret signs no longer."""
DISABLED_BY_HAND = "It was disabled on request."


class Webhooks(WebhookLookups):
    """The webhooks of all organizations."""

    def __init__(self, database: Database, keys: KeyStore, audit: Audit, settings: Settings) -> None:
        super().__init__(database, audit)
        self._keys = keys
        self._allowed = Allowed(settings.webhook_private)

    async def register(
        self,
        viewer: Viewer,
        organization_id: str,
        *,
        url: str,
        events: Sequence[EventType],
        includes_names: bool = False,
        description: str | None = None,
    ) -> tuple[Webhook, str]:
        """Send these events to an address from now on. Returns the webhook, and its secret this once.

        Raises:
            BadInput: A value has a wrong form.
            WebhookRefused: The organization has as many webhooks as it may have.
            Forbidden: The organization is not the viewer's, or the viewer may not change webhooks, or may not read the
                patients whose names would be sent.
        """
        self._require(viewer, organization_id, Action.ADD_WEBHOOK, includes_names=includes_names)
        now, secret, webhook_id = utc_now(), new_secret(), f"hook_{token_hex(16)}"
        key_id, sealed = seal(self._keys.load(), organization_id, webhook_id, secret)
        row = WebhookRow(
            id=webhook_id,
            organization_id=organization_id,
            url=checked_url(url, self._allowed),
            events=checked_events(events),
            includes_names=includes_names,
            description=checked_description(description or ""),
            encryption_key_id=key_id,
            encrypted_secret=sealed,
            earlier_key_id=None,
            earlier_secret=None,
            earlier_until=None,
            created_at=now,
            created_by=viewer.subject,
            failing_since=None,
            disabled_at=None,
            disabled_reason=None,
            epoch=0,
            claimed_until=None,
            next_at=None,
        )
        async with self._database.writing() as connection:
            await lock_registrations(connection, organization_id)
            if len(await webhooks_of(connection, organization_id)) >= MOST_WEBHOOKS:
                raise WebhookRefused(
                    Refusal.LIMIT_REACHED,
                    f"An organization has at most {MOST_WEBHOOKS} webhooks.",
                    "Remove one that you don't need, and try again.",
                )
            await insert_webhook(connection, row)
            await self._note(connection, viewer, Action.ADD_WEBHOOK, row)
        return webhook_in(row, 0, now), secret

    async def list_of(self, viewer: Viewer, organization_id: str) -> list[Webhook]:
        """The organization's webhooks, the oldest first.

        Raises:
            BadInput: The organization id has a wrong form.
            Forbidden: The organization is not the viewer's, or the viewer may not read webhooks.
        """
        self._audit.require(viewer, organization_id, Action.WEBHOOKS)
        async with self._database.reading() as connection:
            rows = await webhooks_of(connection, organization_id)
            counts = await pending_counts(connection, [row.id for row in rows])
        return [webhook_in(row, counts.get(row.id, 0), utc_now()) for row in rows]

    async def one(self, viewer: Viewer, organization_id: str, webhook_id: str) -> Webhook:
        """A webhook of the organization.

        Raises:
            BadInput, Forbidden: As ``list_of``.
            WebhookNotFound: There is none with this id.
        """
        self._audit.require(viewer, organization_id, Action.WEBHOOKS)
        async with self._database.reading() as connection:
            return await _shown(connection, await require_webhook(connection, organization_id, webhook_id), utc_now())

    async def change(self, viewer: Viewer, organization_id: str, webhook_id: str, changes: WebhookChanges) -> Webhook:
        """Change a webhook.

        Events that happen while it is disabled are kept, and sent once it is enabled: first those that had failed. A
        new address is tried at once. To enable one that is enabled but failing ends its wait for the next attempt.

        Raises:
            BadInput: A value has a wrong form.
            Forbidden: As ``register``. A webhook that sends names is changed only by viewers who may read patients.
            WebhookNotFound: There is none with this id.
        """
        self._require(viewer, organization_id, Action.CHANGE_WEBHOOK, includes_names=changes.includes_names is True)
        values, now = self._values(changes), utc_now()
        async with self._database.writing() as connection:
            row = await require_webhook(connection, organization_id, webhook_id, to_change=True)
            if values.get("includes_names", row.includes_names):
                self._audit.require(viewer, organization_id, Action.PATIENTS)
            is_new_url = values.get("url", row.url) != row.url
            if is_new_url:
                values["failing_since"] = None
            if changes.is_enabled is False and row.disabled_at is None:
                values |= {"disabled_at": now, "disabled_reason": DISABLED_BY_HAND, "next_at": None}
            is_enabling = changes.is_enabled is True and row.disabled_at is not None
            if is_enabling:
                values |= {"disabled_at": None, "disabled_reason": None, "failing_since": None}
            if values:
                row = await change_webhook(connection, webhook_id, values)
            if is_enabling:
                await send_failed_again(connection, webhook_id)
            if changes.is_enabled is True or is_new_url:
                await wake_webhook(connection, webhook_id, now)
                row = await require_webhook(connection, organization_id, webhook_id)
            await self._note(connection, viewer, Action.CHANGE_WEBHOOK, row)
            return await _shown(connection, row, now)

    async def rotate_secret(self, viewer: Viewer, organization_id: str, webhook_id: str) -> tuple[Webhook, str]:
        """Sign with a new secret, which is returned this once with the webhook. The earlier one signs for another day.

        Raises:
            BadInput, Forbidden: As ``list_of``.
            WebhookNotFound: There is none with this id.
        """
        self._audit.require(viewer, organization_id, Action.ROTATE_WEBHOOK)
        now, secret = utc_now(), new_secret()
        async with self._database.writing() as connection:
            row = await require_webhook(connection, organization_id, webhook_id, to_change=True)
            key_id, sealed = seal(self._keys.load(), organization_id, webhook_id, secret)
            values: WebhookValues = {
                "encryption_key_id": key_id,
                "encrypted_secret": sealed,
                "earlier_key_id": row.encryption_key_id,
                "earlier_secret": row.encrypted_secret,
                "earlier_until": now + EARLIER_SECRET_IS_GOOD,
            }
            row = await change_webhook(connection, webhook_id, values)
            await self._note(connection, viewer, Action.ROTATE_WEBHOOK, row)
            return await _shown(connection, row, now), secret

    async def remove(self, viewer: Viewer, organization_id: str, webhook_id: str) -> None:
        """Delete a webhook, with the deliveries that are still to be sent.

        Raises:
            BadInput, Forbidden: As ``list_of``.
            WebhookNotFound: There is none with this id.
        """
        self._audit.require(viewer, organization_id, Action.REMOVE_WEBHOOK)
        async with self._database.writing() as connection:
            row = await require_webhook(connection, organization_id, webhook_id, to_change=True)
            await remove_webhook(connection, webhook_id)
            await self._note(connection, viewer, Action.REMOVE_WEBHOOK, row)

    async def deliveries(
        self,
        viewer: Viewer,
        organization_id: str,
        webhook_id: str,
        *,
        first: int | None = None,
        after: str | None = None,
        state: DeliveryState | None = None,
    ) -> DeliveryPage:
        """A page of 1 to 100 (50) deliveries of a webhook, newest event first, behind the cursor ``after``.

        Raises:
            BadInput, Forbidden: As ``list_of``; or an argument of the page is out of range.
            WebhookNotFound: There is none with this id.
        """
        self._audit.require(viewer, organization_id, Action.WEBHOOKS)
        page = PageArguments(first=first, after=after)
        page.check_size()
        async with self._database.reading() as connection:
            return await page_of_deliveries(connection, organization_id, webhook_id, page, state)

    async def repeat(self, viewer: Viewer, organization_id: str, delivery_id: str) -> Delivery:
        """Send a delivery again that was delivered or has failed. The receiver gets the same event id.

        Raises:
            BadInput, Forbidden: As ``list_of``.
            WebhookRefused: The delivery is still to be sent, or its webhook is disabled.
            WebhookNotFound: There is none with this id, or it was deleted after its retention.
        """
        self._audit.require(viewer, organization_id, Action.REPEAT_DELIVERY)
        async with self._database.writing() as connection:
            row, delivery = await repeat_delivery(connection, organization_id, delivery_id)
            await self._note(connection, viewer, Action.REPEAT_DELIVERY, row)
            return delivery

    async def send_test(self, viewer: Viewer, organization_id: str, webhook_id: str) -> Delivery:
        """Send an event of the type ``webhook.test`` behind those that wait, all of them now; returns its delivery.

        Raises:
            BadInput, Forbidden: As ``list_of``.
            WebhookRefused: The webhook is disabled.
            WebhookNotFound: There is none with this id.
        """
        self._audit.require(viewer, organization_id, Action.TEST_WEBHOOK)
        async with self._database.writing() as connection:
            row, delivery = await send_test(connection, organization_id, webhook_id)
            await self._note(connection, viewer, Action.TEST_WEBHOOK, row)
            return delivery

    async def _note(self, connection: AsyncConnection, viewer: Viewer, action: Action, row: WebhookRow) -> None:
        host = urlsplit(row.url).hostname
        await self._audit.note(connection, viewer, action, row.organization_id, webhook_id=row.id, webhook_host=host)

    def _values(self, changes: WebhookChanges) -> WebhookValues:
        values: WebhookValues = {}
        if changes.url is not None:
            values["url"] = checked_url(changes.url, self._allowed)
        if changes.events is not None:
            values["events"] = checked_events(changes.events)
        if changes.description is not None:
            values["description"] = checked_description(changes.description)
        if changes.includes_names is not None:
            values["includes_names"] = changes.includes_names
        return values

    def _require(self, viewer: Viewer, organization_id: str, action: Action, *, includes_names: bool) -> None:
        self._audit.require(viewer, organization_id, action)
        if includes_names:
            self._audit.require(viewer, organization_id, Action.PATIENTS)


async def _shown(connection: AsyncConnection, row: WebhookRow, now: datetime) -> Webhook:
    counts = await pending_counts(connection, [row.id])
    return webhook_in(row, counts.get(row.id, 0), now)
