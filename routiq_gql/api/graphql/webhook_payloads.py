"""The results of the mutations of webhooks. Only two of them show a secret, each time a new one."""

from typing import Self

import strawberry
from strawberry import ID

from routiq_gql.api import webhook_messages
from routiq_gql.api.graphql import examples
from routiq_gql.api.graphql.enums import WebhookProblemCode
from routiq_gql.api.graphql.problems import Problem
from routiq_gql.api.graphql.webhooks import Webhook, WebhookDelivery
from routiq_gql.webhooks import model
from routiq_gql.webhooks.problems import WebhookRefused

MESSAGE = "What happened, in one sentence."
PROBLEM = "Why it was not done; null if it was."
ORGANIZATION = f"The organization, {examples.ORGANIZATION}."


@strawberry.type(description="Why a mutation of webhooks has changed nothing.")
class WebhookProblem(Problem):
    code: WebhookProblemCode = strawberry.field(description="The reason; programs may branch on it.")

    @classmethod
    def of(cls, refused: WebhookRefused) -> Self:
        return cls(
            code=WebhookProblemCode[refused.reason.name],
            message=refused.message,
            what_to_do=refused.what_to_do,
            retryable=False,
        )


@strawberry.type(description="The result of `registerWebhook`.")
class RegisterWebhookPayload:
    message: str = strawberry.field(description=MESSAGE)
    organization_id: ID = strawberry.field(description=ORGANIZATION)
    webhook: Webhook | None = strawberry.field(description="The new webhook; null if it was not registered.")
    secret: str | None = strawberry.field(
        description="The secret that signs its requests. It is shown this once; null if there is a problem."
    )
    problem: WebhookProblem | None = strawberry.field(description=PROBLEM)

    @classmethod
    def of(cls, message: str, webhook: model.Webhook, secret: str) -> Self:
        shown = Webhook.of(webhook)
        return cls(
            message=message,
            organization_id=shown.organization_id,
            webhook=shown,
            secret=secret,
            problem=None,
        )

    @classmethod
    def refused(cls, organization_id: ID, error: WebhookRefused) -> Self:
        problem = WebhookProblem.of(error)
        return cls(message=error.message, organization_id=organization_id, webhook=None, secret=None, problem=problem)


@strawberry.type(description="The result of `changeWebhook`.")
class ChangeWebhookPayload:
    message: str = strawberry.field(description=MESSAGE)
    organization_id: ID = strawberry.field(description=ORGANIZATION)
    webhook: Webhook = strawberry.field(description="The webhook afterwards.")

    @classmethod
    def of(cls, webhook: model.Webhook) -> Self:
        shown = Webhook.of(webhook)
        return cls(message=webhook_messages.CHANGED, organization_id=shown.organization_id, webhook=shown)


@strawberry.type(description="The result of `rotateWebhookSecret`.")
class RotateWebhookSecretPayload:
    message: str = strawberry.field(description=MESSAGE)
    organization_id: ID = strawberry.field(description=ORGANIZATION)
    webhook: Webhook = strawberry.field(description="The webhook afterwards.")
    secret: str = strawberry.field(description="The new secret. It is shown this once.")

    @classmethod
    def of(cls, webhook: model.Webhook, secret: str) -> Self:
        shown = Webhook.of(webhook)
        return cls(
            message=webhook_messages.ROTATED,
            organization_id=shown.organization_id,
            webhook=shown,
            secret=secret,
        )


@strawberry.type(description="The result of `removeWebhook`.")
class RemoveWebhookPayload:
    message: str = strawberry.field(description=MESSAGE)
    organization_id: ID = strawberry.field(description=ORGANIZATION)
    webhook_id: ID = strawberry.field(description=f"The webhook that was removed, {examples.WEBHOOK}.")


@strawberry.type(description="The result of `repeatWebhookDelivery` or `testWebhook`.")
class WebhookDeliveryPayload:
    message: str = strawberry.field(description=MESSAGE)
    organization_id: ID = strawberry.field(description=ORGANIZATION)
    delivery: WebhookDelivery | None = strawberry.field(
        description="The delivery, which is pending now; null if there is a problem."
    )
    problem: WebhookProblem | None = strawberry.field(description=PROBLEM)

    @classmethod
    def of(cls, organization_id: ID, message: str, delivery: model.Delivery) -> Self:
        shown = WebhookDelivery.of(delivery)
        return cls(message=message, organization_id=organization_id, delivery=shown, problem=None)

    @classmethod
    def refused(cls, organization_id: ID, error: WebhookRefused) -> Self:
        problem = WebhookProblem.of(error)
        return cls(message=error.message, organization_id=organization_id, delivery=None, problem=problem)
