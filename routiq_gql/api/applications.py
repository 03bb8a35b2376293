"""What the server's application and a worker's have in common, and the worker's, which is much smaller."""

from typing import cast

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response

from routiq_gql.api.auth import Authentication
from routiq_gql.api.error_middleware import FaultBarrier
from routiq_gql.api.errors import problem_of, problem_of_status
from routiq_gql.api.guard import Guard
from routiq_gql.api.health import health_routes
from routiq_gql.api.origins import compile_origins
from routiq_gql.errors import RoutiqError
from routiq_gql.runtime import Runtime
from routiq_gql.settings import Settings


def create_worker_app(settings: Settings, runtime: Runtime) -> Starlette:
    """What a worker serves to its operators: health and metrics, and nothing of any organization."""
    app = Starlette(
        routes=health_routes(),
        middleware=[
            Middleware(Guard, settings=settings, origins=compile_origins(())),
            Middleware(FaultBarrier),
        ],
        exception_handlers={HTTPException: on_http_exception, RoutiqError: on_routiq_error},
    )
    app.state.settings = settings
    attach(app, runtime)
    return app


def attach(app: Starlette, runtime: Runtime, authentication: Authentication | None = None) -> None:
    """Give the application its runtime, and the check that ``/readyz`` makes."""

    async def find_problem() -> str | None:
        if (found := await runtime.readiness.problem()) is not None:
            return found
        if not runtime.is_working:
            return "Syncs are not run because their engine has stopped. The log has the reason; restart the server."
        return authentication.problem() if authentication is not None else None

    app.state.runtime = runtime
    app.state.find_problem = find_problem


async def on_http_exception(_request: Request, error: Exception) -> Response:
    """An error of Starlette as a problem."""
    refused = cast(HTTPException, error)
    return problem_of_status(refused.status_code, dict(refused.headers or {}))


async def on_routiq_error(request: Request, error: Exception) -> Response:
    """An error of ours as a problem."""
    return problem_of(error, path=request.url.path, method=request.method)
