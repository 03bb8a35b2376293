"""The documented REST routes, except the stream: each reads its parameters, calls the service, and renders."""

from starlette.requests import Request

from routiq_gql.api.dependencies import Read, changed
from routiq_gql.api.json_objects import JsonObject
from routiq_gql.api.json_text import JsonResponse
from routiq_gql.api.rest.objects import Cancelled, Dashboard, History, Started, SyncStatus
from routiq_gql.api.rest.organizations import OrganizationList
from routiq_gql.api.services import services_of
from routiq_gql.errors import BadInput
from routiq_gql.organizations.dashboard import Dashboard as Overview
from routiq_gql.organizations.history import History as Page
from routiq_gql.organizations.summaries import OrganizationList as OrganizationPage
from routiq_gql.security.viewer import Viewer
from routiq_gql.sync.model import SyncMode, SyncSnapshot, SyncState
from routiq_gql.sync.service import SyncService

DEFAULT_LIMIT = 10
DEFAULT_ORGANIZATIONS = 50


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


async def cancel(request: Request) -> JsonResponse:
    """``DELETE /cancel/{sync_id}``"""
    sync_id = request.path_params["sync_id"]
    syncs = services_of(request).runtime.syncs
    cancelled = await changed(request, sync_id, lambda viewer: syncs.cancel(viewer, sync_id))
    return _uncached(Cancelled.model_validate(cancelled))


async def _status(_request: Request, syncs: SyncService, viewer: Viewer, sync_id: str) -> SyncSnapshot:
    return await syncs.status(viewer, sync_id)


async def _dashboard(_request: Request, syncs: SyncService, viewer: Viewer, organization_id: str) -> Overview:
    return await syncs.dashboard(viewer, organization_id)


async def _history(request: Request, syncs: SyncService, viewer: Viewer, organization_id: str) -> Page:
    return await syncs.history(
        viewer,
        organization_id,
        limit=_limit(request.query_params.get("limit"), DEFAULT_LIMIT),
        after=request.query_params.get("after") or None,
        outcomes=_outcomes(request.query_params.get("status")),
    )


async def _organizations(request: Request, syncs: SyncService, viewer: Viewer, _about: str) -> OrganizationPage:
    return await syncs.organizations(
        viewer,
        limit=_limit(request.query_params.get("limit"), DEFAULT_ORGANIZATIONS),
        after=request.query_params.get("after") or None,
        search=request.query_params.get("search"),
    )


status = Read("sync_id", _status, SyncStatus)
"""``GET /status/{sync_id}``"""
dashboard = Read("organization_id", _dashboard, Dashboard)
"""``GET /dashboard/{organization_id}``"""
history = Read("organization_id", _history, History)
"""``GET /history/{organization_id}?limit=10&after=&status=``"""
organizations = Read(None, _organizations, OrganizationList)
"""``GET /organizations?limit=50&after=&search=``"""


def _mode(text: str | None) -> SyncMode:
    if not text:
        return SyncMode.AUTO
    try:
        return SyncMode(text)
    except ValueError:
        raise BadInput("“mode” must be auto, full or incremental.") from None


def _limit(text: str | None, default: int) -> int:
    if text is None:
        return default
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
