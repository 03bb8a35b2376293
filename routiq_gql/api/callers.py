"""What every route needs to know: which service answers, and who asks."""

from typing import cast

from starlette.requests import HTTPConnection

from routiq_gql.runtime import Runtime
from routiq_gql.sync.connections import ConnectionService
from routiq_gql.sync.service import SyncService
from routiq_gql.viewer import LOCAL_OPERATOR, Viewer


def runtime_of(connection: HTTPConnection) -> Runtime:
    """The parts of the app that received the request; its lifespan opened them."""
    return cast(Runtime, connection.app.state.runtime)


def syncs_of(connection: HTTPConnection) -> SyncService:
    """The service of the app that received the request, for syncs."""
    return runtime_of(connection).syncs


def connections_of(connection: HTTPConnection) -> ConnectionService:
    """The service of the app that received the request, for connections to Cliniko."""
    return runtime_of(connection).connections


def viewer_of(connection: HTTPConnection) -> Viewer:
    """Who asks. With ``ROUTIQ_AUTH=off``, the only value for now, that is the operator of this machine."""
    del connection  # tokens will be read from it
    return LOCAL_OPERATOR
