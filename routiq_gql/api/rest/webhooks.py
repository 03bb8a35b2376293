"""The routes of webhooks: each reads its parameters and its body, calls the service, and renders.

Answers are never remembered, since deliveries change them without a commit in this process.
"""

from collections.abc import Callable, Coroutine
from typing import TypeVar

from starlette.requests import Request

from routiq_gql.api import webhook_messages
from routiq_gql.api.admission import bucket_of, while_connected
from routiq_gql.api.body import json_object
from routiq_gql.api.dependencies import changed, viewer_of
from routiq_gql.api.json_objects import JsonObject
from routiq_gql.api.json_text import JsonResponse
from routiq_gql.api.rest.webhook_objects import (
    QueuedDelivery,
    RegisteredWebhook,
    RemovedWebhook,
    Webhook,
    WebhookDeliveries,
    WebhookList,
)
from routiq_gql.api.rest.webhook_requests import changes, delivery_state, page_size, registration
from routiq_gql.api.services import services_of
from routiq_gql.security.viewer import Viewer
from routiq_gql.webhooks.model import Delivery
from routiq_gql.webhooks.registry import Webhooks

T = TypeVar("T")


async def list_webhooks(request: Request) -> JsonResponse:
    """``GET /{organization_id}``"""
    organization_id, webhooks = request.path_params["organization_id"], _webhooks(request)
    found = await _read(request, lambda viewer: webhooks.list_of(viewer, organization_id))
    return _uncached(WebhookList(organization_id=organization_id, webhooks=tuple(map(Webhook.of, found))))


async def register(request: Request) -> JsonResponse:
    """``POST /{organization_id}``"""
    organization_id, webhooks = request.path_params["organization_id"], _webhooks(request)
    wanted = registration(await _body(request))
    webhook, secret = await changed(
        request,
        organization_id,
        lambda viewer: webhooks.register(
            viewer,
            organization_id,
            url=wanted.url,
            events=wanted.events,
            includes_names=wanted.includes_names,
            description=wanted.description,
        ),
    )
    is_connected = await services_of(request).runtime.connections.has_enabled(organization_id)
    message = webhook_messages.registered(organization_id, is_connected=is_connected)
    return _uncached(RegisteredWebhook.of(message, webhook, secret))


async def show(request: Request) -> JsonResponse:
    """``GET /{organization_id}/{webhook_id}``"""
    organization_id, webhook_id, webhooks = *_ids(request), _webhooks(request)
    return _uncached(Webhook.of(await _read(request, lambda viewer: webhooks.one(viewer, organization_id, webhook_id))))


async def change(request: Request) -> JsonResponse:
    """``PATCH /{organization_id}/{webhook_id}``"""
    organization_id, webhook_id, webhooks = *_ids(request), _webhooks(request)
    wanted = changes(await _body(request))
    webhook = await changed(
        request, organization_id, lambda viewer: webhooks.change(viewer, organization_id, webhook_id, wanted)
    )
    return _uncached(Webhook.of(webhook))


async def remove(request: Request) -> JsonResponse:
    """``DELETE /{organization_id}/{webhook_id}``"""
    organization_id, webhook_id, webhooks = *_ids(request), _webhooks(request)
    await changed(request, organization_id, lambda viewer: webhooks.remove(viewer, organization_id, webhook_id))
    message = webhook_messages.REMOVED
    return _uncached(RemovedWebhook(message=message, organization_id=organization_id, webhook_id=webhook_id))


async def rotate_secret(request: Request) -> JsonResponse:
    """``POST /{organization_id}/{webhook_id}/secret``"""
    organization_id, webhook_id, webhooks = *_ids(request), _webhooks(request)
    webhook, secret = await changed(
        request, organization_id, lambda viewer: webhooks.rotate_secret(viewer, organization_id, webhook_id)
    )
    return _uncached(RegisteredWebhook.of(webhook_messages.ROTATED, webhook, secret))


async def send_test(request: Request) -> JsonResponse:
    """``POST /{organization_id}/{webhook_id}/test``"""
    organization_id, webhook_id, webhooks = *_ids(request), _webhooks(request)
    sent = await changed(
        request, organization_id, lambda viewer: webhooks.send_test(viewer, organization_id, webhook_id)
    )
    return _queued(webhook_messages.TESTED, sent)


async def deliveries(request: Request) -> JsonResponse:
    """``GET /{organization_id}/{webhook_id}/deliveries?limit=50&after=&state=``"""
    organization_id, webhook_id, webhooks = *_ids(request), _webhooks(request)
    given = request.query_params
    limit, after, state = page_size(given.get("limit")), given.get("after") or None, delivery_state(given.get("state"))
    found = await _read(
        request,
        lambda viewer: webhooks.deliveries(viewer, organization_id, webhook_id, first=limit, after=after, state=state),
    )
    return _uncached(WebhookDeliveries.of(webhook_id, found))


async def repeat(request: Request) -> JsonResponse:
    """``POST /{organization_id}/deliveries/{delivery_id}/repeat``"""
    organization_id, delivery_id = request.path_params["organization_id"], request.path_params["delivery_id"]
    webhooks = _webhooks(request)
    again = await changed(
        request, organization_id, lambda viewer: webhooks.repeat(viewer, organization_id, delivery_id)
    )
    return _queued(webhook_messages.REPEATED, again)


def _webhooks(request: Request) -> Webhooks:
    return services_of(request).runtime.webhooks


def _ids(request: Request) -> tuple[str, str]:
    return request.path_params["organization_id"], request.path_params["webhook_id"]


async def _read(request: Request, read: Callable[[Viewer], Coroutine[object, None, T]]) -> T:
    """Call ``read`` for the request's viewer in its turn, until the client leaves."""
    admission, viewer = services_of(request).admission, await viewer_of(request)
    bucket = bucket_of(viewer, request.path_params["organization_id"])

    async def read_in_turn() -> T:
        async with admission.turn(bucket), admission.time_limit():
            return await read(viewer)

    return await while_connected(request.receive, read_in_turn())


async def _body(request: Request) -> dict[str, object]:
    await viewer_of(request)  # a stranger's body is not read
    return await json_object(request)


def _queued(message: str, delivery: Delivery) -> JsonResponse:
    return _uncached(QueuedDelivery.of(message, delivery))


def _uncached(content: JsonObject) -> JsonResponse:
    return JsonResponse(content.model_dump(), headers={"Cache-Control": "no-store"})
