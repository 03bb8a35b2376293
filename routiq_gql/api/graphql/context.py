"""What resolvers are given: the services and who asks. Made once per HTTP request, or once per socket."""

from dataclasses import dataclass

import strawberry

from routiq_gql.sync.connections import ConnectionService
from routiq_gql.sync.service import SyncService
from routiq_gql.viewer import Viewer


@dataclass(slots=True)
class Context:
    """Lives as long as a socket does, so nothing short-lived belongs here.

    Attributes:
        connection_params: The payload of ``connection_init``; empty over HTTP.
    """

    syncs: SyncService
    connections: ConnectionService
    viewer: Viewer
    connection_params: dict[str, object]


Info = strawberry.Info[Context, None]
