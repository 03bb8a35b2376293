"""For every route: who sends a request, and its turn among the organization's operations."""

from collections.abc import Callable, Coroutine
from typing import Generic, TypeVar

from starlette.requests import HTTPConnection, Request
from starlette.types import Receive, Scope, Send

from routiq_gql.api.admission import bucket_of, while_connected
from routiq_gql.api.auth import Session
from routiq_gql.api.json_objects import JsonObject
from routiq_gql.api.json_text import EncodedJson, write_json
from routiq_gql.api.remembered import EncodedAnswer, Place
from routiq_gql.api.services import Services, services_of
from routiq_gql.security.stream_tokens import Grant
from routiq_gql.security.viewer import Viewer
from routiq_gql.sync.service import SyncService

T = TypeVar("T")


async def session_of(request: HTTPConnection) -> Session:
    """The session of an HTTP request: its viewer, and how long the response may stay open.

    Raises:
        Unauthenticated: Its token is missing or not good.
        Forbidden: It names no organization.
        IssuerAway: The token can't be checked at the moment.
    """
    services = services_of(request)
    return await services.authentication.session(request, services.runtime.audit)


def grant_of(request: HTTPConnection, token: str) -> tuple[Grant, Session]:
    """The grant of the stream token in an address, and how long the response may stay open.

    Raises:
        Unauthenticated: It is not ours, it has expired, or its parent token is no longer accepted.
        IssuerAway: The parent token can't be checked at the moment.
    """
    services = services_of(request)
    runtime = services.runtime
    return services.authentication.grant(token, request, runtime.stream_tokens, runtime.audit)


async def viewer_of(request: HTTPConnection) -> Viewer:
    """The viewer of an HTTP request that is answered at once; raises as ``session_of``."""
    return (await session_of(request)).viewer


class Read(Generic[T]):
    """The endpoint of a route that reads: responds from memory, or calls ``read`` for the request's viewer.

    ``read`` is called in its turn and within the time limit, and cancelled when the client leaves. An ASGI application
    rather than a function of a request, which Starlette wraps in error handlers that ``FaultBarrier`` replaces.

    Args:
        about: The path parameter that names an organization or sync; ``None`` if there is none.
        read: Its result becomes the JSON object ``shape``.

    Raises:
        RateLimited: Too many operations of the organization are being executed.
        TookTooLong: It reached the time limit.
        ClientDisconnect: The client has left.
        RoutiqError: As ``session_of`` and ``read`` do.
    """

    def __init__(
        self,
        about: str | None,
        read: Callable[[Request, SyncService, Viewer, str], Coroutine[object, None, T]],
        shape: type[JsonObject],
    ) -> None:
        self._about = about
        self._read = read
        self._shape = shape

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        services = services_of(request)
        viewer = (await services.authentication.session(request, services.runtime.audit)).viewer
        place = services.remembered.place(viewer, scope["path"], scope["query_string"])
        known = services.answer_at(place) or await self._answer(request, services, viewer, place)
        await EncodedJson(known.body)(scope, receive, send)

    async def _answer(self, request: Request, services: Services, viewer: Viewer, place: Place) -> EncodedAnswer:
        about = request.path_params[self._about] if self._about is not None else ""
        admission = services.admission
        bucket = bucket_of(viewer, about)

        async def read_in_turn() -> T:
            async with admission.turn(bucket), admission.time_limit():
                return await self._read(request, services.runtime.syncs, viewer, about)

        result = await while_connected(request.receive, read_in_turn())
        answer = EncodedAnswer(write_json(self._shape.model_validate(result).model_dump()), bucket)
        services.remembered.keep(place, answer)
        return answer


async def changed(request: Request, about: str, change: Callable[[Viewer], Coroutine[object, None, T]]) -> T:
    """Call ``change`` for the request's viewer, in its turn; it runs to its end even if the client leaves.

    Raises:
        RateLimited: Too many operations of the organization are being executed.
        RoutiqError: As ``session_of`` and ``change`` do.
    """
    viewer, admission = await viewer_of(request), services_of(request).admission
    async with admission.turn(bucket_of(viewer, about)) as turn:
        return await admission.to_its_end(change(viewer), turn)
