"""REST under ``/api/v1/sync``, for clients of the documented endpoints, and its description for machines."""

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Mount, Route

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
                Route("/start/{organization_id}", syncs.start, methods=["POST"]),
                Route("/status/{sync_id}", syncs.status),
                Route("/dashboard/{organization_id}", syncs.dashboard),
                Route("/history/{organization_id}", syncs.history),
                Route("/cancel/{sync_id}", syncs.cancel, methods=["DELETE"]),
                Route("/stream/{sync_id}", stream),
            ],
        ),
        Route("/openapi.json", _openapi),
    ]


async def _openapi(_request: Request) -> JSONResponse:
    return JSONResponse(openapi_document())
