"""The routes of REST under ``/api/v1``, and the OpenAPI document."""

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from routiq_gql.api.access_log import NamedRoute
from routiq_gql.api.rest import syncs, webhooks
from routiq_gql.api.rest.log import LogDownload
from routiq_gql.api.rest.patients import PatientExport, patients
from routiq_gql.api.rest.stream import stream
from routiq_gql.api.services import services_of

PREFIX = "/api/v1"
SYNC = f"{PREFIX}/sync"
PATIENTS = f"{PREFIX}/patients"
WEBHOOKS = f"{PREFIX}/webhooks/{{organization_id}}"
WEBHOOK = f"{WEBHOOKS}/{{webhook_id}}"


def rest_routes() -> list[BaseRoute]:
    """All routes of REST."""
    # No Mount: it refuses a path with a line break as unknown, but such a path holds a malformed id.
    return [
        NamedRoute(f"{SYNC}/status/{{sync_id}}", syncs.status, methods=["GET"]),
        NamedRoute(f"{SYNC}/dashboard/{{organization_id}}", syncs.dashboard, methods=["GET"]),
        NamedRoute(f"{SYNC}/history/{{organization_id}}", syncs.history, methods=["GET"]),
        Route(f"{SYNC}/organizations", syncs.organizations, methods=["GET"]),
        NamedRoute(f"{SYNC}/start/{{organization_id}}", syncs.start, methods=["POST"]),
        NamedRoute(f"{SYNC}/cancel/{{sync_id}}", syncs.cancel, methods=["DELETE"]),
        NamedRoute(f"{SYNC}/stream/{{sync_id}}", stream),
        NamedRoute(f"{SYNC}/log/{{sync_id}}", LogDownload(), methods=["GET"]),
        NamedRoute(f"{PATIENTS}/{{organization_id}}", patients, methods=["GET"]),
        NamedRoute(f"{PATIENTS}/{{organization_id}}/export", PatientExport(), methods=["GET"]),
        _resource(WEBHOOKS, GET=webhooks.list_webhooks, POST=webhooks.register),
        NamedRoute(f"{WEBHOOKS}/deliveries/{{delivery_id}}/repeat", webhooks.repeat, methods=["POST"]),
        _resource(WEBHOOK, GET=webhooks.show, PATCH=webhooks.change, DELETE=webhooks.remove),
        NamedRoute(f"{WEBHOOK}/secret", webhooks.rotate_secret, methods=["POST"]),
        NamedRoute(f"{WEBHOOK}/test", webhooks.send_test, methods=["POST"]),
        NamedRoute(f"{WEBHOOK}/deliveries", webhooks.deliveries, methods=["GET"]),
        Route("/openapi.json", _openapi),
    ]


def _resource(path: str, **answers: Callable[[Request], Awaitable[Response]]) -> Route:
    """A path with several methods. In a route of its own, each would be all that ``Allow`` names after a 405."""

    async def answer(request: Request) -> Response:
        return await answers["GET" if request.method == "HEAD" else request.method](request)

    return NamedRoute(path, answer, methods=list(answers))


async def _openapi(request: Request) -> JSONResponse:
    from routiq_gql.api.rest.openapi import openapi_document  # noqa: PLC0415 — makes the schemas of all objects

    return JSONResponse(openapi_document(with_tokens=services_of(request).settings.auth != "off"))
