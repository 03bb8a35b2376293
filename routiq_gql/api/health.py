"""``/healthz`` and ``/readyz``, for whoever watches over the process: is it alive, and can it answer."""

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from routiq_gql.api.errors import problem

FindProblem = Callable[[], Awaitable[str | None]]
"""Says in one sentence what keeps the process from answering, or ``None``."""


def health_routes() -> list[Route]:
    """Both routes. The app keeps a ``FindProblem`` in ``app.state.find_problem``."""
    return [Route("/healthz", _healthz), Route("/readyz", _readyz)]


async def _healthz(_request: Request) -> Response:
    return JSONResponse({"status": "ok"}, headers={"Cache-Control": "no-store"})


async def _readyz(request: Request) -> Response:
    find_problem: FindProblem = request.app.state.find_problem
    found = await find_problem()
    if found is not None:
        return problem(503, "NOT_READY", "Not ready", found, headers={"Cache-Control": "no-store"})
    return JSONResponse({"status": "ready"}, headers={"Cache-Control": "no-store"})
