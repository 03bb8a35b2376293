"""``/healthz``, ``/readyz`` and ``/metrics``, for the operator's monitoring of the process.

Metrics are shown to programs on this machine only: they name no clinic, but show how busy the clinics are.
"""

from contextlib import suppress

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from routiq_gql import metrics
from routiq_gql.addresses import is_loopback_address
from routiq_gql.api.errors import refusal
from routiq_gql.api.services import parts_of
from routiq_gql.errors import Forbidden, StorageError

_UNCACHED = {"Cache-Control": "no-store"}


def health_routes() -> list[Route]:
    """The three routes."""
    return [Route("/healthz", _healthz), Route("/readyz", _readyz), Route("/metrics", _metrics)]


async def _healthz(_request: Request) -> Response:
    return JSONResponse({"status": "ok"}, headers=_UNCACHED)


async def _readyz(request: Request) -> Response:
    found = await parts_of(request).problem()
    if found is not None:
        return refusal("NOT_READY", found, headers=_UNCACHED)
    return JSONResponse({"status": "ready"}, headers=_UNCACHED)


async def _metrics(request: Request) -> Response:
    # The web server takes the address from the headers of a proxy on this machine.
    if request.client is None or not is_loopback_address(request.client.host):
        raise Forbidden("Metrics are shown to programs on the server's own machine only.")
    runtime = parts_of(request).runtime
    known: dict[str, float] = {}
    with suppress(StorageError):
        queue = await runtime.engine.queue_state()
        known = {"waiting": queue.waiting, "oldest_seconds": queue.oldest_seconds, "workers": queue.workers}
        webhooks = await runtime.deliveries.backlog()
        known["webhooks_waiting"] = webhooks.waiting
        known["webhooks_seconds"] = webhooks.age_seconds
    text = metrics.exposition(
        syncs_running=runtime.engine.running, subscribers=len(runtime.syncs.subscriptions), **known
    )
    return Response(text, headers=_UNCACHED | {"Content-Type": metrics.CONTENT_TYPE})
