"""The routes of webhooks in the OpenAPI document."""

from pydantic.json_schema import JsonSchemaValue

from routiq_gql.api.rest.openapi_parts import ORGANIZATION, SCHEMAS, number, operation, problem, query, text
from routiq_gql.api.rest.webhook_requests import EVENTS, STATES
from routiq_gql.paging import DEFAULT_SIZE, LARGEST_SIZE
from routiq_gql.webhooks.registrations import LONGEST_DESCRIPTION, LONGEST_URL

NOT_ALLOWED = {
    "403": problem("The organization is not the caller's, or the caller may not read or change webhooks."),
    "422": problem("A value does not have its documented form or range."),
}
NOT_FOUND = {"404": problem("The organization has no such webhook or delivery.")}
UNREADABLE = {
    "400": problem("The body is no JSON object."),
    "413": problem("The body is larger than 256 KiB."),
}
NOT_NOW = {
    "409": problem("The organization has 10 webhooks, the webhook is disabled, or the delivery is pending already.")
}


def _id_in_path(name: str, schema: str) -> JsonSchemaValue:
    described = SCHEMAS[schema]["properties"]["id"]
    return {"name": name, "in": "path", "required": True, "schema": described, "description": described["description"]}


WEBHOOK = _id_in_path("webhook_id", "Webhook")
DELIVERY = _id_in_path("delivery_id", "WebhookDelivery")


def _or_null(kind: str | list[str]) -> list[str]:
    """Null changes nothing, like a member that is missing."""
    return kind if isinstance(kind, list) else [kind, "null"]


_MEMBERS: JsonSchemaValue = {
    "url": text(
        "Where to send events: an https address without a user name, password or fragment.",
        maxLength=LONGEST_URL,
        examples=["https://example.com/hooks/routiq"],
    ),
    "events": {
        "type": "array",
        "minItems": 1,
        "items": {"type": "string", "enum": [*EVENTS]},
        "description": "What to tell it of.",
    },
    "includes_names": {
        "type": ["boolean", "null"],
        "description": "Whether to send a patient's name with events of patients. Needs the right to read patients.",
    },
    "description": text("A note for people.", maxLength=LONGEST_DESCRIPTION) | {"type": ["string", "null"]},
}
_CHANGES: JsonSchemaValue = {name: {**one, "type": _or_null(one["type"])} for name, one in _MEMBERS.items()} | {
    "is_enabled": {
        "type": ["boolean", "null"],
        "description": "true sends events, failed ones first; false sends none and lets new ones wait.",
    }
}


def _body(members: JsonSchemaValue, *required: str) -> JsonSchemaValue:
    schema: JsonSchemaValue = {"type": "object", "properties": members, "additionalProperties": False}
    if required:
        schema["required"] = [*required]
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


WEBHOOK_PATHS: JsonSchemaValue = {
    "/api/v1/webhooks/{organization_id}": {
        "get": operation(
            "getWebhooks", "The webhooks of an organization", [ORGANIZATION], "WebhookList", problems=NOT_ALLOWED
        ),
        "post": operation(
            "registerWebhook",
            "Tell an address of an organization's events",
            [ORGANIZATION],
            "RegisteredWebhook",
            problems=NOT_ALLOWED | UNREADABLE | NOT_NOW,
        )
        | _body(_MEMBERS, "url", "events"),
    },
    "/api/v1/webhooks/{organization_id}/{webhook_id}": {
        "get": operation(
            "getWebhook", "One webhook", [ORGANIZATION, WEBHOOK], "Webhook", problems=NOT_ALLOWED | NOT_FOUND
        ),
        "patch": operation(
            "changeWebhook",
            "Change a webhook; what is not given stays as it is",
            [ORGANIZATION, WEBHOOK],
            "Webhook",
            problems=NOT_ALLOWED | NOT_FOUND | UNREADABLE,
        )
        | _body(_CHANGES),
        "delete": operation(
            "removeWebhook",
            "Remove a webhook with its deliveries",
            [ORGANIZATION, WEBHOOK],
            "RemovedWebhook",
            problems=NOT_ALLOWED | NOT_FOUND,
        ),
    },
    "/api/v1/webhooks/{organization_id}/{webhook_id}/secret": {
        "post": operation(
            "rotateWebhookSecret",
            "Make a new secret; for 24 hours requests are signed with the earlier one, too",
            [ORGANIZATION, WEBHOOK],
            "RegisteredWebhook",
            problems=NOT_ALLOWED | NOT_FOUND,
        )
    },
    "/api/v1/webhooks/{organization_id}/{webhook_id}/test": {
        "post": operation(
            "testWebhook",
            "Send the event webhook.test",
            [ORGANIZATION, WEBHOOK],
            "QueuedDelivery",
            problems=NOT_ALLOWED | NOT_FOUND | NOT_NOW,
        )
    },
    "/api/v1/webhooks/{organization_id}/{webhook_id}/deliveries": {
        "get": operation(
            "getWebhookDeliveries",
            "What was sent to a webhook, or waits to be sent, newest first",
            [
                ORGANIZATION,
                WEBHOOK,
                query("limit", number("Deliveries on a page.", minimum=1, maximum=LARGEST_SIZE, default=DEFAULT_SIZE)),
                query("after", text("`next_cursor` of the previous page.")),
                query("state", text("Only deliveries in this state.", enum=[*STATES])),
            ],
            "WebhookDeliveries",
            problems=NOT_ALLOWED | NOT_FOUND,
        )
    },
    "/api/v1/webhooks/{organization_id}/deliveries/{delivery_id}/repeat": {
        "post": operation(
            "repeatWebhookDelivery",
            "Send a delivered or failed delivery again, as the same event",
            [ORGANIZATION, DELIVERY],
            "QueuedDelivery",
            problems=NOT_ALLOWED | NOT_FOUND | NOT_NOW,
        )
    },
}
