"""For every route: who sends a request, and its turn among the organization's operations."""

from collections.abc import Callable, Coroutine
from typing import TypeVar

from starlette.requests import HTTPConnection, Request

from routiq_gql.api.admission import bucket_of, while_connected
from routiq_gql.api.auth import Session
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


async def asked(request: Request, about: str, read: Callable[[Viewer], Coroutine[object, None, T]]) -> T:
    """Call ``read`` for the request's viewer, in its turn and within the time limit; cancel it when the client leaves.

    Args:
        about: The id of the organization or sync that the request names.

    Raises:
        RateLimited: Too many operations of the organization are being executed.
        TookTooLong: It reached the time limit.
        ClientDisconnect: The client has left.
        RoutiqError: As ``session_of`` and ``read`` do.
    """
    viewer, admission = await viewer_of(request), services_of(request).admission

    async def read_in_turn() -> T:
        async with admission.turn(bucket_of(viewer, about)), admission.time_limit():
            return await read(viewer)

    return await while_connected(request.receive, read_in_turn())


async def changed(request: Request, about: str, change: Callable[[Viewer], Coroutine[object, None, T]]) -> T:
    """Call ``change`` for the request's viewer, in its turn; it runs to its end even if the client leaves.

    Raises:
        RateLimited: Too many operations of the organization are being executed.
        RoutiqError: As ``session_of`` and ``change`` do.
    """
    viewer, admission = await viewer_of(request), services_of(request).admission
    async with admission.turn(bucket_of(viewer, about)) as turn:
        return await admission.to_its_end(change(viewer), turn)
