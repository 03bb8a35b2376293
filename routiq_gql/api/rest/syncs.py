"""The documented REST routes, except the stream: each reads its parameters, calls the service, and renders."""

from starlette.requests import Request
from starlette.responses import Response

from routiq_gql.api.dependencies import answered, changed
from routiq_gql.api.json_objects import JsonObject
from routiq_gql.api.json_text import JsonResponse
from routiq_gql.api.rest.objects import Cancelled, Dashboard, History, Started, SyncStatus
from routiq_gql.api.services import services_of
from routiq_gql.errors import BadInput
from routiq_gql.sync.model import SyncMode, SyncState

DEFAULT_LIMIT = 10


async def start(request: Request) -> JsonResponse:
    """``POST /start/{organization_id}?mode=full``"""
    organization_id = request.path_params["organization_id"]
    syncs = services_of(request).runtime.syncs
    started = await changed(
        request,
        organization_id,
        lambda viewer: syncs.start(viewer, organization_id, _mode(request.query_params.get("mode"))),
    )
    return _uncached(Started.model_validate(started))


async def status(request: Request) -> Response:
    """``GET /status/{sync_id}``"""
    sync_id = request.path_params["sync_id"]
    syncs = services_of(request).runtime.syncs
    return await answered(request, sync_id, lambda viewer: syncs.status(viewer, sync_id), SyncStatus)


async def dashboard(request: Request) -> Response:
    """``GET /dashboard/{organization_id}``"""
    organization_id = request.path_params["organization_id"]
    syncs = services_of(request).runtime.syncs
    return await answered(request, organization_id, lambda viewer: syncs.dashboard(viewer, organization_id), Dashboard)


async def history(request: Request) -> Response:
    """``GET /history/{organization_id}?limit=10&after=&status=``"""
    organization_id = request.path_params["organization_id"]
    syncs = services_of(request).runtime.syncs
    return await answered(
        request,
        organization_id,
        lambda viewer: syncs.history(
            viewer,
            organization_id,
            limit=_limit(request.query_params.get("limit")),
            after=request.query_params.get("after") or None,
            outcomes=_outcomes(request.query_params.get("status")),
        ),
        History,
    )


async def cancel(request: Request) -> JsonResponse:
    """``DELETE /cancel/{sync_id}``"""
    sync_id = request.path_params["sync_id"]
    syncs = services_of(request).runtime.syncs
    cancelled = await changed(request, sync_id, lambda viewer: syncs.cancel(viewer, sync_id))
    return _uncached(Cancelled.model_validate(cancelled))


def _mode(text: str | None) -> SyncMode:
    if not text:
        return SyncMode.AUTO
    try:
        return SyncMode(text)
    except ValueError:
        raise BadInput("“mode” must be auto, full or incremental.") from None


def _limit(text: str | None) -> int:
    if text is None:
        return DEFAULT_LIMIT
    # Three digits: the service checks the range, and int() would accept signs, spaces and underscores.
    if not (text.isascii() and text.isdigit() and len(text) <= 3):
        raise BadInput("“limit” must be a whole number from 1 to 100.")
    return int(text)


def _outcomes(text: str | None) -> tuple[SyncState, ...]:
    if not text:
        return ()
    if text == SyncState.FAILED.value:  # REST shows cancelled syncs as failed
        return SyncState.FAILED, SyncState.CANCELLED
    if text not in {SyncState.COMPLETED.value, SyncState.CANCELLED.value}:
        raise BadInput("“status” must be completed, failed or cancelled.")
    return (SyncState(text),)


def _uncached(content: JsonObject) -> JsonResponse:
    return JsonResponse(content.model_dump(), headers={"Cache-Control": "no-store"})
