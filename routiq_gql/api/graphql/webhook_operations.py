"""The root fields of webhooks. ``operations.Query`` and ``operations.Mutation`` inherit them."""

from collections.abc import Sequence
from typing import Annotated, TypeVar

import strawberry
from strawberry import ID, UNSET

from routiq_gql.api import webhook_messages
from routiq_gql.api.graphql import examples
from routiq_gql.api.graphql.arguments import OrganizationId
from routiq_gql.api.graphql.context import Info
from routiq_gql.api.graphql.enums import WebhookEvent
from routiq_gql.api.graphql.webhook_payloads import (
    ChangeWebhookPayload,
    RegisterWebhookPayload,
    RemoveWebhookPayload,
    RotateWebhookSecretPayload,
    WebhookDeliveryPayload,
)
from routiq_gql.api.graphql.webhooks import Webhook
from routiq_gql.errors import WebhookNotFound
from routiq_gql.webhooks import model
from routiq_gql.webhooks.problems import WebhookRefused

WebhookId = Annotated[ID, strawberry.argument(description=f"`id` of a webhook, {examples.WEBHOOK}.")]
DeliveryId = Annotated[ID, strawberry.argument(description=f"`id` of a delivery, {examples.DELIVERY}.")]
URL_RULES = "an https address without a user name, password or fragment, at most 2,000 characters"
Url = Annotated[str, strawberry.argument(description=f"Where to send events: {URL_RULES}, {examples.WEBHOOK_URL}.")]
NewUrl = Annotated[
    str | None, strawberry.argument(description=f"Where to send events: {URL_RULES}, {examples.WEBHOOK_URL}.")
]
Events = Annotated[list[WebhookEvent], strawberry.argument(description="What to tell it of; at least one.")]
NewEvents = Annotated[list[WebhookEvent] | None, strawberry.argument(description="What to tell it of; at least one.")]
IncludesNames = Annotated[
    bool,
    strawberry.argument(
        description="Send a patient's name with events of patients. Needs the right to read patients, too."
    ),
]
NewIncludesNames = Annotated[bool | None, strawberry.argument(description="As with `registerWebhook`.")]
Description = Annotated[
    str | None, strawberry.argument(description="A note for people, at most 200 characters; null for none.")
]
IsEnabled = Annotated[
    bool | None,
    strawberry.argument(description="Send events, failed ones first, or send none and let new ones wait."),
]


T = TypeVar("T")


@strawberry.type
class WebhookQueries:
    @strawberry.field(description="An organization's webhooks, the oldest first. Needs the right to change them.")
    async def webhooks(self, info: Info, organization_id: OrganizationId) -> list[Webhook]:
        found = await info.context.webhooks.list_of(info.context.viewer, organization_id)
        return [Webhook.of(one) for one in found]

    @strawberry.field(
        description="Those of an organization's webhooks that fail or are disabled, for a notice on a page of all its "
        "members. None for a viewer without the right to change webhooks."
    )
    async def failing_webhooks(self, info: Info, organization_id: OrganizationId) -> list[Webhook]:
        found = await info.context.webhooks.failing(info.context.viewer, organization_id)
        return [Webhook.of(one) for one in found]

    @strawberry.field(
        description="One webhook; null if the organization has none with this id. Needs the right to change webhooks."
    )
    async def webhook(self, info: Info, organization_id: OrganizationId, webhook_id: WebhookId) -> Webhook | None:
        context = info.context
        try:
            return Webhook.of(await context.webhooks.one(context.viewer, organization_id, webhook_id))
        except WebhookNotFound:
            return None


@strawberry.type
class WebhookMutations:
    @strawberry.mutation(
        description="Tell an address of an organization's events, as signed requests of Standard Webhooks. The answer "
        "has the secret, this once."
    )
    async def register_webhook(
        self,
        info: Info,
        organization_id: OrganizationId,
        url: Url,
        events: Events,
        includes_names: IncludesNames = False,
        description: Description = UNSET,
    ) -> RegisterWebhookPayload:
        context = info.context
        try:
            webhook, secret = await context.webhooks.register(
                context.viewer,
                organization_id,
                url=url,
                events=_types(events),
                includes_names=includes_names,
                description=description or None,
            )
        except WebhookRefused as error:
            return RegisterWebhookPayload.refused(organization_id, error)
        is_connected = await context.connections.has_enabled(organization_id)
        message = webhook_messages.registered(organization_id, is_connected=is_connected)
        return RegisterWebhookPayload.of(message, webhook, secret)

    @strawberry.mutation(
        description="Change a webhook; what is not given stays. Enabling it tries its failed deliveries again, in "
        "their order."
    )
    async def change_webhook(
        self,
        info: Info,
        organization_id: OrganizationId,
        webhook_id: WebhookId,
        url: NewUrl = UNSET,
        events: NewEvents = UNSET,
        includes_names: NewIncludesNames = UNSET,
        description: Description = UNSET,
        is_enabled: IsEnabled = UNSET,
    ) -> ChangeWebhookPayload:
        context = info.context
        changes = model.WebhookChanges(
            url=given(url),
            events=None if events is UNSET or events is None else _types(events),
            includes_names=given(includes_names),
            description="" if description is None else given(description),
            is_enabled=given(is_enabled),
        )
        webhook = await context.webhooks.change(context.viewer, organization_id, webhook_id, changes)
        return ChangeWebhookPayload.of(webhook)

    @strawberry.mutation(
        description="Make a new secret for a webhook. For 24 hours requests are signed with the earlier one, too."
    )
    async def rotate_webhook_secret(
        self, info: Info, organization_id: OrganizationId, webhook_id: WebhookId
    ) -> RotateWebhookSecretPayload:
        context = info.context
        webhook, secret = await context.webhooks.rotate_secret(context.viewer, organization_id, webhook_id)
        return RotateWebhookSecretPayload.of(webhook, secret)

    @strawberry.mutation(description="Remove a webhook with its deliveries; what is pending is not sent.")
    async def remove_webhook(
        self, info: Info, organization_id: OrganizationId, webhook_id: WebhookId
    ) -> RemoveWebhookPayload:
        context = info.context
        await context.webhooks.remove(context.viewer, organization_id, webhook_id)
        return RemoveWebhookPayload(
            message=webhook_messages.REMOVED, organization_id=organization_id, webhook_id=webhook_id
        )

    @strawberry.mutation(description="Send a delivered or failed delivery again, as the same event.")
    async def repeat_webhook_delivery(
        self, info: Info, organization_id: OrganizationId, delivery_id: DeliveryId
    ) -> WebhookDeliveryPayload:
        context = info.context
        try:
            delivery = await context.webhooks.repeat(context.viewer, organization_id, delivery_id)
        except WebhookRefused as error:
            return WebhookDeliveryPayload.refused(organization_id, error)
        return WebhookDeliveryPayload.of(organization_id, webhook_messages.REPEATED, delivery)

    @strawberry.mutation(description="Send an event `webhook.test` to a webhook; `delivery` says what came of it.")
    async def test_webhook(
        self, info: Info, organization_id: OrganizationId, webhook_id: WebhookId
    ) -> WebhookDeliveryPayload:
        context = info.context
        try:
            delivery = await context.webhooks.send_test(context.viewer, organization_id, webhook_id)
        except WebhookRefused as error:
            return WebhookDeliveryPayload.refused(organization_id, error)
        return WebhookDeliveryPayload.of(organization_id, webhook_messages.TESTED, delivery)


def given(value: T | None) -> T | None:
    """An optional argument without Strawberry's marker for an omitted argument."""
    return None if value is UNSET else value


def _types(events: Sequence[WebhookEvent]) -> list[model.EventType]:
    return [model.EventType[one.name] for one in events]
