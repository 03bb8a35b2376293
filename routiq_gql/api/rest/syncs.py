"""The documented REST routes, except the stream: each reads its parameters, calls the service, and renders."""

from starlette.requests import Request

from routiq_gql.api.callers import syncs_of, viewer_of
from routiq_gql.api.json_text import JsonResponse
from routiq_gql.api.rest.render import dashboard_json, history_json, status_json, status_word
from routiq_gql.errors import BadInput
from routiq_gql.sync.progress import SyncState

DEFAULT_LIMIT = 10


async def start(request: Request) -> JsonResponse:
    """``POST /start/{organization_id}``"""
    started = await syncs_of(request).start(await viewer_of(request), request.path_params["organization_id"])
    return _uncached(
        {
            "message": started.message,
            "sync_id": started.sync.sync_id,
            "organization_id": started.sync.organization_id,
            "status": status_word(started.sync.status),
        }
    )


async def status(request: Request) -> JsonResponse:
    """``GET /status/{sync_id}``"""
    return _uncached(
        status_json(await syncs_of(request).status(await viewer_of(request), request.path_params["sync_id"]))
    )


async def dashboard(request: Request) -> JsonResponse:
    """``GET /dashboard/{organization_id}``"""
    organization_id = request.path_params["organization_id"]
    return _uncached(dashboard_json(await syncs_of(request).dashboard(await viewer_of(request), organization_id)))


async def history(request: Request) -> JsonResponse:
    """``GET /history/{organization_id}?limit=10&after=&status=``"""
    page = await syncs_of(request).history(
        await viewer_of(request),
        request.path_params["organization_id"],
        limit=_limit(request.query_params.get("limit")),
        after=request.query_params.get("after") or None,
        outcomes=_outcomes(request.query_params.get("status")),
    )
    return _uncached(history_json(page))


async def cancel(request: Request) -> JsonResponse:
    """``DELETE /cancel/{sync_id}``"""
    cancelled = await syncs_of(request).cancel(await viewer_of(request), request.path_params["sync_id"])
    return _uncached(
        {
            "message": cancelled.message,
            "sync_id": cancelled.sync.sync_id,
            "status": status_word(cancelled.sync.status),
        }
    )


def _limit(text: str | None) -> int:
    if text is None:
        return DEFAULT_LIMIT
    # Three digits: the service says what is out of range, and int() takes signs, spaces and underscores.
    if not (text.isascii() and text.isdigit() and len(text) <= 3):
        raise BadInput("“limit” must be a whole number from 1 to 100.")
    return int(text)


def _outcomes(text: str | None) -> tuple[SyncState, ...]:
    if not text:
        return ()
    if text == SyncState.FAILED.value:  # which is how a cancelled sync is shown here
        return SyncState.FAILED, SyncState.CANCELLED
    if text not in {SyncState.COMPLETED.value, SyncState.CANCELLED.value}:
        raise BadInput("“status” must be completed, failed or cancelled.")
    return (SyncState(text),)


def _uncached(content: dict[str, object]) -> JsonResponse:
    return JsonResponse(content, headers={"Cache-Control": "no-store"})
