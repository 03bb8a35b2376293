"""The JSON objects of webhooks. The same values as in GraphQL, with keys in snake_case, events as they are sent."""

from typing import Annotated, Self

from pydantic import BeforeValidator, Field

from routiq_gql.api.json_objects import AnyText, Count, JsonObject, Time, one_of
from routiq_gql.api.rest.objects import OrganizationId
from routiq_gql.api.rest.values import Sentence
from routiq_gql.webhooks import model
from routiq_gql.webhooks.model import DeliveryState, EventType

WebhookId = Annotated[
    str,
    Field(
        description="The webhook.", pattern="^hook_[0-9a-f]{32}$", examples=["hook_3f9a0c52e81b4d6fa7c25d9e1b804f37"]
    ),
]
DeliveryId = Annotated[
    str,
    Field(description="The delivery.", pattern="^dlv_[0-9a-f]{32}$", examples=["dlv_58c1e7b09a3d4f26b1d40e9f7a6c2b85"]),
]
EventName = Annotated[
    str,
    BeforeValidator(lambda event: EventType(event).value),
    Field(description="What happened.", json_schema_extra=one_of(event.value for event in EventType)),
]
IsSet = Annotated[bool, BeforeValidator(lambda value: value is not None)]
State = Annotated[
    str,
    BeforeValidator(lambda state: DeliveryState(state).name.lower()),
    Field(
        description="How far it is: it waits for an attempt, was accepted, or is not tried again by itself.",
        json_schema_extra=one_of(state.name.lower() for state in DeliveryState),
    ),
]


class Webhook(JsonObject):
    """An address that receives an organization's events."""

    id: WebhookId
    organization_id: OrganizationId
    url: AnyText = Field(description="Where events are sent.", examples=["https://example.com/hooks/routiq"])
    events: tuple[EventName, ...] = Field(description="The events that it receives.")
    includes_names: bool = Field(description="Whether events of patients have the patient's name.")
    description: AnyText | None = Field(description="A note of the person who registered it; null without one.")
    created_at: Time = Field(description="When it was registered.")
    is_disabled: IsSet = Field(
        validation_alias="disabled_at", description="Whether nothing is sent; events wait until it is enabled."
    )
    disabled_at: Time | None = Field(description="Since when it is disabled; null if it is not.")
    disabled_reason: AnyText | None = Field(description="Why it is disabled, as a sentence; null if it is not.")
    failing_since: Time | None = Field(description="Since when every attempt has failed; null if the last succeeded.")
    next_attempt_at: Time | None = Field(
        description="When the oldest pending delivery is tried; null if nothing is pending or it is disabled."
    )
    earlier_secret_until: Time | None = Field(
        validation_alias="earlier_until",
        description="Until when requests are signed with the earlier secret, too; null unless the secret was rotated.",
    )
    pending_count: Count = Field(description="How many deliveries are pending.")

    @classmethod
    def of(cls, webhook: model.Webhook) -> Self:
        return cls.model_validate(webhook)


class WebhookList(JsonObject):
    """The webhooks of an organization."""

    organization_id: OrganizationId
    webhooks: tuple[Webhook, ...] = Field(description="All of them, the oldest first.")


class RegisteredWebhook(JsonObject):
    """A webhook and its new secret, which is shown this once."""

    message: Sentence
    webhook: Webhook
    secret: str = Field(description="The secret that signs its requests.", examples=["whsec_…"])

    @classmethod
    def of(cls, message: str, webhook: model.Webhook, secret: str) -> Self:
        return cls(message=message, webhook=Webhook.of(webhook), secret=secret)


class RemovedWebhook(JsonObject):
    """The webhook was removed."""

    message: Sentence
    organization_id: OrganizationId
    webhook_id: WebhookId


class WebhookAttempt(JsonObject):
    """An attempt to send an event to a webhook."""

    at: Time = Field(description="When it began.")
    status: int | None = Field(description="The HTTP status of the answer; null if there was none.")
    error: AnyText | None = Field(description="Why it failed, as a sentence; null if it did not.")
    duration_seconds: float = Field(
        validation_alias="seconds",
        description="How long the receiver took to answer, or until it failed, in seconds.",
        ge=0,
    )


class WebhookDelivery(JsonObject):
    """An event on its way to a webhook."""

    id: DeliveryId
    webhook_id: WebhookId
    event_id: str = Field(
        description="The event: the header webhook-id of each of its requests.",
        examples=["evt_c07d4a915e2b48f3967ab8d1e05f3c42"],
    )
    event: EventName
    subject: str | None = Field(description="The sync's id, or the patient's id in Cliniko; null for other events.")
    occurred_at: Time = Field(description="When it happened.")
    state: State
    attempts: Count = Field(description="How often it was sent, since it was last repeated by hand.")
    last_attempt_at: Time | None = Field(description="When it was last sent; null before the first attempt.")
    last_status: int | None = Field(description="The HTTP status of the last answer; null if there was none.")
    last_error: AnyText | None = Field(description="Why the last attempt failed, as a sentence; null if it did not.")
    delivered_at: Time | None = Field(description="When the receiver accepted it; null until then.")
    attempt_log: tuple[WebhookAttempt, ...] = Field(
        description="The newest 15 attempts, the oldest of them first, also those before it was repeated by hand."
    )


class WebhookDeliveries(JsonObject):
    """A page of a webhook's deliveries, newest first."""

    webhook_id: WebhookId
    deliveries: tuple[WebhookDelivery, ...] = Field(description="The deliveries of this page.")
    next_cursor: str | None = Field(description="Pass as `after` for the next page; null on the last one.")

    @classmethod
    def of(cls, webhook_id: str, page: model.DeliveryPage) -> Self:
        return cls(
            webhook_id=webhook_id,
            deliveries=tuple(map(WebhookDelivery.model_validate, page.deliveries)),
            next_cursor=page.cursors[-1] if page.has_next else None,
        )


class QueuedDelivery(JsonObject):
    """A delivery that is pending now."""

    message: Sentence
    delivery: WebhookDelivery

    @classmethod
    def of(cls, message: str, delivery: model.Delivery) -> Self:
        return cls(message=message, delivery=WebhookDelivery.model_validate(delivery))


WEBHOOK_OBJECTS = (
    *(Webhook, WebhookList, RegisteredWebhook, RemovedWebhook),
    *(WebhookAttempt, WebhookDelivery, WebhookDeliveries, QueuedDelivery),
)
"""All of them, in the order of the OpenAPI document."""
