"""Routes under ``/_control/`` that add faults to the emulator or change its clinic, for programs on this machine.

Only loopback clients are answered. The bodies mirror the Python calls: a fault's attributes by their names, and
``{"action": "archive", "resource": "patients", "id": "82"}`` for a change to the clinic, as in ``churn``.
"""

import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any, Protocol

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from routiq_gql.addresses import is_loopback_address
from routiq_gql.emulator.churn import change_clinic
from routiq_gql.emulator.clinic import Clinic
from routiq_gql.emulator.faults import Faults, fault_from
from routiq_gql.emulator.recording import RecordedRequest


class Controlled(Protocol):
    """The parts of an ``Emulator`` that these routes read and change."""

    clinic: Clinic
    faults: Faults
    requests: list[RecordedRequest]


def control_routes(emulator: Controlled) -> list[Route]:
    """``/_control/faults`` (GET, POST, DELETE), ``/_control/churn`` (POST) and ``/_control/requests`` (GET)."""

    async def list_faults(_request: Request) -> Response:
        listed = [{**asdict(fault), "struck": struck} for fault, struck in emulator.faults.listed()]
        return JSONResponse({"faults": listed})

    async def add_faults(request: Request) -> Response:
        body = await _read(request)
        faults = [fault_from(item) for item in (body if isinstance(body, list) else [body])]
        emulator.faults.add(*faults)
        return JSONResponse({"added": len(faults)}, 201)

    async def clear_faults(_request: Request) -> Response:
        emulator.faults.clear()
        return Response(status_code=204)

    async def churn(request: Request) -> Response:
        return JSONResponse(change_clinic(emulator.clinic, await _read(request)))

    async def list_requests(_request: Request) -> Response:
        return JSONResponse(
            {
                "requests": [
                    {
                        "method": record.method,
                        "path": record.path,
                        "parameters": record.parameters,
                        "time": record.time.isoformat(),
                        "status": record.status,
                    }
                    for record in emulator.requests
                ]
            }
        )

    return [
        Route("/_control/faults", _guarded(list_faults), methods=["GET"]),
        Route("/_control/faults", _guarded(add_faults), methods=["POST"]),
        Route("/_control/faults", _guarded(clear_faults), methods=["DELETE"]),
        Route("/_control/churn", _guarded(churn), methods=["POST"]),
        Route("/_control/requests", _guarded(list_requests), methods=["GET"]),
    ]


async def _read(request: Request) -> Any:
    return json.loads(await request.body())


def _guarded(handler: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    """``handler`` for loopback clients only, with 400 for unreadable requests."""

    async def guarded(request: Request) -> Response:
        if request.client is None or not is_loopback_address(request.client.host):
            return JSONResponse({"message": "Not found"}, 404)
        try:
            return await handler(request)
        except (ValueError, KeyError, TypeError) as error:
            return JSONResponse({"message": str(error)}, 400)

    return guarded
