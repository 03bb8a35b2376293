"""What every route needs to know: which service answers, and who asks."""

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar, cast

from starlette.requests import HTTPConnection, Request

from routiq_gql.api.admission import Admission, bucket_of, while_connected
from routiq_gql.api.auth import Authentication, Session
from routiq_gql.connections.service import ConnectionService
from routiq_gql.runtime import Runtime
from routiq_gql.security.stream_tokens import Grant
from routiq_gql.security.viewer import Viewer
from routiq_gql.sync.service import SyncService

T = TypeVar("T")


def runtime_of(connection: HTTPConnection) -> Runtime:
    """The parts of the app that received the request; its lifespan opened them."""
    return cast(Runtime, connection.app.state.runtime)


def syncs_of(connection: HTTPConnection) -> SyncService:
    """The service of the app that received the request, for syncs."""
    return runtime_of(connection).syncs


def connections_of(connection: HTTPConnection) -> ConnectionService:
    """The service of the app that received the request, for connections to Cliniko."""
    return runtime_of(connection).connections


def authentication_of(connection: HTTPConnection) -> Authentication:
    """What tells who asks, in the app that received the request."""
    return cast(Authentication, connection.app.state.authentication)


def admission_of(connection: HTTPConnection) -> Admission:
    """What counts the operations of the app that received the request, and ends those that take too long."""
    return cast(Admission, connection.app.state.admission)


async def session_of(request: HTTPConnection) -> Session:
    """Who has sent an HTTP request, and for how long its answer may stay open.

    Raises:
        Unauthenticated: Its token is missing or not good.
        Forbidden: It names no organization.
        IssuerAway: Whether it is good can't be told at the moment.
    """
    return await authentication_of(request).session(request, runtime_of(request).audit)


def grant_of(request: HTTPConnection, token: str) -> tuple[Grant, Session]:
    """What the stream token in an address allows, and for how long its answer may stay open.

    Raises:
        Unauthenticated: It is not one of ours, its time is over, or what it was made with is not accepted any more.
        IssuerAway: That can't be told at the moment.
    """
    runtime = runtime_of(request)
    return authentication_of(request).grant(token, request, runtime.stream_tokens, runtime.audit)


async def viewer_of(request: HTTPConnection) -> Viewer:
    """Who has sent an HTTP request that is answered at once; raises as ``session_of``."""
    return (await session_of(request)).viewer


async def asked(request: Request, about: str, read: Callable[[Viewer], Coroutine[Any, Any, T]]) -> T:
    """What ``read`` returns for the request's viewer, in turn and in time; ended when the client leaves.

    Args:
        about: The id of the organization or of the sync that is asked about.

    Raises:
        RateLimited: Too many operations of the organization are being executed.
        TookTooLong: It was ended at the time limit.
        ClientDisconnect: The client has left.
        RoutiqError: As ``session_of`` and ``read`` do.
    """
    viewer, admission = await viewer_of(request), admission_of(request)

    async def read_in_turn() -> T:
        async with admission.turn(bucket_of(viewer, about)), admission.time_limit():
            return await read(viewer)

    return await while_connected(request.receive, read_in_turn())


async def changed(request: Request, about: str, change: Callable[[Viewer], Coroutine[Any, Any, T]]) -> T:
    """What ``change`` returns for the request's viewer, in turn; it runs to its end when the client leaves.

    Raises:
        RateLimited: Too many operations of the organization are being executed.
        RoutiqError: As ``session_of`` and ``change`` do.
    """
    viewer, admission = await viewer_of(request), admission_of(request)
    async with admission.turn(bucket_of(viewer, about)) as turn:
        return await admission.to_its_end(change(viewer), turn)
