"""The routes of patients: a page of a list as JSON, and a whole list as a file.

Answers are never remembered: each read is checked and recorded in the audit log. An export counts among the
organization's operations until its last byte. Between its parts the token and the right are checked again; an export
that can't continue is cut off, so that no client takes a part for the whole list.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing

import structlog
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from routiq_gql.api.admission import bucket_of, while_connected
from routiq_gql.api.auth import Session
from routiq_gql.api.dependencies import session_of
from routiq_gql.api.downloads import Download, attachment
from routiq_gql.api.json_text import JsonResponse
from routiq_gql.api.raw_headers import RawHeader
from routiq_gql.api.rest.patient_files import FORMATS, FileFormat, file_name
from routiq_gql.api.rest.patient_objects import PatientPage
from routiq_gql.api.rest.patient_requests import OF_A_PAGE, OF_AN_EXPORT, check_names, list_request, page_request
from routiq_gql.api.services import services_of
from routiq_gql.errors import BadInput, RoutiqError
from routiq_gql.patients.export import Export
from routiq_gql.patients.model import PatientPage as FoundPage
from routiq_gql.security.viewer import Right

TOTAL_COUNT_HEADER = "X-Total-Count"
"""How many patients the whole file has."""

log = structlog.get_logger(__name__)


async def patients(request: Request) -> JsonResponse:
    """``GET /{organization_id}?list=active&search=&practitioner_id=&sort=&first=&after=&last=&before=&as_of=``

    Raises:
        BadRequest: A parameter is unknown, or occurs several times.
        BadInput: A parameter has another form than the documented one, or the sync is not kept.
        Forbidden: The organization is not the viewer's, or the viewer may not read patients.
        RateLimited: Too many operations of the organization are being executed.
        ClientDisconnect: The client has left.
    """
    services, organization_id = services_of(request), request.path_params["organization_id"]
    viewer = (await session_of(request)).viewer
    check_names(request.query_params, OF_A_PAGE)
    wanted, admission = page_request(request.query_params), services.admission

    async def read_in_turn() -> FoundPage:
        async with admission.turn(bucket_of(viewer, organization_id)), admission.time_limit():
            return await services.runtime.patients.page(viewer, organization_id, wanted)

    page = await while_connected(request.receive, read_in_turn())
    return JsonResponse(PatientPage.of(page).model_dump(), headers={"Cache-Control": "no-store"})


class PatientExport:
    """``GET /{organization_id}/export?format=csv|jsonl&list=active&search=&practitioner_id=&sort=&as_of=``

    An ASGI application, since the organization's turn lasts as long as the response.

    Raises:
        BadRequest: A parameter is unknown, or occurs several times.
        BadInput: A parameter has another form than the documented one, or the sync is not kept.
        Forbidden: The organization is not the viewer's, or the viewer may not read patients.
        RateLimited: Too many operations of the organization are being executed.
        ClientDisconnect: The client has left, or reads nothing.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        services, organization_id = services_of(request), request.path_params["organization_id"]
        session = await session_of(request)
        viewer, admission = session.viewer, services.admission
        check_names(request.query_params, OF_AN_EXPORT)
        name = request.query_params.get("format") or "csv"
        if name not in FORMATS:
            raise BadInput("“format” must be csv or jsonl.")
        wanted = list_request(request.query_params)
        async with admission.turn(bucket_of(viewer, organization_id)):
            async with admission.time_limit():
                export = await services.runtime.patient_exports.open(viewer, organization_id, wanted)
            download = Download(scope, send, services.settings.send_timeout)
            pieces = _pieces(export, FORMATS[name], session)
            try:
                await while_connected(receive, download.send(_headers(export, name), pieces))
            except RoutiqError as error:
                log.warning("export_cut_off", reason=error.message)
                await download.cut()


def _headers(export: Export, name: str) -> list[RawHeader]:
    return [
        (b"content-type", FORMATS[name].media_type.encode()),
        (b"cache-control", b"no-store"),
        (TOTAL_COUNT_HEADER.lower().encode(), b"%d" % export.total_count),
        attachment(file_name(export.organization_id, export.list, export.analyzed_at, export.time_zone, name)),
    ]


async def _pieces(export: Export, form: FileFormat, session: Session) -> AsyncGenerator[bytes, None]:
    if form.head:
        yield form.head
    async with aclosing(export.parts) as parts:
        async for part in parts:
            session.require_still(Right.PATIENTS)
            yield form.encode(part, export.list)
