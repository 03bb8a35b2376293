"""What resolvers are given: the services and who asks. Made once per HTTP request, or once per socket.

Each operation, and each event of a subscription, gets a copy of its own with what lives no longer than that.
"""

from dataclasses import dataclass, replace
from typing import Self

import strawberry

from routiq_gql.api.admission import Admission, Turn
from routiq_gql.api.auth import Session
from routiq_gql.api.graphql.loading import LogLoader
from routiq_gql.api.graphql.sharing import SharedResults
from routiq_gql.connections.service import ConnectionService
from routiq_gql.errors import Unauthenticated
from routiq_gql.security.stream_tokens import Parent, StreamTokens
from routiq_gql.security.viewer import Viewer
from routiq_gql.sync.service import SyncService


@dataclass(slots=True)
class Context:
    """The services, and who asks.

    Attributes:
        admission: What counts operations and ends those that take too long.
        session: Who asks; ``None`` on a socket before ``connection_init``.
        shared_results: What events of subscriptions look like, for all who subscribe in this process.
        connection_params: The payload of ``connection_init`` but for the token; empty over HTTP.
        bucket: The organization to which the operation is counted.
        cost: What the operation costs.
        turn: By which the operation is counted; ``None`` outside of one, and in subscriptions.
        logs: Loads the logs that one operation or event asks for, all at once; ``None`` outside of one.
    """

    syncs: SyncService
    connections: ConnectionService
    stream_tokens: StreamTokens
    session: Session | None
    shared_results: SharedResults
    connection_params: dict[str, object]
    admission: Admission
    bucket: str = ""
    cost: int = 0
    turn: Turn | None = None
    logs: LogLoader | None = None

    def for_operation(self, bucket: str, cost: int = 0, turn: Turn | None = None) -> Self:
        """The context of one operation, or of one event of a subscription."""
        return replace(self, bucket=bucket, cost=cost, turn=turn, logs=LogLoader(self.syncs, self.reader))

    @property
    def loader(self) -> LogLoader:
        """What loads logs for this operation."""
        if self.logs is None:
            raise RuntimeError("Logs are loaded within an operation only.")
        return self.logs

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
