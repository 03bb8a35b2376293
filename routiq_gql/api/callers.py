"""What every route needs to know: which service answers, and who asks."""

from typing import cast

from starlette.requests import HTTPConnection

from routiq_gql.api.auth import Authentication, Session
from routiq_gql.runtime import Runtime
from routiq_gql.sync.connections import ConnectionService
from routiq_gql.sync.service import SyncService
from routiq_gql.sync.stream_tokens import Grant
from routiq_gql.viewer import Viewer


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
        SettingsError: That can't be read at the moment.
    """
    runtime = runtime_of(request)
    return authentication_of(request).grant(token, request, runtime.stream_tokens, runtime.audit)


async def viewer_of(request: HTTPConnection) -> Viewer:
    """Who has sent an HTTP request that is answered at once; raises as ``session_of``."""
    return (await session_of(request)).viewer
