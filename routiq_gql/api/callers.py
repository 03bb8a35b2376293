"""What every route needs to know: which service answers, and who asks."""

from typing import cast

from starlette.requests import HTTPConnection

from routiq_gql.sync.service import SyncService
from routiq_gql.viewer import LOCAL_OPERATOR, Viewer


def syncs_of(connection: HTTPConnection) -> SyncService:
    """The service of the app that received the request; the app's lifespan opened it."""
    return cast(SyncService, connection.app.state.runtime.syncs)


def viewer_of(connection: HTTPConnection) -> Viewer:
    """Who asks. With ``ROUTIQ_AUTH=off``, the only value for now, that is the operator of this machine."""
    del connection  # tokens will be read from it
    return LOCAL_OPERATOR
