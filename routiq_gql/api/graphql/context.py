"""What resolvers are given: the services and who asks. Made once per HTTP request, or once per socket."""

from dataclasses import dataclass

import strawberry

from routiq_gql.api.auth import Session
from routiq_gql.api.graphql.sharing import SharedResults
from routiq_gql.errors import Unauthenticated
from routiq_gql.sync.connections import ConnectionService
from routiq_gql.sync.service import SyncService
from routiq_gql.sync.stream_tokens import Parent, StreamTokens
from routiq_gql.viewer import Viewer


@dataclass(slots=True)
class Context:
    """Lives as long as a socket does, so nothing short-lived belongs here.

    Attributes:
        session: Who asks; ``None`` on a socket before ``connection_init``.
        shared_results: What events of subscriptions look like, for all who subscribe in this process.
        connection_params: The payload of ``connection_init`` but for the token; empty over HTTP.
    """

    syncs: SyncService
    connections: ConnectionService
    stream_tokens: StreamTokens
    session: Session | None
    shared_results: SharedResults
    connection_params: dict[str, object]

    @property
    def viewer(self) -> Viewer:
        """Who asks, with the rights of now; for whatever begins to read or to change something.

        Raises:
            Unauthenticated: The socket has not said it yet, or the token was revoked.
        """
        return self._known_session.current_viewer()

    @property
    def reader(self) -> Viewer:
        """Who reads an event of what is open already; its end is the session's business.

        Events are shared with others: that the token of one of them was revoked is no error for all.

        Raises:
            Unauthenticated: The socket has not said it yet.
        """
        return self._known_session.viewer

    @property
    def parent(self) -> Parent:
        """What a token that is made for the viewer is derived from.

        Raises:
            Unauthenticated: The socket has not said it yet.
        """
        return self._known_session.parent

    @property
    def _known_session(self) -> Session:
        if self.session is None:
            raise Unauthenticated("This socket has not been told who asks.")
        return self.session


Info = strawberry.Info[Context, None]
