"""The object types of webhooks: the registration, and a page of its deliveries, which is a connection.

A secret is in the answer to ``registerWebhook`` and ``rotateWebhookSecret`` and in no field here.
"""

from datetime import datetime
from typing import Annotated, Self

import strawberry
from strawberry import ID, UNSET

from routiq_gql.api.graphql import examples
from routiq_gql.api.graphql.connection_pages import PageInfo
from routiq_gql.api.graphql.context import Info
from routiq_gql.api.graphql.enums import WebhookDeliveryState, WebhookEvent
from routiq_gql.api.graphql.nodes import Node
from routiq_gql.webhooks import model

State = Annotated[WebhookDeliveryState | None, strawberry.argument(description="Only deliveries in this state.")]
First = Annotated[int | None, strawberry.argument(description="How many after `after`, 1 to 100; 50 without it.")]
AfterCursor = Annotated[
    str | None, strawberry.argument(description=f"Only those after this cursor, {examples.DELIVERY_CURSOR}.")
]


@strawberry.type(description="An attempt to send an event to a webhook.")
class WebhookAttempt:
    at: datetime = strawberry.field(description="When it began.")
    status: int | None = strawberry.field(description="The HTTP status of the answer; null if there was none.")
    error: str | None = strawberry.field(description="Why it failed, as a sentence; null if it did not.")
    duration_seconds: float = strawberry.field(
        description="How long the receiver took to answer, or until it failed, in seconds."
    )

    @classmethod
    def of(cls, attempt: model.PastAttempt) -> Self:
        return cls(at=attempt.at, status=attempt.status, error=attempt.error, duration_seconds=attempt.seconds)


@strawberry.type(description="An event on its way to a webhook.")
class WebhookDelivery(Node):
    id: ID = strawberry.field(description=f"Its id, {examples.DELIVERY}.")
    webhook_id: ID = strawberry.field(description=f"The webhook, {examples.WEBHOOK}.")
    event_id: ID = strawberry.field(
        description="The event, which the receiver reads in the header `webhook-id`; it is the same in every attempt "
        f"and repetition, {examples.EVENT}."
    )
    event: WebhookEvent = strawberry.field(description="What happened.")
    subject: ID | None = strawberry.field(
        description="What it happened to: the sync's id, or the patient's id in Cliniko; null for other events, "
        f"{examples.CLINIKO_ID}."
    )
    occurred_at: datetime = strawberry.field(description="When it happened.")
    state: WebhookDeliveryState = strawberry.field(description="How far it is.")
    attempts: int = strawberry.field(description="How often it was sent, since it was last repeated by hand.")
    last_attempt_at: datetime | None = strawberry.field(
        description="When it was last sent; null before the first attempt."
    )
    last_status: int | None = strawberry.field(
        description="The HTTP status of the last answer; null before the first attempt, and if there was no answer."
    )
    last_error: str | None = strawberry.field(
        description="Why the last attempt failed, as a sentence; null if none has failed since."
    )
    delivered_at: datetime | None = strawberry.field(description="When the receiver accepted it; null until then.")
    attempt_log: list[WebhookAttempt] = strawberry.field(
        description="The newest 15 attempts, the oldest of them first, also those before it was repeated by hand."
    )

    @classmethod
    def of(cls, delivery: model.Delivery) -> Self:
        return cls(
            id=ID(delivery.id),
            webhook_id=ID(delivery.webhook_id),
            event_id=ID(delivery.event_id),
            event=WebhookEvent[delivery.event.name],
            subject=ID(delivery.subject) if delivery.subject is not None else None,
            occurred_at=delivery.occurred_at,
            state=WebhookDeliveryState[delivery.state.name],
            attempts=delivery.attempts,
            last_attempt_at=delivery.last_attempt_at,
            last_status=delivery.last_status,
            last_error=delivery.last_error,
            delivered_at=delivery.delivered_at,
            attempt_log=[WebhookAttempt.of(one) for one in delivery.attempt_log],
        )


@strawberry.type(description="A delivery in a webhook's list.")
class WebhookDeliveryEdge:
    node: WebhookDelivery = strawberry.field(description="The delivery.")
    cursor: str = strawberry.field(
        description=f"Pass as `after` for another page of the same webhook and `state`, {examples.DELIVERY_CURSOR}."
    )


@strawberry.type(description="A page of a webhook's deliveries, newest first.")
class WebhookDeliveryConnection:
    edges: list[WebhookDeliveryEdge] = strawberry.field(description="The deliveries of the page with their cursors.")
    nodes: list[WebhookDelivery] = strawberry.field(description="The same deliveries without cursors.")
    page_info: PageInfo = strawberry.field(
        description="What lies before and after the page. New deliveries come before the first cursor."
    )

    @classmethod
    def of(cls, page: model.DeliveryPage) -> Self:
        nodes = [WebhookDelivery.of(one) for one in page.deliveries]
        return cls(
            edges=[
                WebhookDeliveryEdge(node=node, cursor=cursor) for node, cursor in zip(nodes, page.cursors, strict=True)
            ],
            nodes=nodes,
            page_info=PageInfo.of(page.cursors, has_next=page.has_next, has_previous=page.has_previous),
        )


@strawberry.type(description="An address that receives an organization's events.")
class Webhook(Node):
    id: ID = strawberry.field(description=f"Its id, {examples.WEBHOOK}.")
    organization_id: ID = strawberry.field(description=f"The organization, {examples.ORGANIZATION}.")
    url: str = strawberry.field(description=f"Where events are sent, {examples.WEBHOOK_URL}.")
    events: list[WebhookEvent] = strawberry.field(description="The events that it receives.")
    includes_names: bool = strawberry.field(
        description="Whether events of patients have the patient's name, besides ids and links."
    )
    description: str | None = strawberry.field(description="A note of the person who registered it; null without one.")
    created_at: datetime = strawberry.field(description="When it was registered.")
    is_disabled: bool = strawberry.field(description="Whether nothing is sent; events wait until it is enabled.")
    disabled_at: datetime | None = strawberry.field(description="Since when it is disabled; null if it is not.")
    disabled_reason: str | None = strawberry.field(description="Why it is disabled, as a sentence; null if it is not.")
    failing_since: datetime | None = strawberry.field(
        description="Since when every attempt has failed; null if the last one succeeded, and before the first."
    )
    next_attempt_at: datetime | None = strawberry.field(
        description="When the oldest pending delivery is tried; null if nothing is pending or it is disabled."
    )
    earlier_secret_until: datetime | None = strawberry.field(
        description="Until when events are signed with the earlier secret, too; null without a rotation."
    )
    pending_count: int = strawberry.field(description="How many deliveries are pending.")

    @strawberry.field(description="Its deliveries as a connection, newest first.")
    async def deliveries(
        self, info: Info, state: State = UNSET, first: First = UNSET, after: AfterCursor = UNSET
    ) -> WebhookDeliveryConnection:
        context = info.context
        return WebhookDeliveryConnection.of(
            await context.webhooks.deliveries(
                context.viewer,
                self.organization_id,
                self.id,
                first=None if first is UNSET else first,
                after=None if after is UNSET else after,
                state=model.DeliveryState[state.name] if state else None,
            )
        )

    @classmethod
    def of(cls, webhook: model.Webhook) -> Self:
        return cls(
            id=ID(webhook.id),
            organization_id=ID(webhook.organization_id),
            url=webhook.url,
            events=[WebhookEvent[one.name] for one in webhook.events],
            includes_names=webhook.includes_names,
            description=webhook.description,
            created_at=webhook.created_at,
            is_disabled=webhook.disabled_at is not None,
            disabled_at=webhook.disabled_at,
            disabled_reason=webhook.disabled_reason,
            failing_since=webhook.failing_since,
            next_attempt_at=webhook.next_attempt_at,
            earlier_secret_until=webhook.earlier_until,
            pending_count=webhook.pending_count,
        )
