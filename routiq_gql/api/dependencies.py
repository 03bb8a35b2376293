"""For every route: who sends a request, and its turn among the organization's operations."""

from collections.abc import Callable, Coroutine
from typing import TypeVar

from starlette.requests import HTTPConnection, Request

from routiq_gql.api.admission import bucket_of, while_connected
from routiq_gql.api.auth import Session
from routiq_gql.api.json_objects import JsonObject
from routiq_gql.api.json_text import EncodedJson, write_json
from routiq_gql.api.remembered import Answer
from routiq_gql.api.services import services_of
from routiq_gql.security.stream_tokens import Grant
from routiq_gql.security.viewer import Viewer

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


async def answered(
    request: Request, about: str, read: Callable[[Viewer], Coroutine[object, None, T]], shape: type[JsonObject]
) -> EncodedJson:
    """The response with the result of ``read`` for the request's viewer, from memory if it is there.

    ``read`` is called in its turn and within the time limit, and cancelled when the client leaves.

    Args:
        about: The id of the organization or sync that the request names.
        shape: The JSON object of the result.

    Raises:
        RateLimited: Too many operations of the organization are being executed.
        TookTooLong: It reached the time limit.
        ClientDisconnect: The client has left.
        RoutiqError: As ``session_of`` and ``read`` do.
    """
    services, viewer = services_of(request), await viewer_of(request)
    place = services.remembered.place(viewer, request.scope["path"], request.scope["query_string"])
    if (known := services.answer_at(place)) is not None:
        return EncodedJson(known.body)
    admission, bucket = services.admission, bucket_of(viewer, about)

    async def read_in_turn() -> T:
        async with admission.turn(bucket), admission.time_limit():
            return await read(viewer)

    result = await while_connected(request.receive, read_in_turn())
    body = write_json(shape.model_validate(result).model_dump())
    services.remembered.keep(place, Answer(body, bucket))
    return EncodedJson(body)


async def changed(request: Request, about: str, change: Callable[[Viewer], Coroutine[object, None, T]]) -> T:
    """Call ``change`` for the request's viewer, in its turn; it runs to its end even if the client leaves.

    Raises:
        RateLimited: Too many operations of the organization are being executed.
        RoutiqError: As ``session_of`` and ``change`` do.
    """
    viewer, admission = await viewer_of(request), services_of(request).admission
    async with admission.turn(bucket_of(viewer, about)) as turn:
        return await admission.to_its_end(change(viewer), turn)
