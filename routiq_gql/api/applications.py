"""The application of a worker, and the exception handlers that it shares with the server's."""

from typing import cast

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response

from routiq_gql.api.error_middleware import FaultBarrier
from routiq_gql.api.errors import problem_of, problem_of_status
from routiq_gql.api.guard import Guard
from routiq_gql.api.health import health_routes
from routiq_gql.api.origins import compile_origins
from routiq_gql.api.services import ProcessParts, attach
from routiq_gql.errors import RoutiqError
from routiq_gql.runtime import Runtime
from routiq_gql.settings import Settings


def create_worker_app(settings: Settings, runtime: Runtime) -> Starlette:
    """The application of a worker: health and metrics for operators, and no data of organizations."""
    app = Starlette(
        routes=health_routes(),
        middleware=[
            Middleware(Guard, settings=settings, origins=compile_origins(())),
            Middleware(FaultBarrier),
        ],
        exception_handlers={HTTPException: on_http_exception, RoutiqError: on_routiq_error},
    )
    attach(app, ProcessParts(runtime))
    return app


async def on_http_exception(_request: Request, error: Exception) -> Response:
    """Respond to Starlette's ``HTTPException`` with a problem."""
    refused = cast(HTTPException, error)
    return problem_of_status(refused.status_code, dict(refused.headers or {}))


async def on_routiq_error(request: Request, error: Exception) -> Response:
    """Respond to a ``RoutiqError`` with a problem."""
    return problem_of(error, path=request.url.path, method=request.method)
