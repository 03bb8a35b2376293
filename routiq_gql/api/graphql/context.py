"""The context of resolvers: the services and the viewer. Made once per HTTP request, or once per socket.

Each operation, and each event of a subscription, gets a copy with the parts that live no longer.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol, Self

import strawberry

from routiq_gql.api.admission import Admission, Turn
from routiq_gql.api.auth import Session
from routiq_gql.api.graphql.loading import LogLoader, LogPageLoader, PatientLoader
from routiq_gql.connections.service import ConnectionService
from routiq_gql.errors import RoutiqError, Unauthenticated
from routiq_gql.patients.changes import PatientChanges
from routiq_gql.patients.service import Patients
from routiq_gql.security.stream_tokens import Parent, StreamTokens
from routiq_gql.security.viewer import Viewer
from routiq_gql.sync.service import SyncService
from routiq_gql.webhooks.registry import Webhooks

if TYPE_CHECKING:
    from routiq_gql.tracing.spans import OperationSpan, Tracing


class SharedSource(Protocol):
    """A shared operation, as resolvers use it."""

    async def source(
        self, info: "Info", opening: Callable[[], Awaitable[Any]], convert: Callable[[Any], object]
    ) -> AsyncGenerator[Any, None]:
        """The events of the operation: those of the source that ``opening`` returns, converted."""

    def on_value(self, value: object) -> None:
        """Take a newer value of the feed."""

    def on_end(self, error: RoutiqError | None) -> None:
        """Take the end of the feed."""


@dataclass(slots=True)
class Personal:
    """Whether the answer to a request has patients in it. Each such read is audited, so no answer is kept for others.

    Shared by all contexts of the request.
    """

    is_read: bool = False


@dataclass(slots=True)
class Context:
    """The services and the viewer.

    Attributes:
        admission: Counts operations and applies the time limit.
        session: The viewer's session; ``None`` on a socket before ``connection_init``.
        connection_params: The payload of ``connection_init`` but for the token; empty over HTTP.
        bucket: The organization that the operation counts for.
        cost: The cost of the operation.
        shared: The shared operation whose execution this is; ``None`` in all others.
        turn: Counts the operation; ``None`` outside of operations and in subscriptions.
        logs: Loads all logs of an operation or event at once; ``None`` outside of both.
        log_pages: Loads pages of its logs at once, likewise.
        patients_by_key: Loads its patients at once, likewise.
        personal: Whether patients were read.
        tracing: Makes spans; ``None`` when traces are off.
    """

    syncs: SyncService
    connections: ConnectionService
    stream_tokens: StreamTokens
    patient_reader: Patients
    change_reader: PatientChanges
    webhooks: Webhooks
    session: Session | None
    connection_params: dict[str, object]
    admission: Admission
    bucket: str = ""
    cost: int = 0
    turn: Turn | None = None
    logs: LogLoader | None = None
    log_pages: LogPageLoader | None = None
    patients_by_key: PatientLoader | None = None
    shared: "SharedSource | None" = None
    personal: Personal = field(default_factory=Personal)
    tracing: "Tracing | None" = None

    def for_operation(self, bucket: str, cost: int = 0, turn: Turn | None = None) -> Self:
        """The context of an operation, or of an event of a subscription."""
        logs = LogLoader(self.syncs, self.reader)
        pages = LogPageLoader(self.syncs, self.reader)
        patients = PatientLoader(self.patient_reader, self.reader)
        return replace(self, bucket=bucket, cost=cost, turn=turn, logs=logs, log_pages=pages, patients_by_key=patients)

    def called_from(self, extensions: Mapping[str, object] | None) -> AbstractContextManager[None]:
        """Let spans in the block continue the trace in an operation's extensions, or else that of its connection."""
        return nullcontext() if self.tracing is None else self.tracing.called_from(extensions, self.connection_params)

    def begin_span(self, extensions: Mapping[str, object] | None = None) -> "OperationSpan | None":
        """The span of an operation; ``None`` when traces are off."""
        return None if self.tracing is None else self.tracing.operation(extensions)

    @property
    def patients(self) -> Patients:
        """The service for patients. The answer is then not remembered."""
        self.personal.is_read = True
        return self.patient_reader

    @property
    def patient_changes(self) -> PatientChanges:
        """The service for changes of patients, likewise."""
        self.personal.is_read = True
        return self.change_reader

    @property
    def loader(self) -> LogLoader:
        """The loader of this operation's logs."""
        if self.logs is None:
            raise RuntimeError("Logs are loaded within an operation only.")
        return self.logs

    @property
    def log_page_loader(self) -> LogPageLoader:
        """The loader of pages of this operation's logs."""
        if self.log_pages is None:
            raise RuntimeError("Logs are loaded within an operation only.")
        return self.log_pages

    @property
    def patient_loader(self) -> PatientLoader:
        """The loader of this operation's patients. The answer is then not remembered."""
        if self.patients_by_key is None:
            raise RuntimeError("Patients are loaded within an operation only.")
        self.personal.is_read = True
        return self.patients_by_key

    @property
    def viewer(self) -> Viewer:
        """The viewer with its current rights, for the start of each read or change.

        Raises:
            Unauthenticated: The socket has sent no token yet, or the token was revoked.
        """
        return self._known_session.current_viewer()

    @property
    def reader(self) -> Viewer:
        """The viewer of an event of an open subscription; the session ends the subscription.

        Events are shared: the revoked token of a subscriber must not become an error for the others.

        Raises:
            Unauthenticated: The socket has sent no token yet.
        """
        return self._known_session.viewer

    @property
    def parent(self) -> Parent:
        """The parent of a token that is made for the viewer.

        Raises:
            Unauthenticated: The socket has sent no token yet.
        """
        return self._known_session.parent

    @property
    def _known_session(self) -> Session:
        if self.session is None:
            raise Unauthenticated("This socket has not been told who asks.")
        return self.session


Info = strawberry.Info[Context, None]
