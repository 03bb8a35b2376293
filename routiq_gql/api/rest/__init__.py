"""REST under ``/api/v1/sync``, for clients of the documented endpoints, and its description for machines."""

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Mount, Route

from routiq_gql.api.access_log import NamedRoute
from routiq_gql.api.rest import syncs
from routiq_gql.api.rest.openapi import openapi_document
from routiq_gql.api.rest.stream import stream

PREFIX = "/api/v1/sync"


def rest_routes() -> list[BaseRoute]:
    """All routes of this door."""
    return [
        Mount(
            PREFIX,
            routes=[
                NamedRoute("/start/{organization_id}", syncs.start, methods=["POST"]),
                NamedRoute("/status/{sync_id}", syncs.status),
                NamedRoute("/dashboard/{organization_id}", syncs.dashboard),
                NamedRoute("/history/{organization_id}", syncs.history),
                NamedRoute("/cancel/{sync_id}", syncs.cancel, methods=["DELETE"]),
                NamedRoute("/stream/{sync_id}", stream),
            ],
        ),
        Route("/openapi.json", _openapi),
    ]


async def _openapi(_request: Request) -> JSONResponse:
    return JSONResponse(openapi_document())
